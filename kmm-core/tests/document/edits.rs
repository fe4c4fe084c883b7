use kmm_core::diag::Edit;
use kmm_core::document::EditError;
use kmm_core::document::Limits;
use kmm_core::document::read;
use kmm_core::path::FieldPath;

fn apply(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let stream = read(text, &Limits::default());
    let mut editor = stream.editor(text);
    editor.add(0, &FieldPath::root(), edits)?;
    editor.finish()
}

fn set(path: &str, value: &str) -> Edit {
    Edit::SetString {
        path: FieldPath::of(path),
        value: value.to_owned(),
    }
}

fn strings(path: &str, values: &[&str]) -> Edit {
    Edit::SetStrings {
        path: FieldPath::of(path),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

fn remove(path: &str) -> Edit {
    Edit::Remove {
        path: FieldPath::of(path),
    }
}

fn rename(path: &str, key: &str) -> Edit {
    Edit::RenameKey {
        path: FieldPath::of(path),
        key: key.to_owned(),
    }
}

fn within(path: &str, range: std::ops::Range<usize>, text: &str) -> Edit {
    Edit::ReplaceWithin {
        path: FieldPath::of(path),
        range,
        text: text.to_owned(),
    }
}

#[track_caller]
fn check(text: &str, edits: &[Edit], expected: &str) {
    assert_eq!(apply(text, edits).as_deref(), Ok(expected));
}

#[test]
fn strings_keep_their_quotes_or_get_them() {
    check("a: x # c\nb: 1\n", &[set("a", "w")], "a: w # c\nb: 1\n");
    check("a: 5.10 # c\n", &[set("a", "5.10")], "a: \"5.10\" # c\n");
    check("a: 'x'\n", &[set("a", "it's")], "a: 'it''s'\n");
    check("a: \"x\"\n", &[set("a", "y\n")], "a: \"y\\n\"\n");
    check("a: x\n", &[set("a", "y\nz\n")], "a: |\n  y\n  z\n");
    check(
        "a: |\n    x\nb: 1\n",
        &[set("a", "y\nz")],
        "a: |-\n    y\n    z\nb: 1\n",
    );
    check("a:\nb: 1\n", &[set("a", "x")], "a: x\nb: 1\n");
    check(
        "a:\n  b: 1 # gone\nc: 1\n",
        &[set("a", "x")],
        "a: x # gone\nc: 1\n",
    );
    check(
        "a: [b, {c: d}]\n",
        &[set("a[1].c", "e, f")],
        "a: [b, {c: \"e, f\"}]\n",
    );
    check("{\"a\": 1}\n", &[set("a", "é\u{7}")], "{\"a\": \"é\\u0007\"}\n");
    check("- x\n", &[set("[0]", "- y")], "- \"- y\"\n");
}

#[test]
fn lists_keep_their_form() {
    check(
        "a:\n- x # c\n- 'y'\n",
        &[strings("a", &["x", "z"])],
        "a:\n- x # c\n- 'z'\n",
    );
    check(
        "a:\n  - x\nb: 1\n",
        &[strings("a", &["x", "5"])],
        "a:\n  - x\n  - \"5\"\nb: 1\n",
    );
    check("a: [x]\n", &[strings("a", &["x", "w"])], "a: [x, w]\n");
    check("a: x\n", &[strings("a", &["x", "w"])], "a:\n  - x\n  - w\n");
    check("a:\n- x\nb: 1\n", &[strings("a", &[])], "a: []\nb: 1\n");
    check(
        "{\"a\": \"x\"}",
        &[strings("a", &["x", "y"])],
        "{\"a\": [\"x\", \"y\"]}",
    );
}

#[test]
fn keys_are_renamed() {
    check(
        "data:\n  Dockerfile: |\n    FROM a\n",
        &[rename("data.Dockerfile", "dockerfile")],
        "data:\n  dockerfile: |\n    FROM a\n",
    );
    check("{\"a\": 1}", &[rename("a", "on")], "{\"on\": 1}");
    check("a: 1\n", &[rename("a", "on")], "\"on\": 1\n");
    check("a: {b: 1}\n", &[rename("a", "c"), set("a.b", "x")], "c: {b: x}\n");
    let taken = apply("a: 1\nb: 2\n", &[rename("a", "b")]);
    assert!(matches!(taken, Err(EditError::Exists { .. })));
}

#[test]
fn removal_takes_whole_lines_and_separators() {
    check("a: 1\nb: 2 # c\nc: 3\n", &[remove("b")], "a: 1\nc: 3\n");
    check(
        "a: 1\nb:\n  x: 2\n  y: |\n    t\n\nc: 3\n",
        &[remove("b")],
        "a: 1\n\nc: 3\n",
    );
    check("a:\n- x # 1\n- y # 2\n", &[remove("a[0]")], "a:\n- y # 2\n");
    check("a:\n- x: 1\n  w: 2\n", &[remove("a[0].x")], "a:\n- w: 2\n");
    check("a:\n- x: 1\n  w: 2\n", &[remove("a[0].w")], "a:\n- x: 1\n");
    check("a:\n- x: 1\nb: 1\n", &[remove("a[0].x")], "a:\n- {}\nb: 1\n");
    check("a:\n- x\nb: 1\n", &[remove("a[0]")], "a: []\nb: 1\n");
    check("a: [x, y, z]\n", &[remove("a[1]")], "a: [x, z]\n");
    check("a: [x, y, z]\n", &[remove("a[0]"), remove("a[1]")], "a: [z]\n");
    check("a: [x, y, z]\n", &[remove("a[1]"), remove("a[2]")], "a: [x]\n");
    check("a: [x, y]\n", &[remove("a[0]"), remove("a[1]")], "a: []\n");
    check(
        "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
        &[remove("b")],
        "{\n  \"a\": 1\n}\n",
    );
    check(
        "{\n  \"a\": 1,\n  \"b\": 2\n}\n",
        &[remove("a")],
        "{\n  \"b\": 2\n}\n",
    );
    check("a: 1\r\nb: 2\r\n", &[remove("a")], "b: 2\r\n");
    check("a: 1\n", &[remove("a")], "{}\n");
    check("a: 1\nb: 2", &[remove("b")], "a: 1\n");
}

#[test]
fn bytes_of_strings_are_replaced_in_every_style() {
    let dockerfile = "data:\n  f: |\n    # c\n    COPY a /opt/$ {V}/\n\n    RUN depmod\n";
    let value = "# c\nCOPY a /opt/$ {V}/\n\nRUN depmod\n";
    let at = value.find("$ {").unwrap();
    check(
        dockerfile,
        &[within("data.f", at + 1..at + 2, "")],
        &dockerfile.replace("$ {", "${"),
    );
    check(
        dockerfile,
        &[
            within("data.f", 0..0, "ARG A\n"),
            within("data.f", value.len() - 1..value.len() - 1, " 1"),
        ],
        "data:\n  f: |\n    ARG A\n    # c\n    COPY a /opt/$ {V}/\n\n    RUN depmod 1\n",
    );
    check("a: b.c # x\n", &[within("a", 1..2, "\\.")], "a: b\\.c # x\n");
    check("a: b.c # x\n", &[within("a", 1..2, ": ")], "a: \"b: c\" # x\n");
    check("a: 'b.c'\n", &[within("a", 1..2, "'")], "a: 'b''c'\n");
    check("a: \"b\\tc\"\n", &[within("a", 1..2, "\"")], "a: \"b\\\"c\"\n");
    check(
        "a: >-\n  b c\n  d\n",
        &[within("a", 4..5, "e")],
        "a: >-\n  b c\n  e\n",
    );
    assert!(matches!(
        apply("a: é\n", &[within("a", 1..2, "x")]),
        Err(EditError::NotWithin { .. })
    ));
}

#[test]
fn what_cannot_be_done_is_refused_as_a_whole() {
    assert!(matches!(
        apply("a: 1\n", &[set("b", "x")]),
        Err(EditError::Missing(_))
    ));
    let aliased = "a: &x {k: v}\nb: *x\nc:\n  <<: *x\n";
    assert!(matches!(
        apply(aliased, &[set("b.k", "x")]),
        Err(EditError::Aliased(_))
    ));
    assert!(matches!(
        apply(aliased, &[set("c.k", "x")]),
        Err(EditError::Aliased(_))
    ));
    assert_eq!(apply(aliased, &[set("a.k", "x")]), Err(EditError::Layout));
    assert_eq!(
        apply(aliased, &[set("b", "x")]).as_deref(),
        Ok("a: &x {k: v}\nb: x\nc:\n  <<: *x\n")
    );
    assert!(matches!(
        apply("a: 1\n", &[set("a", "x"), set("a", "y")]),
        Err(EditError::Conflict(_))
    ));
    assert!(matches!(
        apply("a: {b: 1}\n", &[remove("a"), set("a.b", "y")]),
        Err(EditError::Conflict(_))
    ));
    assert_eq!(apply("a: !!int 5\n", &[set("a", "x")]), Err(EditError::Layout));
}

#[test]
fn several_documents_are_edited_at_once() {
    let text = "a: 1\n---\nkind: List\nitems:\n- a: 1\n";
    let stream = read(text, &Limits::default());
    let mut editor = stream.editor(text);
    editor
        .add(1, &FieldPath::of("items[0]"), &[set("a", "y")])
        .unwrap();
    editor.add(0, &FieldPath::root(), &[set("a", "x")]).unwrap();
    assert_eq!(
        editor.finish().unwrap(),
        "a: x\n---\nkind: List\nitems:\n- a: \"y\"\n"
    );
}
