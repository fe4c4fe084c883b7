//! Nodes: reading, selecting, tolerating, and every gate.

use std::collections::BTreeMap;

use kmm_core::api::Toleration;
use kmm_core::module::Compiled;
use kmm_core::node::GateKind;
use kmm_core::node::NodeExplanation;
use kmm_core::node::NodeFacts;
use kmm_core::node::NodeList;
use kmm_core::node::Status;
use kmm_core::node::Taint;
use kmm_core::node::Verdict;
use kmm_core::node::tolerates;
use proptest::prelude::*;
use proptest::sample::select;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    about: String,
    #[serde(default)]
    selector: Value,
    #[serde(default)]
    tolerations: Value,
    #[serde(default)]
    container: Map<String, Value>,
    #[serde(default)]
    labels: Value,
    #[serde(default)]
    taints: Value,
    ready: Option<bool>,
    kernel: Option<String>,
    gate: GateName,
    status: String,
    /// What the reason has to contain.
    reason: String,
    /// The texts of the remedies, all of them.
    #[serde(default)]
    remedies: Vec<String>,
    /// Whether other gates may fail first.
    #[serde(default)]
    later: bool,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct GateName(String);

fn module(selector: &Value, tolerations: &Value, container: &Map<String, Value>) -> Compiled {
    let mut merged = json!({
        "containerImage": "reg.example/drv:1",
        "kernelMappings": [{"regexp": "^6\\."}],
        "modprobe": {"moduleName": "drv"},
    });
    for (field, value) in container {
        merged[field] = value.clone();
    }
    let module = json!({
        "metadata": {"name": "drv", "namespace": "ns"},
        "spec": {"selector": selector, "tolerations": tolerations, "moduleLoader": {"container": merged}},
    });
    Compiled::new(&serde_json::from_value(module).unwrap())
}

#[test]
fn every_gate_and_its_remedies() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("../data/node/gates.json")).unwrap();
    for vector in vectors {
        let about = &vector.about;
        let compiled = module(&vector.selector, &vector.tolerations, &vector.container);
        let node = json!({
            "metadata": {"name": "w1", "labels": vector.labels},
            "spec": {"taints": vector.taints},
            "status": {
                "conditions": vector.ready.map(|ready| json!([
                    {"type": "DiskPressure", "status": "False"},
                    {"type": "Ready", "status": if ready { "True" } else { "Unknown" }},
                ])),
                "nodeInfo": {
                    "kernelVersion": vector.kernel.as_deref().unwrap_or("6.1.0-rt"), "architecture": "arm64",
                },
            },
        });
        let node: NodeFacts = serde_json::from_value(node).unwrap();
        let explanation = NodeExplanation::new(&compiled, &node);
        let gates = serde_json::to_value(&explanation.gates).unwrap();
        let gate = gates
            .as_array()
            .unwrap()
            .iter()
            .find(|gate| gate["gate"] == vector.gate.0.as_str());
        let gate = gate.unwrap_or_else(|| panic!("{about}: no such gate"));
        assert_eq!(gate["status"], vector.status.as_str(), "{about}: {gate}");
        let reason = gate["reason"].as_str().unwrap();
        assert!(reason.contains(&vector.reason), "{about}: {reason}");
        let remedies = gate["remedies"].as_array().cloned().unwrap_or_default();
        let remedies: Vec<&str> = remedies
            .iter()
            .map(|remedy| remedy["text"].as_str().unwrap())
            .collect();
        assert_eq!(remedies, vector.remedies, "{about}");

        let failing = explanation
            .first_failing()
            .map(|gate| serde_json::to_value(gate.gate).unwrap());
        assert_eq!(
            explanation.verdict() == Verdict::Loads,
            failing.is_none(),
            "{about}"
        );
        if vector.status == "fail" && !vector.later {
            assert_eq!(failing, Some(json!(vector.gate.0)), "{about}");
            let text = explanation.to_string();
            let second = text.lines().nth(1).unwrap();
            assert!(
                second.starts_with(&format!("FAIL {}: ", vector.gate.0)),
                "{about}: {text}"
            );
        }
        let json = serde_json::to_value(&explanation).unwrap();
        assert_eq!(json["firstFailing"], failing.unwrap_or(Value::Null), "{about}");
    }
}

#[test]
fn the_remedies_work() {
    let taints = json!([
        {"key": "a", "value": "1.0", "effect": "NoSchedule"},
        {"key": "b", "effect": "NoExecute"},
        {"key": "c", "effect": "PreferNoSchedule"},
    ]);
    let node: NodeFacts = serde_json::from_value(json!({
        "spec": {"taints": taints}, "status": {"nodeInfo": {"kernelVersion": "5.10+odd*"}},
    }))
    .unwrap();
    let tolerations = json!([
        {"key": "a", "operator": "Equal", "value": "1.0", "effect": "NoSchedule"},
        {"key": "b", "operator": "Exists", "effect": "NoExecute"},
    ]);
    let gate = &NodeExplanation::new(&module(&json!({}), &json!([]), &Map::new()), &node).gates[1];
    assert_eq!(
        gate.remedies[0].text,
        "tolerations:\n- key: a\n  operator: Equal\n  value: '1.0'\n  effect: NoSchedule\n\
         - key: b\n  operator: Exists\n  effect: NoExecute"
    );
    let mended = module(&json!({}), &tolerations, &Map::new());
    assert!(node.is_schedulable(mended.tolerations()));

    let mut container = Map::new();
    container.insert(
        "kernelMappings".to_owned(),
        json!([{"regexp": r"^5\.10\+odd\*$"}]),
    );
    let mended = NodeExplanation::new(&module(&json!({}), &tolerations, &container), &node);
    assert_eq!(mended.gates[3].status, Status::Pass);
}

#[test]
fn without_module_loader_there_is_nothing_to_load() {
    let compiled = Compiled::new(&kmm_core::api::Module::default());
    let explanation = NodeExplanation::new(&compiled, &NodeFacts::default());
    assert_eq!(explanation.verdict(), Verdict::NothingToLoad);
    assert_eq!(explanation.first_failing(), None);
    assert_eq!(explanation.gates[3].gate, GateKind::Mapping);
    assert_eq!(explanation.gates[3].status, Status::Note);
}

#[test]
fn whole_objects_are_cut_down() {
    let list: NodeList = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""},
        "items": [
            {"apiVersion": "v1", "kind": "Node",
             "metadata": {"name": "a", "labels": {"x": ""}, "annotations": {"big": "…"}, "managedFields": [{}]},
             "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": true,
                      "taints": [{"key": "k", "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}]},
             "status": {"images": [{"names": ["x"], "sizeBytes": 1}],
                        "conditions": [{"type": "Ready", "status": "False", "reason": "r"}],
                        "nodeInfo": {"kernelVersion": "6.1.0+", "bootID": "id", "architecture": "amd64", "osImage": "o"}}},
            {"metadata": {"name": "b", "labels": null}, "spec": null, "status": {"nodeInfo": null}},
        ],
    }))
    .unwrap();
    let [a, b] = list.items.as_slice() else {
        panic!("two nodes")
    };
    assert_eq!(
        (a.name.as_str(), a.ready, a.unschedulable),
        ("a", Some(false), true)
    );
    assert_eq!((a.boot_id.as_str(), a.architecture.as_str()), ("id", "amd64"));
    assert_eq!(a.taints[0].to_string(), "k:NoSchedule");
    assert_eq!(
        b,
        &NodeFacts {
            name: "b".to_owned(),
            ..NodeFacts::default()
        }
    );
}

fn word() -> impl Strategy<Value = String> {
    select(&["", "a", "b"][..]).prop_map(str::to_owned)
}

fn effect() -> impl Strategy<Value = String> {
    select(&["", "NoSchedule", "NoExecute", "PreferNoSchedule"][..]).prop_map(str::to_owned)
}

fn toleration() -> impl Strategy<Value = Toleration> {
    let operator = select(&["", "Equal", "Exists", "Lt", "exists"][..]);
    (word(), operator, word(), effect()).prop_map(|(key, operator, value, effect)| Toleration {
        key,
        operator: operator.to_owned(),
        value,
        effect,
        toleration_seconds: None,
    })
}

fn taint() -> impl Strategy<Value = Taint> {
    (word(), word(), effect()).prop_map(|(key, value, effect)| Taint { key, value, effect })
}

/// core/v1, written as a table: which parts must agree.
fn naively(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = ["", taint.effect.as_str()].contains(&toleration.effect.as_str());
    let key = ["", taint.key.as_str()].contains(&toleration.key.as_str());
    let value = match &*toleration.operator {
        "Exists" => true,
        "Equal" | "" => toleration.value == taint.value,
        _ => false,
    };
    [effect, key, value] == [true; 3]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn taints_and_selectors_naively(
        taints in proptest::collection::vec(taint(), 0..4),
        tolerations in proptest::collection::vec(toleration(), 0..4),
        selector in proptest::collection::btree_map(word(), word(), 0..3),
        labels in proptest::collection::btree_map(word(), word(), 0..3),
    ) {
        for (toleration, taint) in tolerations.iter().flat_map(|t| taints.iter().map(move |taint| (t, taint))) {
            prop_assert_eq!(tolerates(toleration, taint), naively(toleration, taint));
        }
        let mut blocked = false;
        for taint in &taints {
            if taint.effect == "NoSchedule" || taint.effect == "NoExecute" {
                blocked |= !tolerations.iter().any(|toleration| naively(toleration, taint));
            }
        }
        let pairs = |map: &BTreeMap<String, String>| -> Vec<String> {
            map.iter().map(|(key, value)| format!("{key}={value}")).collect()
        };
        let selected = pairs(&selector).iter().all(|pair| pairs(&labels).contains(pair));
        let node = NodeFacts { labels, taints, ..NodeFacts::default() };
        prop_assert_eq!(node.is_schedulable(&tolerations), !blocked);
        prop_assert_eq!(node.is_selected(&selector), selected);

        let compiled = module(&json!(selector), &json!(tolerations), &Map::new());
        let explanation = NodeExplanation::new(&compiled, &node);
        let targeted = node.is_selected(&selector) && node.is_schedulable(compiled.tolerations());
        prop_assert_eq!(explanation.is_targeted(), targeted);
    }
}
