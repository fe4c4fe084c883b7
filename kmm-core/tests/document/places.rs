use std::ops::Range;

use kmm_core::diag::Part;
use kmm_core::document::Limits;
use kmm_core::document::read;
use kmm_core::path::FieldPath;

fn locate(text: &str, path: &str, part: &Part) -> Range<usize> {
    let stream = read(text, &Limits::default());
    stream.documents[0].locate(&FieldPath::of(path), part, text)
}

/// Every character of `value`, which stands at `a`, is found where `shown` says; `_` shows whitespace.
fn within(text: &str, value: &str, needle: &str, expected: &str) {
    let stream = read(text, &Limits::default());
    assert_eq!(
        stream.documents[0].root.get("a").unwrap().as_str(),
        Some(value),
        "{text:?}"
    );
    let start = value.find(needle).unwrap();
    let found = locate(text, "a", &Part::Within(start..start + needle.len()));
    assert_eq!(&text[found], expected, "{text:?}");
}

#[test]
fn bytes_of_strings_in_every_style() {
    within("a: plain text\n", "plain text", "text", "text");
    within("a: plain\n  text\n\n  more\n", "plain text\nmore", "more", "more");
    within("a: plain\n  text\n", "plain text", "n t", "n\n  t");
    within("a: 'it''s so'\n", "it's so", "s so", "s so");
    within("a: 'it''s so'\n", "it's so", "t's", "t''s");
    within("a: \"x\\ty\\u00e9z\"\n", "x\tyéz", "yé", "y\\u00e9");
    within("a: \"x\\\n   y\"\n", "xy", "y", "y");
    within("a: \"\\ud83d\\ude00!\"\n", "😀!", "😀", "\\ud83d\\ude00");
    within(
        "a: |\n  one\n    two\n\n  three\n",
        "one\n  two\n\nthree\n",
        "two",
        "two",
    );
    within(
        "a: |\n  one\n    two\n\n  three\n",
        "one\n  two\n\nthree\n",
        "  two",
        "  two",
    );
    within(
        "a: |\n  one\n    two\n\n  three\n",
        "one\n  two\n\nthree\n",
        "three",
        "three",
    );
    within(
        "a: |+\r\n    one\r\n    two\r\n\r\nb: 1\r\n",
        "one\ntwo\n\n",
        "two",
        "two",
    );
    within("a: |2-\n    x\n   y\n", "  x\n y", " y", " y");
    within(
        "a: >-\n  one\n  two\n\n  three\n    more\n  end\n",
        "one two\nthree\n  more\nend",
        "more",
        "more",
    );
    within(
        "a: >-\n  one\n  two\n\n  three\n    more\n  end\n",
        "one two\nthree\n  more\nend",
        "end",
        "end",
    );
    within(
        "a: # c |\n  &x !!str |  # d\n  text here\n",
        "text here\n",
        "here",
        "here",
    );
}

#[test]
fn keys_values_and_what_is_not_there() {
    let text = "metadata:\n  name: x\nspec:\n  list:\n  - a\n  - b: 1\n  empty:\n";
    let at = |path: &str, part: Part| text[locate(text, path, &part)].to_owned();
    assert_eq!(at("metadata.name", Part::Key), "name");
    assert_eq!(at("spec.list[1].b", Part::Value), "1");
    assert_eq!(at("spec.list[1]", Part::Value), "b: 1");
    assert_eq!(at("spec.list[0]", Part::Key), "a");
    assert_eq!(at("spec.list", Part::Value), "- a\n  - b: 1");
    assert_eq!(at("spec.list[7].x", Part::Value), "list");
    assert_eq!(at("spec.nothing.here", Part::Value), "spec");
    assert_eq!(at("spec.empty", Part::Value), "empty");
    assert_eq!(at("other", Part::Value), "metadata:");
    assert_eq!(at("", Part::Source(3..900)), &text[3..]);
}

#[test]
fn aliases_show_themselves_and_what_they_repeat() {
    let text = "a: &x {k: v}\nb: *x\nc:\n  <<: *x\n";
    assert_eq!(locate(text, "b", &Part::Value), 16..18);
    assert_eq!(&text[locate(text, "b.k", &Part::Value)], "v");
    assert_eq!(&text[locate(text, "c.k", &Part::Key)], "<<");
}
