//! Go's dialect, held against answers of Go itself.
//!
//! `data/upstream/regex.json` and `data/pattern/dialect.json` hold patterns with what Go's `regexp`
//! says and finds; `data/pattern/limits.json` holds patterns near Go's limits, as parts and how often
//! each is repeated.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use kmm_core::pattern::{ErrorKind, Pattern, PatternError};
use serde_json::Value;

fn records(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

/// Runs where the stack is what a small thread has.
fn on_small_stack(work: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(work)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn upstream_records() {
    let records = records(include_str!("data/upstream/regex.json"));
    assert_eq!(records.len(), 400);
    for record in &records {
        let source = record["re"].as_str().unwrap();
        match Pattern::parse(source) {
            Err(error) => assert_eq!(
                Some(error.to_string().as_str()),
                record["err"].as_str(),
                "{source}"
            ),
            Ok(pattern) => {
                assert!(
                    record["err"].is_null(),
                    "{source} is accepted; Go says {}",
                    record["err"]
                );
                for case in record["matches"].as_array().unwrap() {
                    let kernel = case[0].as_str().unwrap();
                    assert_eq!(
                        Some(pattern.is_match(kernel)),
                        case[1].as_bool(),
                        "{source} on {kernel:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn dialect() {
    for record in records(include_str!("data/pattern/dialect.json")) {
        let source = record["re"].as_str().unwrap();
        let pattern = match Pattern::parse(source) {
            Ok(pattern) => pattern,
            Err(error) => {
                assert_eq!(
                    Some(error.to_string().as_str()),
                    record["err"].as_str(),
                    "{source}"
                );
                assert!(source.get(error.span()).is_some(), "{source}: {:?}", error.span());
                continue;
            }
        };
        assert!(
            record["err"].is_null(),
            "{source} is accepted; Go says {}",
            record["err"]
        );
        assert_eq!(pattern.as_str(), source);
        for case in record["find"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let found = pattern
                .find(text)
                .map(|range| vec![range.start as u64, range.end as u64]);
            let expected = case["at"]
                .as_array()
                .map(|at| at.iter().map(|n| n.as_u64().unwrap()).collect());
            assert_eq!(found, expected, "{source} on {text:?}");
            assert_eq!(pattern.is_match(text), expected.is_some(), "{source} on {text:?}");
        }
    }
}

#[test]
fn limits() {
    on_small_stack(|| {
        for record in records(include_str!("data/pattern/limits.json")) {
            let parts = record["parts"].as_array().unwrap();
            let part = |part: &Value| {
                part[0]
                    .as_str()
                    .unwrap()
                    .repeat(part[1].as_u64().unwrap() as usize)
            };
            let source: String = parts.iter().map(part).collect();
            match (
                Pattern::parse(&source).map_err(|error| (error.kind(), error)),
                record["err"].as_str(),
            ) {
                (Err((ErrorKind::EngineLimit, _)) | Ok(_), None) => {}
                (Err((_, error)), Some(phrase)) => {
                    let text = error.to_string();
                    assert!(
                        text.starts_with(&format!("error parsing regexp: {phrase}: `")),
                        "{parts:?}: {text:.200}"
                    );
                }
                (Ok(_), Some(phrase)) => panic!("{parts:?} is accepted; Go says {phrase}"),
                (Err((_, error)), None) => panic!("{parts:?} is refused: {error:.200}"),
            }
        }
    });
}

#[test]
fn nesting_that_go_accepts_is_accepted() {
    on_small_stack(|| {
        for (open, inside, close, count) in [
            ("(", "x", ")", 999),
            ("(?:", "x", ")", 20_000),
            ("(", "x", ")*", 249),
        ] {
            let source = open.repeat(count) + inside + &close.repeat(count);
            assert!(
                Pattern::parse(&source).unwrap().is_match("x"),
                "{count} times {open}{close}"
            );
        }
    });
}

#[test]
fn spans_point_at_the_fault() {
    let span = |source: &str| {
        Pattern::parse(source)
            .map(|_| ())
            .map_err(|error: PatternError| error.span())
            .unwrap_err()
    };
    assert_eq!(span("^5(a(b)"), 2..3);
    assert_eq!(span("ab)c"), 2..3);
    assert_eq!(span("ab**"), 2..4);
    assert_eq!(span("ab{2,1}c"), 2..7);
    assert_eq!(span(r"ab\"), 2..3);
    assert_eq!(span("x[a-z"), 1..5);
    assert_eq!(span("x[z-a]"), 2..5);
    assert_eq!(span("x(?=y)"), 1..4);
}
