//! The texts of the rules.

use std::collections::HashSet;

use kmm_core::validate::explain;
use kmm_core::validate::rules;
use kmm_core::validate::texts;

#[test]
fn codes_and_names_are_unique_and_well_formed() {
    let mut codes = HashSet::new();
    let mut names = HashSet::new();
    for text in texts() {
        assert!(codes.insert(text.code), "{} twice", text.code);
        assert!(names.insert(text.name), "{} twice", text.name);
        let digits = text.code.strip_prefix("KMM").unwrap();
        assert!(
            digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()),
            "{}",
            text.code
        );
        assert!(
            text.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
            "{}",
            text.name
        );
        assert_eq!(explain(text.code), Some(text));
    }
}

#[test]
fn lints_are_explained() {
    for rule in rules() {
        assert!(
            !rule.summary.is_empty() && !rule.summary.ends_with('.'),
            "{}",
            rule.code
        );
        assert!(rule.explanation.len() > 200, "{}", rule.code);
        assert_eq!(rule.explanation.matches("```").count() % 2, 0, "{}", rule.code);
        let lints = rule.code.starts_with("KMM1") || rule.code.starts_with("KMM2");
        assert!(lints, "{}", rule.code);
    }
}
