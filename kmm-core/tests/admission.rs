//! The rules of the webhooks: what the Go operator answered, and our own cases for every rule.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use kmm_core::api;
use kmm_core::api::Module;
use kmm_core::document::Node;
use kmm_core::schema;
use kmm_core::schema::Resource;
use kmm_core::validate::Cluster;
use kmm_core::validate::Facts;
use kmm_core::validate::Findings;
use kmm_core::validate::Kind;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Subject;
use kmm_core::validate::admission;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn cluster(version: &Value) -> Cluster {
    let version = version.as_str().and_then(|text| text.split_once('.'));
    Cluster {
        kubernetes: version.map(|(major, minor)| (major.parse().unwrap(), minor.parse().unwrap())),
    }
}

/// The Module as the webhook gets it; `None` where Go could not decode it either.
fn stored(json: &Value) -> Option<Module> {
    api::read::<Module>(&Node::from(json))
        .ok()
        .map(|read| read.object)
}

fn subject<'a>(
    node: &'a Node,
    module: Option<&'a Module>,
    old: Option<&'a Module>,
    cluster: &'a Cluster,
) -> Subject<'a> {
    Subject {
        kind: Kind::Module,
        node,
        module,
        old,
        neighbours: Neighbours::none(),
        cluster,
        facts: Facts::none(),
    }
}

#[test]
fn answers_of_the_go_operator() {
    let text = include_str!("data/upstream/admission.json");
    let records: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|_| {
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    });
    assert_eq!(records.len(), 150);
    for record in &records {
        let json = if record["op"] == "update" {
            &record["new"]
        } else {
            &record["module"]
        };
        let node = Node::from(json);
        let report = schema::check(Resource::Module, &node);

        // The order of schema faults is that of a Go map, so it is not compared.
        let mut faults: Vec<String> = report
            .errors
            .iter()
            .map(|fault| format!("{}: {}", fault.path, fault.message))
            .collect();
        let mut expected = strings(&record["schema"]["errors"]);
        faults.sort();
        expected.sort();
        assert_eq!(faults, expected, "{record}");
        assert_eq!(
            report.accepted(),
            record["schema"]["refused"] == false,
            "{record}"
        );
        let unknown: Vec<String> = report.unknown.iter().map(ToString::to_string).collect();
        assert_eq!(unknown, strings(&record["schema"]["pruned"]), "{record}");

        let module = stored(json);
        let decodes = record["webhook"].get("undecodable").is_none();
        assert_eq!(module.is_some(), decodes, "{record}");
        let old = record.get("old").and_then(stored);
        let cluster = cluster(&record["kubeVersion"]);
        let message = admission::webhook_message(&subject(&node, module.as_ref(), old.as_ref(), &cluster));
        assert_eq!(
            message.as_deref(),
            record["webhook"]["message"].as_str(),
            "{record}"
        );
        assert_eq!(
            decodes && message.is_none(),
            record["webhook"]["allowed"] == true,
            "{record}"
        );
        let accepted = report.accepted() && decodes && message.is_none();
        assert_eq!(accepted, record["accepted"] == true, "{record}");

        if let Some(as_create) = record.get("newAsCreate") {
            let message = admission::webhook_message(&subject(&node, module.as_ref(), None, &cluster));
            assert_eq!(message.as_deref(), as_create["message"].as_str(), "{record}");
        }
    }
}

/// Puts `value` at a JSON pointer, creating objects on the way; null removes.
fn set(json: &mut Value, pointer: &str, value: &Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let mut at = json;
    for step in parent.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            other => &mut other[step],
        };
    }
    match (at, value) {
        (Value::Array(items), value) => items[last.parse::<usize>().unwrap()] = value.clone(),
        (Value::Object(map), Value::Null) => drop(map.remove(last)),
        (other, value) => other[last] = value.clone(),
    }
}

fn base() -> Value {
    json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1",
        "kind": "Module",
        "metadata": {"name": "nic", "namespace": "drivers"},
        "spec": {
            "selector": {},
            "moduleLoader": {"container": {
                "modprobe": {"moduleName": "nic"},
                "kernelMappings": [{"literal": "6.1.0-1", "containerImage": "registry.example/nic:1"}],
            }},
        },
    })
}

fn with(changes: &Value) -> Value {
    let mut json = base();
    for (pointer, value) in changes.as_object().into_iter().flatten() {
        set(&mut json, pointer, value);
    }
    json
}

/// One line is one case: what differs from a good Module, and every denial as `path: message`, in order.
#[test]
fn cases_of_our_own() {
    let mut cases: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in include_str!("data/admission/cases.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (kind, json) = match case["kernelVersion"].as_str() {
            Some(version) => (
                Kind::PreflightValidation,
                json!({"spec": {"kernelVersion": version}}),
            ),
            None => (Kind::Module, with(&case["set"])),
        };
        let node = Node::from(&json);
        let module = stored(&json).filter(|_| kind == Kind::Module);
        let old = case.get("old").and_then(|changes| stored(&with(changes)));
        let cluster = cluster(&case["kubernetes"]);
        let subject = Subject {
            kind,
            ..subject(&node, module.as_ref(), old.as_ref(), &cluster)
        };
        let denials = admission::denials(&subject);
        let found: Vec<String> = denials
            .iter()
            .map(|denial| format!("{}: {}", denial.diagnostic.path, denial.diagnostic.message))
            .collect();
        assert_eq!(found, strings(&case["denied"]), "{line}");
        let message = admission::webhook_message(&subject);
        assert_eq!(message.as_deref(), case["webhook"].as_str(), "{line}");

        let code = case["code"].as_str().unwrap();
        let seen = cases.entry(code.to_owned()).or_default();
        match denials.iter().any(|denial| denial.diagnostic.code == code) {
            true => seen.0 += 1,
            false => seen.1 += 1,
        }
        // What a rule finds when it is asked alone is what it adds to the whole.
        for rule in admission::rules() {
            let mut findings = Findings::default();
            (rule.check)(&subject, &mut findings);
            let of_rule = denials.iter().map(|denial| &denial.diagnostic);
            let of_rule: Vec<_> = of_rule.filter(|found| found.code == rule.code).cloned().collect();
            assert_eq!(findings.into_vec(), of_rule, "{} {line}", rule.code);
        }
    }
    for rule in admission::rules() {
        let (denied, passed) = cases[rule.code];
        assert!(
            denied > 0 && passed > 0,
            "{}: {denied} denied, {passed} passed",
            rule.code
        );
    }
}

#[test]
fn the_hub_checks_the_module_spec_without_name_and_version() {
    let spec = with(&json!({"/spec/tolerations": [{"operator": "Exists", "effect": "X"}]}))["spec"].clone();
    let json = json!({"metadata": {"name": "n"}, "spec": {"moduleSpec": spec, "spokeNamespace": "s", "selector": {}}});
    let mut module = stored(&json!({"spec": json["spec"]["moduleSpec"]})).unwrap();
    module.metadata.name = "x".repeat(50);
    module.spec.dra = Some(api::DraSpec {
        driver_name: "d".to_owned(),
        ..Default::default()
    });
    let node = Node::from(&json);
    let cluster = Cluster {
        kubernetes: Some((1, 20)),
    };
    let subject = Subject {
        kind: Kind::ManagedClusterModule,
        ..subject(&node, Some(&module), None, &cluster)
    };
    let denials = admission::denials(&subject);
    assert_eq!(denials.len(), 1);
    assert_eq!(
        denials[0].diagnostic.path.to_string(),
        "spec.moduleSpec.tolerations[0].effect"
    );
}

#[test]
fn every_rule_is_explained() {
    let codes: Vec<&str> = admission::rules().iter().map(|rule| rule.code).collect();
    assert!(codes.is_sorted() && codes.iter().all(|code| code.starts_with("KMM02")));
    for rule in admission::rules() {
        assert!(
            rule.explanation.contains("```yaml") && rule.explanation.contains("What to do:"),
            "{}",
            rule.code
        );
        assert!(
            rule.explanation.lines().all(|line| line.chars().count() <= 130),
            "{}",
            rule.code
        );
    }
}

/// Any JSON, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[a-z/:.\\[(*?+$-]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z]{0,10}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn pointers(json: &Value, at: &str, found: &mut Vec<String>) {
    match json {
        Value::Object(map) => {
            for (key, value) in map {
                let here = format!("{at}/{key}");
                pointers(value, &here, found);
                found.push(here);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                let here = format!("{at}/{i}");
                pointers(value, &here, found);
                found.push(here);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn rich() -> Value {
    with(&json!({
        "/spec/tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
        "/spec/dra": {
            "container": {"image": "a", "resources": {"limits": {"cpu": "1"}}},
            "driverName": "d",
            "deviceClasses": [{"name": "c", "selectors": [{"cel": {"expression": "true"}}]}],
            "volumes": [{"name": "v", "hostPath": {"path": "/dev/x"}}],
        },
        "/spec/moduleLoader/container/sign": {
            "keySecret": {"name": "k"}, "certSecret": {"name": "c"}, "filesToSign": ["/opt/a.ko"],
        },
        "/spec/moduleLoader/container/modprobe/modulesLoadingOrder": ["nic", "b"],
        "/spec/moduleLoader/container/kernelMappings/0/regexp": "^6\\.",
        "/metadata/labels": {"a": "b"},
    }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_object_makes_a_panic(place in any::<prop::sample::Index>(), value in any_json()) {
        let mut json = rich();
        let mut places = Vec::new();
        pointers(&json, "", &mut places);
        set(&mut json, &places[place.index(places.len())], &value);
        let node = Node::from(&json);
        let module = stored(&json);
        let cluster = Cluster { kubernetes: Some((1, 33)) };
        let subject = subject(&node, module.as_ref(), module.as_ref(), &cluster);
        let denials = admission::denials(&subject);
        prop_assert_eq!(admission::webhook_message(&subject), denials.first().map(|denial| denial.message.clone()));
        for resource in Resource::ALL {
            let report = schema::check(resource, &node);
            // What is stored is settled: storing it again changes nothing.
            let again = schema::check(resource, &Node::from(&report.stored));
            prop_assert!(again.unknown.is_empty());
            prop_assert_eq!(again.stored, report.stored);
        }
        let _ = api::read_any(&node);
    }

    #[test]
    fn no_json_makes_a_panic(json in any_json()) {
        let node = Node::from(&json);
        let _ = schema::identify(&node);
        let _ = api::read_any(&node);
        for resource in Resource::ALL {
            let _ = schema::check(resource, &node);
        }
    }
}
