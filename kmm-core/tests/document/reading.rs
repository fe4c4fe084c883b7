use kmm_core::diag::Part;
use kmm_core::document::Limits;
use kmm_core::document::Stream;
use kmm_core::document::read;
use serde_json::Value;
use serde_json::json;

fn stream(text: &str) -> Stream {
    read(text, &Limits::default())
}

fn codes(stream: &Stream) -> Vec<&'static str> {
    stream
        .findings
        .iter()
        .map(|found| found.diagnostic.code)
        .collect()
}

/// What sigs.k8s.io/yaml made of each text.
#[test]
fn scalars_and_structure_agree_with_the_clients() {
    let mut wrong = Vec::new();
    for line in include_str!("../data/document/scalars.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["yaml"].as_str().unwrap();
        let stream = stream(text);
        let errors = stream.findings.iter().any(|found| {
            found.diagnostic.severity == kmm_core::diag::Severity::Error
                && !["KMM0002", "KMM0007"].contains(&found.diagnostic.code)
        });
        let got = stream
            .documents
            .first()
            .map_or(Value::Null, |document| document.root.to_json());
        let differs = match case.get("json") {
            Some(expected) => errors || got != *expected,
            None => !errors,
        };
        if differs {
            wrong.push(format!(
                "{line}\n   got {got} {:?}",
                stream
                    .findings
                    .iter()
                    .map(|f| f.diagnostic.to_string())
                    .collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}\n{} differ", wrong.join("\n"), wrong.len());
}

#[test]
fn a_missing_separator_is_one_finding_with_a_fix() {
    let text = "# first\napiVersion: a/v1\nkind: Module\nmetadata:\n  name: m\nspec: {}\n\n# second\n# object\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n";
    let stream = stream(text);
    assert_eq!(codes(&stream), ["KMM0003"]);
    let found = &stream.findings[0];
    assert_eq!(found.document, Some(1));
    let kinds: Vec<_> = stream
        .objects()
        .map(|object| (object.kind, object.name))
        .collect();
    assert_eq!(kinds, [("Module", Some("m")), ("ConfigMap", Some("c"))]);
    assert_eq!(
        &text[stream.documents[0].root.span.clone()],
        &text[8..text.find("\n\n").unwrap()]
    );
    let mut editor = stream.editor(text);
    editor
        .add(
            1,
            &Default::default(),
            &found.diagnostic.fix.as_ref().unwrap().edits,
        )
        .unwrap();
    let fixed = editor.finish().unwrap();
    assert!(fixed.contains("\n\n---\n# second\n# object\napiVersion: v1\n"));
    let again = read(&fixed, &Limits::default());
    assert_eq!((again.findings.len(), again.documents.len()), (0, 2));
}

/// A module and the ConfigMap of its Dockerfile without `---` between them, and in the Dockerfile a line that was
/// wrapped to less than the indentation of its block.
#[test]
fn a_broken_second_object_leaves_the_first() {
    let text = "apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: Module\nmetadata:\n  name: dev\n\napiVersion: v1\nkind: ConfigMap\ndata:\n  dockerfile: |\n    FROM a\n as builder\n    ARG X\n---\nkind: Node\napiVersion: v1\n";
    let stream = stream(text);
    assert_eq!(codes(&stream), ["KMM0003", "KMM0001"]);
    assert_eq!(stream.findings[0].document, None);
    let syntax = &stream.findings[1].diagnostic;
    let Part::Source(range) = &syntax.part else {
        panic!()
    };
    assert!(
        text[range.start..].starts_with("as builder"),
        "{:?}",
        &text[range.start..]
    );
    assert!(syntax.help.as_ref().unwrap().contains("indent this line"));
    let kinds: Vec<_> = stream.objects().map(|object| object.kind).collect();
    assert_eq!(kinds, ["Module", "Node"]);
    let mut editor = stream.editor(text);
    let fix = stream.findings[0].diagnostic.fix.as_ref().unwrap();
    editor.add(None, &Default::default(), &fix.edits).unwrap();
    assert!(
        editor
            .finish()
            .unwrap()
            .contains("name: dev\n\n---\napiVersion: v1\n")
    );
}

#[test]
fn one_object_with_a_key_twice_is_no_missing_separator() {
    let text = "apiVersion: v1\nkind: A\nkind: B\nspec:\n  a: 1\n  b: 2\n  a: 3\n  a: 4\n";
    let stream = stream(text);
    assert_eq!(codes(&stream), ["KMM0002", "KMM0002"]);
    let nested = &stream.findings[0].diagnostic;
    assert_eq!(nested.path.to_string(), "spec.a");
    assert_eq!(nested.part, Part::Source(53..54));
    assert_eq!(nested.related[0].part, Part::Source(39..40));
    assert_eq!(stream.documents.len(), 1);
    assert_eq!(
        stream.documents[0].root.to_json()["spec"],
        json!({"a": 4, "b": 2})
    );
}

#[test]
fn a_broken_document_leaves_the_others() {
    let text = "kind: A\napiVersion: v1\n---\na: [1\nb: }\n---\nkind: B\napiVersion: v1\n";
    let stream = stream(text);
    assert_eq!(codes(&stream), ["KMM0001"]);
    assert_eq!(stream.documents.len(), 2);
    assert_eq!(stream.findings[0].document, None);
}

#[test]
fn every_code_is_found_where_it_should_be() {
    for (text, expected) in [
        ("a: b: c\n", &["KMM0001"][..]),
        ("a:\n\tb: c\n", &["KMM0006"]),
        ("a: 1\n\tb: c\n", &["KMM0006"]),
        ("- a\n", &["KMM0007"]),
        ("text\n", &["KMM0007"]),
        ("on: 1\n", &["KMM0008"]),
        ("~: 1\n", &["KMM0008"]),
        ("[a]: 1\n", &["KMM0008"]),
        ("a: *b\n", &["KMM0009"]),
        ("a: &b [*b]\n", &["KMM0009"]),
        ("a: !b c\n", &["KMM0010"]),
        ("a: !!int c\n", &["KMM0010"]),
        ("a: .inf\n", &["KMM0011"]),
        ("a: &a {x: 1}\nb:\n  x: 2\n  <<: *a\n", &["KMM0013"]),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n", &[]),
        ("a: \0\n", &["KMM0005"]),
        ("a: \u{7}\n", &["KMM0005"]),
        ("", &[]),
        ("# nothing\n---\n---\n~\n", &[]),
        ("\u{feff}a: 1\r\nb: 2\r\n", &[]),
        ("{\"a\": 1}\n{\"b\": 2}\n", &[]),
        ("{\n\t\"a\": [\n\t\t1\n\t]\n}", &[]),
    ] {
        assert_eq!(codes(&stream(text)), expected, "{text:?}");
    }
}

#[test]
fn objects_are_the_items_of_lists_too() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- kind: Module\n  apiVersion: a/v1\n  metadata: {name: m, namespace: ns}\n---\nfoo: bar\n";
    let stream = stream(text);
    let objects: Vec<_> = stream.objects().collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0].base.to_string(), "items[0]");
    assert_eq!((objects[0].name, objects[0].namespace), (Some("m"), Some("ns")));
    let unnamed = stream.unnamed();
    assert_eq!(unnamed.len(), 1);
    assert_eq!(
        (unnamed[0].document, unnamed[0].diagnostic.code),
        (Some(1), "KMM0012")
    );
}

#[test]
fn a_number_keeps_its_text() {
    let text = "a:\n  - literal: 5.10 # x\n  - 0x1F\nb:\n";
    let stream = stream(text);
    let root = &stream.documents[0].root;
    let span = |path: &str| {
        root.at(&kmm_core::path::FieldPath::of(path))
            .unwrap()
            .span
            .clone()
    };
    assert_eq!(&text[span("a[0].literal")], "5.10");
    assert_eq!(&text[span("a[1]")], "0x1F");
    assert_eq!(&text[span("a")], "- literal: 5.10 # x\n  - 0x1F");
    assert_eq!(&text[span("a[0]")], "literal: 5.10");
    assert_eq!(span("b"), text.len() - 1..text.len() - 1);
}

#[test]
fn json_that_is_no_yaml_is_read_without_places() {
    let text = format!("{{\"a\": \"\u{7f}\", \"{}\": 1}}", "k".repeat(5000));
    let stream = stream(&text);
    assert!(stream.findings.is_empty());
    assert_eq!(
        stream.documents[0].root.get("a").unwrap().as_str(),
        Some("\u{7f}")
    );
    let edit = kmm_core::diag::Edit::Remove {
        path: kmm_core::path::FieldPath::of("a"),
    };
    assert!(stream.editor(&text).add(0, &Default::default(), &[edit]).is_err());
}
