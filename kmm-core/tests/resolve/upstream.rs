//! What the Go operator resolves: every recorded sample.

use kmm_core::api::Module;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use kmm_core::resolve::KernelForms;
use kmm_core::resolve::Record;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

#[derive(Deserialize)]
struct Sample {
    module: Value,
    kernel: String,
    forms: Value,
    result: Option<Value>,
    error: Option<Failure>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Failure {
    kind: String,
    text: String,
}

/// What says nothing is taken away: `null`, `""`, `[]`, `{}` and `false`.
pub(crate) fn condensed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), condensed(value)))
            .filter(|(_, value)| *value != json!({}))
            .collect(),
        Value::Array(items) if items.is_empty() => json!({}),
        Value::Array(items) => items.iter().map(condensed).collect(),
        Value::Null | Value::Bool(false) => json!({}),
        Value::String(text) if text.is_empty() => json!({}),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The Module as Kubernetes stores it: with the one default of the CRD that matters here.
fn stored(module: &Value) -> Module {
    let mut module = module.clone();
    let modprobe = module.pointer_mut("/spec/moduleLoader/container/modprobe");
    if let Some(modprobe) = modprobe
        && modprobe["dirName"].is_null()
    {
        modprobe["dirName"] = json!("/opt");
    }
    serde_json::from_value(module).unwrap()
}

#[test]
fn every_sample_agrees() {
    let samples: Vec<Sample> = serde_json::from_str(include_str!("../data/upstream/resolve.json")).unwrap();
    assert_eq!(samples.len(), 150);
    let mut wrong = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let kernel = KernelVersion::new(&sample.kernel);
        assert_eq!(
            serde_json::to_value(KernelForms::new(&kernel)).unwrap(),
            sample.forms,
            "sample {number}"
        );
        let module = stored(&sample.module);
        let record = Record::new(&Compiled::new(&module), &kernel);
        match (&record.outcome, &sample.result, &sample.error) {
            (Ok(resolved), Some(expected), None) => {
                let mut found = serde_json::to_value(&record).unwrap();
                found["kernelVersion"] = json!(kernel.matched());
                found["kernelNormalizedVersion"] = json!(kernel.normalized());
                found["selector"] = json!(resolved.selector);
                for ours in ["kernel", "error", "commands"] {
                    found.as_object_mut().unwrap().remove(ours);
                }
                let (found, expected) = (condensed(&found), condensed(expected));
                for field in found
                    .as_object()
                    .unwrap()
                    .keys()
                    .chain(expected.as_object().unwrap().keys())
                {
                    if found.get(field) != expected.get(field) {
                        let (ours, go) = (found.get(field), expected.get(field));
                        wrong.push(format!("sample {number}: {field}: {ours:?}\nbut Go: {go:?}"));
                    }
                }
            }
            (Err(error), None, Some(expected)) => {
                if error.code() != expected.kind || error.to_string() != expected.text {
                    wrong.push(format!("sample {number}: {error}\nbut Go: {}", expected.text));
                }
            }
            _ => wrong.push(format!(
                "sample {number}: {:?}\nbut Go: {:?} {:?}",
                record.outcome, sample.result, sample.error
            )),
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
