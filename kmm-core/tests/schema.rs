//! The schemas against recorded answers of Kubernetes' own validator, and against the wire types.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use kmm_core::document::Node;
use kmm_core::path::FieldPath;
use kmm_core::path::Segment;
use kmm_core::schema;
use kmm_core::schema::Resource;
use serde_json::Value;
use serde_json::json;

/// `path` as the API server prints it: every key after a dot.
fn dotted(path: &FieldPath) -> String {
    let mut text = String::new();
    for segment in path.segments() {
        match segment {
            Segment::Field(name) if text.is_empty() => text.push_str(name),
            Segment::Field(name) => text.push_str(&format!(".{name}")),
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().unwrap();
    items
        .iter()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// Every fault of the schema, sorted: the API server's own order is that of a Go map.
fn faults(report: &schema::Report) -> Vec<String> {
    let all = report.errors.iter().chain(&report.warnings);
    let schema = all.filter(|found| !matches!(found.code, "KMM0120" | "KMM0121"));
    let mut lines: Vec<String> = schema
        .map(|found| format!("{}: {}", dotted(&found.path), found.message))
        .collect();
    lines.sort();
    lines
}

fn replay(vectors: &str) -> usize {
    let mut count = 0;
    for line in vectors.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let node = Node::from(&vector["object"]);
        let report = schema::check(schema::identify(&node).unwrap(), &node);
        assert_eq!(faults(&report), strings(&vector["errors"]), "{line}");
        let mut unknown: Vec<String> = report.unknown.iter().map(dotted).collect();
        unknown.sort();
        assert_eq!(unknown, strings(&vector["pruned"]), "{line}");
        assert_eq!(report.stored, vector["stored"], "{line}");
        count += 1;
    }
    count
}

#[test]
fn answers_of_the_kubernetes_validator() {
    assert_eq!(replay(include_str!("data/schema/vectors.jsonl")), 180);
}

fn module(metadata: &Value) -> Node {
    Node::from(&json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1",
        "kind": "Module",
        "metadata": metadata,
        "spec": {"selector": {}},
    }))
}

#[test]
fn metadata_is_checked_as_for_every_object() {
    for (metadata, faults) in [
        (json!({"name": "a.b-c"}), vec![]),
        (json!({"generateName": "a-"}), vec![]),
        (
            json!({}),
            vec!["metadata.name: Required value: name or generateName is required"],
        ),
        (
            json!({"name": "a", "namespace": "a.b"}),
            vec!["metadata.namespace: Invalid value: \"a.b\": must not contain dots"],
        ),
        (
            json!({"name": 5}),
            vec!["metadata.name: Invalid value: metadata.name must be a string"],
        ),
        (
            json!({"name": "a", "labels": {"x": true}}),
            vec!["metadata.labels.x: Invalid value: metadata.labels.x must be a string"],
        ),
        (json!({"name": "a", "annotations": {"X/Y": "any thing"}}), vec![]),
    ] {
        let report = schema::check(Resource::Module, &module(&metadata));
        let found: Vec<String> = report
            .errors
            .iter()
            .map(|found| format!("{}: {}", found.path, found.message))
            .collect();
        assert_eq!(found, faults, "{metadata}");
        assert!(report.errors.iter().all(|found| found.admission));
    }
    let report = schema::check(
        Resource::Module,
        &module(&json!({"name": "A_b", "labels": {"a b": "-"}})),
    );
    assert_eq!(
        report.errors.iter().map(|found| found.code).collect::<Vec<_>>(),
        ["KMM0109", "KMM0111", "KMM0111"]
    );
}

#[test]
fn cluster_scoped_kinds_have_no_namespace() {
    let node = Node::from(&json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta2",
        "kind": "PreflightValidation",
        "metadata": {"name": "x", "namespace": "y"},
        "spec": {"kernelVersion": "6.1.0"},
    }));
    let report = schema::check(Resource::PreflightValidation, &node);
    assert_eq!(
        report.errors[0].to_string(),
        "error[KMM0110]: metadata.namespace: Forbidden: not allowed on this type"
    );
}

#[test]
fn kinds_are_told_apart() {
    for (api_version, kind, found) in [
        ("kmm.sigs.x-k8s.io/v1beta1", "Module", Ok(Resource::Module)),
        ("kmm.sigs.x-k8s.io/v1beta2", "Module", Err("apiVersion")),
        ("kmm.sigs.x-k8s.io/v1beta1", "Pod", Err("kind")),
        ("", "Module", Err("apiVersion")),
        ("kmm.sigs.x-k8s.io/v1beta1", "", Err("kind")),
    ] {
        let node = Node::from(&json!({"apiVersion": api_version, "kind": kind}));
        let answer = schema::identify(&node).map_err(|fault| fault.path.to_string());
        assert_eq!(answer, found.map_err(str::to_owned), "{api_version} {kind}");
    }
}

#[test]
fn unknown_fields_come_with_what_was_meant() {
    let spec = json!({
        "selectr": {}, "image_repo_secret": {"name": "x"}, "replicas": 1, "modprobe": {},
        "tolerations": [{"operatr": "Exists", "operator": "Exists"}],
        "selector": {},
    });
    let mut object = module(&json!({"name": "x"})).to_json();
    object["spec"] = spec;
    let report = schema::check(Resource::Module, &Node::from(&object));
    let helps: Vec<String> = report
        .warnings
        .iter()
        .map(|found| {
            format!(
                "{}: {} (fix: {})",
                found.path,
                found.help.clone().unwrap(),
                found.fix.is_some()
            )
        })
        .collect();
    assert_eq!(
        helps,
        [
            "spec.image_repo_secret: did you mean `imageRepoSecret`? (fix: true)",
            "spec.modprobe: remove it, or move it: there is `spec.moduleLoader.container.modprobe` (fix: false)",
            "spec.replicas: remove it: it is dropped (fix: false)",
            "spec.selectr: remove it: it is dropped, and `selector` is there already (fix: false)",
            "spec.tolerations[0].operatr: remove it: it is dropped, and `operator` is there already (fix: false)",
        ]
    );
    assert!(report.accepted());
}

#[test]
fn duplicate_fields_are_found_and_the_last_counts() {
    let node: Node = serde_json::from_str(
        r#"{"apiVersion":"kmm.sigs.x-k8s.io/v1beta2","kind":"PreflightValidation","metadata":{"name":"x"},
            "spec":{"kernelVersion":1,"kernelVersion":"6.1.0-1","kernelVersion":"6.1.0-2"}}"#,
    )
    .unwrap();
    let report = schema::check(Resource::PreflightValidation, &node);
    assert_eq!(report.duplicates, [FieldPath::of("spec.kernelVersion")]);
    assert_eq!(report.stored["spec"]["kernelVersion"], "6.1.0-2");
    assert_eq!(
        report.warnings[0].to_string(),
        "warning[KMM0121]: spec.kernelVersion: duplicate field `kernelVersion`"
    );
    assert!(report.accepted());
}

#[test]
fn every_fault_is_explained() {
    let mut codes: Vec<&str> = schema::rules().iter().map(|rule| rule.code).collect();
    for rule in schema::rules() {
        assert!(
            rule.code.starts_with("KMM01") && rule.explanation.len() > 100,
            "{}",
            rule.code
        );
        assert!(
            rule.explanation.lines().all(|line| line.chars().count() <= 125),
            "{}",
            rule.code
        );
    }
    codes.dedup();
    assert_eq!(codes.len(), schema::rules().len());
    assert!(codes.is_sorted());
}

#[test]
fn the_openapi_form_has_no_references() {
    for resource in Resource::ALL {
        let schema = schema::openapi(resource);
        assert!(!schema.to_string().contains("$ref"), "{resource:?}");
        assert_eq!(schema["properties"]["metadata"], json!({"type": "object"}));
    }
}
