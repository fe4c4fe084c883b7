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
