//! The answer of `kmm image check` as SARIF 2.1.0.

use kmm_core::diag::Severity;
use serde_json::Value;
use serde_json::json;

use crate::render::sarif;

use super::answer::Answer;
use super::answer::Checked;
use super::answer::Diagnostic;

/// The findings as one log with one run. An artifact is a file of the image; it has no lines, so its first one is named,
/// which code hosts ask for.
pub fn log(answer: &Answer) -> Value {
    let found = answer
        .results
        .iter()
        .flat_map(|result| result.diagnostics.iter().map(move |found| (result, found)));
    let found: Vec<(&Checked, &Diagnostic)> = found.collect();
    let mut codes: Vec<&str> = found.iter().map(|(_, found)| found.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let results = found.iter().map(|(result, found)| entry(result, found, &codes));
    sarif::run(&codes, &results.collect::<Vec<_>>())
}

fn entry(result: &Checked, found: &Diagnostic, codes: &[&str]) -> Value {
    let severity = match found.severity.as_str() {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => Severity::Note,
    };
    let image = result.image.as_deref().unwrap_or_default();
    let uri = match found.path.trim_start_matches('/') {
        // A whole image: SARIF wants a name all the same.
        "" => sarif::uri(image),
        path => sarif::uri(path),
    };
    json!({
        "ruleId": found.code,
        "ruleIndex": codes.binary_search(&found.code).ok(),
        "level": sarif::level(severity),
        "message": {"text": sarif::message(&format!("{image}: {}", found.message), found.help.as_deref())},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": format!("{image}!{}", found.path)}],
        }],
        "properties": {
            "image": result.image,
            "digest": result.digest,
            "kernel": result.kernel,
            "verdict": result.verdict,
        },
    })
}
