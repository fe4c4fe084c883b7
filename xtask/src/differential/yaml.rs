//! YAML: what a value means to a Kubernetes client.

use anyhow::Result;
use fastrand::Rng;
use kmm_core::diag::Severity;
use kmm_core::document::Limits;
use kmm_core::document::read;
use serde_json::Value;

use super::text_of;
use crate::oracle::Oracle;
use crate::oracle::Question;

const PIECES: &[&str] = &[
    "y",
    "yes",
    "Yes",
    "NO",
    "on",
    "off",
    "true",
    "False",
    "~",
    "null",
    "Null",
    "0",
    "1",
    "7",
    "8",
    "10",
    "0x",
    "0b1",
    "0o7",
    "+",
    "-",
    ".",
    "_",
    "e",
    "E5",
    "inf",
    ".inf",
    ".NaN",
    "5.10",
    "6.1.0",
    ":",
    "'",
    "\"",
    "a",
    "f",
    "!!str ",
    "!!int ",
    "12:30:45",
    "2001-01-01",
    "1_000",
    "é",
];

pub(super) fn compare(random: &mut Rng, oracle: &mut Oracle) -> Result<Option<String>> {
    let scalar = text_of(random, PIECES, 4);
    let text = format!("kind: A\napiVersion: v1\nvalue: {scalar}\n");
    let answer = oracle.ask(&Question {
        op: "yaml",
        text: &text,
        args: Vec::new(),
    })?;
    let stream = read(&text, &Limits::default());
    let refused = stream
        .findings
        .iter()
        .find(|found| found.diagnostic.severity == Severity::Error);
    match (refused, answer.error, stream.documents.first()) {
        (None, None, Some(document)) => {
            let (ours, theirs) = (document.root.to_json(), answer.value);
            Ok((!same(&ours, &theirs)).then(|| format!("{scalar:?}: ours {ours}, Go {theirs}")))
        }
        (Some(_), Some(_), _) => Ok(None),
        (Some(found), None, _) => Ok(Some(format!(
            "{scalar:?}: ours says {}, Go takes it",
            found.diagnostic
        ))),
        (None, theirs, _) => Ok(Some(format!("{scalar:?}: ours takes it, Go says {theirs:?}"))),
    }
}

/// Numbers are compared by their value: 1 and 1.0 are the same number in JSON.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => ours == theirs,
    }
}
