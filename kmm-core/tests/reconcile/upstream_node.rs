//! What the Go operator decided for nodes, against what is decided here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kmm_core::reconcile::Action;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::names;
use serde_json::Value;
use serde_json::json;

use crate::store::Store;
use crate::store::installation;

fn pod(sample: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": sample["name"], "namespace": sample["namespace"], "labels": sample["labels"],
            "annotations": sample["annotations"], "finalizers": sample["finalizers"],
        },
        "spec": {
            "nodeName": "node-1", "serviceAccountName": sample["serviceAccountName"],
            "imagePullSecrets": sample["imagePullSecrets"],
        },
        "status": {
            "phase": sample["phase"],
            "containerStatuses": [{"name": "worker", "restartCount": sample["restartCount"]}],
        },
    })
}

fn store(input: &Value) -> Store {
    let node = &input["node"];
    let mut config = input["nmc"].clone();
    config["apiVersion"] = json!("kmm.sigs.x-k8s.io/v1beta1");
    config["kind"] = json!("NodeModulesConfig");
    let mut objects = vec![
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": node["name"], "labels": node["labels"]},
            "spec": {"taints": node["taints"]},
            "status": {
                "conditions": [{"type": "Ready", "status": node["ready"]}],
                "nodeInfo": {"bootID": node["bootID"]},
            },
        }),
        config,
    ];
    objects.extend(input["pods"].as_array().into_iter().flatten().map(pod));
    Store::of(objects)
}

/// What became of each pod: `create Load ns/name`, `delete ns/name`, `keep ns/name`.
fn pods(plan: &Plan, input: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let mut deleted = BTreeSet::new();
    for action in &plan.actions {
        match action {
            Action::Create { object } => {
                let metadata = &object["metadata"];
                out.insert(format!(
                    "create {} {}/{}",
                    metadata["labels"][names::WORKER_ACTION].as_str().unwrap(),
                    metadata["namespace"].as_str().unwrap(),
                    metadata["name"].as_str().unwrap()
                ));
            }
            Action::Delete { target, .. } if target.kind == Kind::Pod => {
                deleted.insert(format!("{}/{}", target.namespace, target.name));
            }
            Action::Delete { .. } | Action::Patch { .. } | Action::Event(_) | Action::AskRegistry(_) => {}
        }
    }
    for pod in input["pods"].as_array().into_iter().flatten() {
        let name = format!(
            "{}/{}",
            pod["namespace"].as_str().unwrap(),
            pod["name"].as_str().unwrap()
        );
        let verb = if deleted.contains(&name) { "delete" } else { "keep" };
        out.insert(format!("{verb} {name}"));
    }
    out
}

/// Why pods or the status may be others here: each is a row of `docs/compat.md`.
fn excuse(facts: &BTreeMap<String, String>) -> Option<&'static str> {
    for module in ["m0", "m1"] {
        let fact = |name: &str| facts.get(&format!("{module}.{name}")).map_or("", String::as_str);
        if fact("pod") == "load" && fact("phase") == "Succeeded" && fact("status") == "otherParams" {
            return Some("status-replaced");
        }
        if fact("boot") == "other"
            && fact("pod") == "none"
            && matches!(fact("status"), "otherParams" | "otherImage")
        {
            return Some("no-unload-after-reboot");
        }
        let not_ready = facts.get("nodeReady").is_some_and(|ready| ready != "True");
        if fact("boot") == "other" && fact("pod") == "none" && fact("spec") == "absent" && not_ready {
            return Some("no-unload-after-reboot");
        }
        if fact("boot") == "empty" && fact("spec") == "absent" && fact("pod") != "load" {
            return Some("boot-not-recorded");
        }
        if fact("podModule") == "stranger" {
            return Some("worker-name-taken");
        }
        if fact("pod") == "load" && fact("phase") == "Pending" && fact("hash") == "other" {
            return Some("stuck-loader");
        }
        if fact("phase") == "Failed" && !matches!(fact("restarts"), "" | "0") {
            return Some("killed-after-work");
        }
        if fact("hash") == "other" && !matches!(fact("restarts"), "" | "0") {
            return Some("worker-compared-by-meaning");
        }
    }
    None
}

/// What the status comes to: `note m0 image [parameters] on boot`.
fn noted(status: &Value) -> impl Iterator<Item = String> {
    status.as_array().into_iter().flatten().map(|entry| {
        let config = &entry["config"];
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        format!(
            "note {} {} {} on {}",
            text(&entry["name"]),
            text(&config["containerImage"]),
            config["modprobe"]["parameters"],
            text(&entry["bootId"]),
        )
    })
}

/// What the labels of the Go operator come to here: `.ready` only where the module is loaded as wanted, on this boot.
fn expected_labels(theirs: &Value, store: &mut Store, input: &Value) -> Value {
    let boot = input["node"]["bootID"].clone();
    let config = store.get(Kind::NodeModulesConfig, "", "node-1").clone();
    let mut labels = theirs.as_object().cloned().unwrap_or_default();
    let list = |part: &str| config[part]["modules"].as_array().cloned().unwrap_or_default();
    let mut loaded = BTreeSet::new();
    for entry in list("spec") {
        let same = |status: &Value| {
            status["name"] == entry["name"]
                && status["namespace"] == entry["namespace"]
                && status["config"] == entry["config"]
        };
        if list("status")
            .iter()
            .any(|status| same(status) && status["bootId"] == boot)
        {
            loaded.insert(format!(
                "{}.{}",
                entry["namespace"].as_str().unwrap(),
                entry["name"].as_str().unwrap()
            ));
        }
    }
    labels.retain(|key, _| {
        let module = key
            .strip_prefix("kmm.node.kubernetes.io/")
            .and_then(|rest| rest.strip_suffix(".ready"));
        module.is_none_or(|module| loaded.contains(module.strip_suffix(".version").unwrap_or(module)))
    });
    Value::Object(labels)
}

#[test]
fn recorded_nodes() {
    let samples: Vec<Value> = serde_json::from_str(include_str!("../data/upstream/nmc.json")).unwrap();
    let (mut same, mut labelled) = (0, 0);
    let mut excused: Vec<(usize, &str, Vec<String>)> = Vec::new();
    for (place, sample) in samples.iter().enumerate() {
        let mut store = store(&sample["in"]);
        let plan = store.node_modules("node-1", &installation()).unwrap();
        let mut ours = pods(&plan, &sample["in"]);
        let theirs: BTreeSet<String> = sample["out"]["pods"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|line| line.as_str().unwrap().to_owned())
            .collect();
        store.apply(&plan);
        if let Some(next) = store.node_modules("node-1", &installation()) {
            // Where a label has to go first, the unloader comes with the next look.
            let unloads = plan
                .reasons
                .iter()
                .any(|reason| reason.cause.code() == "Unloading");
            let next_pods = pods(&next, &sample["in"]).into_iter();
            ours.extend(next_pods.filter(|line| unloads && line.starts_with("create Unload")));
            store.apply(&next);
        }
        let labels = store.get(Kind::Node, "", "node-1")["metadata"]["labels"].clone();
        let status = store.get(Kind::NodeModulesConfig, "", "node-1")["status"]["modules"].clone();
        let mut differences = Vec::new();
        if ours != theirs {
            differences.push(format!("pods {ours:?} / {theirs:?}"));
        }
        let empty = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
        if empty(&status) != empty(&sample["out"]["nmcStatus"]) {
            differences.push(format!("status {status} / {}", sample["out"]["nmcStatus"]));
        }
        let facts: BTreeMap<String, String> = serde_json::from_value(sample["facts"].clone()).unwrap();
        if !differences.is_empty() {
            let excuse = excuse(&facts);
            assert!(
                excuse.is_some(),
                "sample {place}: {differences:#?}\n{facts:?}\n{:?}",
                plan.reasons
            );
            let planned: Vec<String> = ours.into_iter().chain(noted(&status)).collect();
            excused.push((place, excuse.unwrap(), planned));
            continue;
        }
        same += 1;
        let unloading = facts.values().any(|value| value == "unload");
        let tainted = facts
            .get("taint")
            .is_some_and(|taint| matches!(taint.as_str(), "NoSchedule" | "NoExecute"));
        if !unloading && !tainted && sample["out"]["error"].is_null() {
            let wanted = expected_labels(&sample["out"]["nodeLabels"], &mut store, &sample["in"]);
            let deprecated = |value: &Value| {
                let keys = value.as_object().unwrap().keys();
                let keys = keys.filter(|key| key.ends_with(".ready"));
                keys.cloned().collect::<BTreeSet<_>>()
            };
            assert_eq!(
                deprecated(&labels),
                deprecated(&wanted),
                "sample {place} {facts:?}"
            );
            labelled += 1;
        }
    }
    for ((place, row, planned), wanted) in excused.iter().zip(PLANNED) {
        let planned: Vec<&str> = planned.iter().map(String::as_str).collect();
        assert_eq!((*place, *row, planned.as_slice()), *wanted);
    }
    assert_eq!(excused.len(), PLANNED.len(), "{excused:#?}");
    assert_eq!((same, labelled), (83, 41));
}

/// What is planned where the Go operator did something else: the sample, the row of `docs/compat.md`, and the pods and
/// the status that come of it.
const PLANNED: &[(usize, &str, &[&str])] = &[
    (
        0,
        "status-replaced",
        &[
            "delete ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 null on boot-b",
        ],
    ),
    (
        7,
        "worker-name-taken",
        &[
            "delete ns/kmm-worker-node-1-mod0",
            "keep ns/kmm-worker-node-1-mod1",
            "note mod0 img.example/drv:v1 null on boot-b",
            "note mod1 img.example/drv:v1 null on boot-a",
        ],
    ),
    (
        11,
        "status-replaced",
        &[
            "delete ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 null on boot-b",
        ],
    ),
    (
        18,
        "killed-after-work",
        &[
            "create Unload ns/kmm-worker-node-1-mod0",
            "delete ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 [\"a=1\"] on -",
        ],
    ),
    (
        26,
        "killed-after-work",
        &[
            "delete ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 null on -",
        ],
    ),
    (27, "worker-name-taken", &["delete ns/kmm-worker-node-1-mod0"]),
    (
        33,
        "no-unload-after-reboot",
        &[
            "create Load ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 [\"a=1\"] on boot-a",
        ],
    ),
    (
        38,
        "boot-not-recorded",
        &[
            "create Unload ns2/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 null on boot-b",
            "note mod0 img.example/drv:v1 null on -",
        ],
    ),
    (47, "no-unload-after-reboot", &[]),
    (
        49,
        "boot-not-recorded",
        &[
            "keep ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 null on -",
        ],
    ),
    (
        50,
        "worker-name-taken",
        &[
            "delete ns/kmm-worker-node-1-mod0",
            "delete ns/kmm-worker-node-1-mod1",
            "note mod1 img.example/drv:v1 [\"a=1\"] on boot-b",
            "note stranger img.example/drv:v1 null on -",
        ],
    ),
    (
        62,
        "killed-after-work",
        &[
            "create Unload ns/kmm-worker-node-1-mod0",
            "delete ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 [\"a=1\"] on -",
        ],
    ),
    (
        76,
        "boot-not-recorded",
        &[
            "create Unload ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 [\"a=1\"] on -",
        ],
    ),
    (
        77,
        "no-unload-after-reboot",
        &["note mod0 img.example/drv:v0 null on boot-a"],
    ),
    (
        85,
        "worker-compared-by-meaning",
        &[
            "delete ns/kmm-worker-node-1-mod1",
            "keep ns/kmm-worker-node-1-mod0",
            "note mod0 img.example/drv:v1 null on boot-b",
        ],
    ),
    (
        95,
        "worker-name-taken",
        &[
            "delete ns/kmm-worker-node-1-mod1",
            "note mod0 img.example/drv:v1 null on -",
            "note mod1 img.example/drv:v1 [\"a=1\"] on boot-b",
        ],
    ),
    (99, "no-unload-after-reboot", &[]),
];
