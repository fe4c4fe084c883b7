//! Findings as SARIF 2.1.0 (OASIS), for code hosts.

use kmm_core::diag::Severity;
use serde_json::Value;
use serde_json::json;

use crate::manifests::File;

use super::Located;
use super::json;

/// The findings as one log with one run.
pub fn log<'a>(findings: impl Iterator<Item = &'a Located>, files: &[File]) -> Value {
    let findings: Vec<&Located> = findings.collect();
    let mut codes: Vec<&str> = findings.iter().map(|found| found.diagnostic.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let report = json::report(findings.iter().copied(), files);
    let results: Vec<Value> = report
        .diagnostics
        .iter()
        .zip(&findings)
        .map(|(entry, found)| result(entry, found.diagnostic.severity, &codes))
        .collect();
    run(&codes, &results)
}

/// A log of one run; the codes are sorted.
pub fn run(codes: &[&str], results: &[Value]) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "kmm",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &str) -> Value {
    match kmm_core::validate::explain(code) {
        None => json!({ "id": code }),
        Some(text) => json!({
            "id": code,
            "name": text.name,
            "shortDescription": {"text": text.summary},
            "fullDescription": {"text": text.explanation, },
            "help": {"text": text.explanation, "markdown": text.explanation},
            "defaultConfiguration": {"level": level(text.severity)},
        }),
    }
}

fn result(entry: &json::Entry, severity: Severity, codes: &[&str]) -> Value {
    let message = message(&entry.message, entry.help.as_deref());
    json!({
        "ruleId": entry.code,
        "ruleIndex": codes.binary_search(&entry.code).ok(),
        "level": level(severity),
        "message": {"text": message},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&entry.file)},
                "region": {
                    "startLine": entry.line,
                    "startColumn": entry.column,
                    "endLine": entry.end_line,
                    "endColumn": entry.end_column,
                },
            },
            "logicalLocations": [{"fullyQualifiedName": entry.path}],
        }],
        "properties": {"admission": entry.admission},
    })
}

/// What is wrong and what mends it, as one text.
pub fn message(message: &str, help: Option<&str>) -> String {
    match help {
        Some(help) => format!("{message}\nhelp: {help}"),
        None => message.to_owned(),
    }
}

pub fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A path as a URI reference: every byte that a path segment may not hold is escaped.
pub fn uri(path: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&b);
    path.bytes()
        .map(|b| {
            if keep(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(uri("a b/ü.yaml"), "a%20b/%C3%BC.yaml");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
    }
}
