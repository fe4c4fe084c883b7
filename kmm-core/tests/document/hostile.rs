use kmm_core::diag::Part;
use kmm_core::document::Limits;
use kmm_core::document::read;
use proptest::prelude::*;

/// Texts that take more than they give: each is read, or refused, in little time and without a deep stack.
#[test]
fn hostile_texts_are_refused_or_read() {
    let n = 100_000;
    let anchors = (0..n / 10)
        .map(|i| format!("k{i}: &a{i} v\n"))
        .collect::<String>();
    let keys = (0..n).map(|i| format!("k{i}: v\n")).collect::<String>();
    let mut bomb = "a0: &a0 [x, x]\n".to_owned();
    for i in 1..60 {
        bomb.push_str(&format!("a{i}: &a{i} [*a{}, *a{}]\n", i - 1, i - 1));
    }
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for i in 1..500 {
        deep.push_str(&format!("a{i}: &a{i} [*a{}]\n", i - 1));
    }
    let texts = [
        ("[".repeat(n), Some("KMM0004")),
        ("{a: ".repeat(n), Some("KMM0004")),
        ("- ".repeat(n), Some("KMM0004")),
        ("? ".repeat(n), Some("KMM0004")),
        ("]".repeat(n), Some("KMM0001")),
        (bomb, Some("KMM0004")),
        (deep, Some("KMM0004")),
        (anchors, None),
        (keys, None),
        ("a: 1\n".repeat(n), Some("KMM0002")),
        ("kind: a\napiVersion: b\n".repeat(n / 10), Some("KMM0003")),
        ("---\na: b\n".repeat(n + 1), Some("KMM0004")),
        ("a: [\n---\n".repeat(n / 10), Some("KMM0001")),
        (format!("a: |\n{}", "\n".repeat(n)), None),
        (format!("a:\n{}", "# c\n".repeat(n)), None),
        (format!("a: {}", "b\n  ".repeat(n)), None),
        (format!("a: [{}]", ",".repeat(n)), Some("KMM0001")),
        (format!("<<: [{}]", "{a: b},".repeat(n)), None),
        ("&a ".repeat(n), Some("KMM0001")),
        ("'".repeat(n + 1), Some("KMM0001")),
        ("x".repeat(40 << 20), Some("KMM0004")),
    ];
    for (text, code) in texts {
        let stream = read(&text, &Limits::default());
        let start = &text[..text.len().min(40)];
        assert_eq!(
            stream.findings.first().map(|found| found.diagnostic.code),
            code,
            "{start}"
        );
        assert!(stream.findings.len() <= Limits::default().findings);
        for document in stream.documents.iter().take(3) {
            let _ = (
                document.root.to_json(),
                format!("{:?}", document.root).len(),
                document.clone(),
            );
            if let Some(mapping) = document.root.as_mapping() {
                let _ = mapping.effective().count();
            }
        }
    }
}

#[test]
fn text_repeated_by_aliases_is_bounded_too() {
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(1000));
    let stream = read(&text, &Limits::default());
    assert_eq!(stream.findings[0].diagnostic.code, "KMM0004");
}

fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "kind",
        "apiVersion",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "-",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        "\"",
        "|",
        ">",
        "|-\n",
        ">+2\n",
        "#",
        " # c",
        "&x ",
        "*x",
        "!!str ",
        "!t ",
        "<<",
        "---\n",
        "...\n",
        "\t",
        "\r\n",
        "\\",
        "\\n",
        "\\u00e9",
        "ä",
        "😀",
        "\u{feff}",
        "\u{85}",
        "5.10",
        "yes",
        "~",
        "%YAML 1.1\n",
        " ",
        "@",
        "`",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn total(text: &str) {
    let stream = read(text, &Limits::default());
    for found in &stream.findings {
        let Part::Source(range) = &found.diagnostic.part else {
            panic!("a finding of the reader stands in the source")
        };
        assert!(text.get(range.clone()).is_some(), "{text:?} {range:?}");
    }
    for document in &stream.documents {
        assert!(
            text.get(document.span.clone()).is_some(),
            "{text:?} {:?}",
            document.span
        );
        crate::random::each(&document.root, &mut |path, node| {
            assert!(
                text.get(node.span.clone()).is_some(),
                "{text:?} {path} {:?}",
                node.span
            );
            for part in [Part::Value, Part::Key, Part::Within(0..1), Part::Within(1..9)] {
                let range = document.locate(path, &part, text);
                assert!(text.get(range).is_some());
            }
        });
    }
    let _ = (stream.unnamed(), stream.objects().count());
    for (index, document) in stream.documents.iter().enumerate() {
        crate::random::each(&document.root, &mut |path, node| {
            for edit in crate::random::edits_of(path, node) {
                let mut editor = stream.editor(text);
                if editor.add(index, &Default::default(), &[edit]).is_ok() {
                    let _ = editor.finish();
                }
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 20_000 }))]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        total(&text);
    }

    #[test]
    fn any_text_that_looks_like_yaml_is_read(text in yaml_like()) {
        total(&text);
    }
}
