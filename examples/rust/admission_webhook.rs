//! Answer an admission review: refuse with every reason at once, warn of the rest.
//!
//! The HTTP server is left out: it hands the body of the request to `review` and sends what comes back.
#![allow(clippy::print_stdout, reason = "an example shows what it answers")]

use kmm_core::diag::Diagnostic;
use kmm_core::diag::Severity;
use kmm_core::document::Node;
use kmm_core::validate::Cluster;
use kmm_core::validate::Surroundings;
use kmm_core::validate::examine;
use serde_json::Value;
use serde_json::json;

/// The `AdmissionReview` that answers `request`, one of `admission.k8s.io/v1`.
fn review(request: &Node, cluster: &Cluster) -> Value {
    let field = |name: &str| request.get("request").and_then(|request| request.get(name));
    let none = Node::from(&Value::Null);
    let old = field("oldObject").filter(|old| old.as_mapping().is_some());
    let around = Surroundings {
        old,
        cluster: Some(cluster),
        ..Surroundings::default()
    };
    let (refused, rest): (Vec<Diagnostic>, Vec<Diagnostic>) =
        examine(field("object").unwrap_or(&none), &around)
            .into_iter()
            .partition(|found| found.admission);
    let lines: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let warnings: Vec<String> = rest
        .iter()
        .filter(|found| found.severity > Severity::Note)
        .map(ToString::to_string)
        .collect();
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": field("uid").map_or(Value::Null, Node::to_json),
            "allowed": refused.is_empty(),
            "status": {"message": lines.join("\n")},
            "warnings": warnings,
        },
    })
}

fn main() -> serde_json::Result<()> {
    let request: Node = serde_json::from_value(json!({"request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "object": {
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1",
            "kind": "Module",
            "metadata": {"name": "acme-nic", "namespace": "drivers"},
            "spec": {
                "selector": {},
                "moduleLoader": {"container": {
                    "modprobe": {"moduleName": "acme_nic.ko"},
                    "kernelMappings": [{"containerImage": "registry.example.com/nic"}],
                }},
            },
        },
    }}))?;
    let answer = review(
        &request,
        &Cluster {
            kubernetes: Some((1, 34)),
        },
    );
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(())
}

#[test]
fn every_reason_is_in_the_answer() {
    main().unwrap();
    let request = json!({"request": {"uid": "1", "object": {
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1",
        "kind": "Module",
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {"selector": {}, "moduleLoader": {"container": {
            "modprobe": {},
            "kernelMappings": [{"containerImage": "registry.example.com/nic"}],
        }}},
    }}});
    let answer = review(&Node::from(&request), &Cluster::default());
    assert_eq!(answer["response"]["allowed"], false);
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("regexp or literal must be set"), "{message}");
    assert!(
        message.contains("load and unload rawArgs must be set"),
        "{message}"
    );
}
