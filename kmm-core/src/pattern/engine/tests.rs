use proptest::prelude::*;

use super::super::syntax;
use super::*;

fn both(source: &str) -> Option<(Engine, Threads)> {
    let ast = syntax::parse(source).ok()?;
    Some((
        Engine::compile(source, &ast).unwrap(),
        Threads::new(&ast).unwrap(),
    ))
}

fn agree(source: &str, text: &str) {
    let Some((engine, threads)) = both(source) else {
        return;
    };
    assert_eq!(
        engine.find(text),
        threads.search(text, false),
        "{source} on {text:?}"
    );
    assert_eq!(
        engine.is_match(text),
        threads.search(text, true).is_some(),
        "{source} on {text:?}"
    );
}

#[test]
fn both_ways_agree_on_preference() {
    let sources = [
        "a|ab",
        "(?:a|ab)(?:c|bcd)",
        "(?:|a)*",
        "(?:|a)+",
        "(?:a|)*?b",
        "(?:a*)*",
        "(?:a*)+?b",
        "(?:a?b??)*",
        "a{2,3}?",
        "(?:a{0,2}|b)*",
        r"\b",
        r"\B",
        "$|a",
        "(?:^a|b)*",
        "x*",
        "(?:(?:|a)|b)*",
        "(?:a|b)*?$",
    ];
    for source in sources {
        for text in ["", "a", "ab", "aab", "abcd", "baba", "é", "a\nb", "bbaé"] {
            agree(source, text);
        }
    }
}

proptest! {
    #[test]
    fn both_ways_agree(source in r"([ab.(|)*+?^$é]|\\b|\\B|\(\?:|\{0,2\}|\{2,\}){0,12}", text in "[abé\n-]{0,6}") {
        agree(&source, &text);
    }
}

#[test]
fn large_patterns_fall_back_to_threads() {
    for (source, text, found) in [
        (r"(?i)\pL{1000}".to_owned(), "é".repeat(1000), Some(0..2000)),
        (r"\pL{1000}".to_owned(), "é".repeat(999), None),
        (
            "(?:a".repeat(480) + &"b)*".repeat(480),
            "ab".to_owned(),
            Some(0..2),
        ),
    ] {
        let ast = syntax::parse(&source).unwrap();
        let engine = Engine::compile(&source, &ast).unwrap();
        assert!(matches!(engine.search, Search::Threads(_)));
        assert_eq!(engine.find(&text), found);
    }
}

#[test]
fn no_match_splits_a_character() {
    let source = r"(?:\B|.){2,3}?";
    let engine = both(source).unwrap().0;
    assert_eq!(engine.find("_😀5"), Some(0..5));
    assert!(engine.is_match("_😀5"));
    assert!(!both(r"^_\B😀|5\B😀").unwrap().0.is_match("_😀5😀"));
}

#[test]
fn anchors_are_seen_in_threads() {
    for source in [
        "^5",
        "5$",
        "^5|6",
        r"\A5|^6",
        "^(?:a|b)*$",
        "(?:^)?5",
        "(?m)^5$",
        "a*^b",
        "b$a*",
        "(?:a$|b$)",
    ] {
        let (engine, threads) = both(source).unwrap();
        let (start, end) = threads.anchors();
        // Seen by syntax where seen at all; the graph may see more.
        assert!(
            start >= engine.anchored_start && end >= engine.anchored_end,
            "{source}"
        );
    }
}
