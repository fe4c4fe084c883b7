//! The recorded story, told again here: the same Modules, nodes and steps, and every write compared with those of the Go
//! operator.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kmm_core::reconcile::Action;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Part;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kmm_core::sim::Cluster;
use kmm_core::sim::Limit;
use kmm_core::sim::Settled;
use serde_json::Value;
use serde_json::json;

use crate::settled::settled;
use crate::store::installation;

const WORKER_LABEL: &str = "beta.kmm.node.kubernetes.io/version-worker-pod.drivers.plain";
const SCHEDULE_LABEL: &str = "beta.kmm.node.kubernetes.io/version-schedule-pod.drivers.plain";

/// What writes say, one line for each field that is told apart.
#[derive(Default)]
struct Facts(BTreeSet<String>);

impl Facts {
    fn patch(&mut self, resource: &str, name: &str, patch: &Value) {
        match resource {
            "nodes" | "namespaces" => self.labels(resource, name, patch),
            "nodemodulesconfigs" => {
                self.labels(resource, name, patch);
                self.list(&format!("{resource} {name} wants"), &patch["spec"]["modules"]);
            }
            "nodemodulesconfigs/status" => {
                self.list(&format!("{resource} {name} has"), &patch["status"]["modules"]);
            }
            "moduleimagesconfigs" => self.list(&format!("{resource} {name} image"), &patch["spec"]["images"]),
            "moduleimagesconfigs/status" => {
                self.list(
                    &format!("{resource} {name} state"),
                    &patch["status"]["imagesStates"],
                );
            }
            "modules" => {
                let list = patch["metadata"]["finalizers"].as_array().cloned();
                self.add(format!(
                    "{resource} {name} finalizers {:?}",
                    list.unwrap_or_default()
                ));
            }
            other => panic!("{other}"),
        }
    }

    fn create(&mut self, object: &Value) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        match object["kind"].as_str().unwrap() {
            "NodeModulesConfig" => {
                self.patch("nodemodulesconfigs", name, object);
                let owner = &object["metadata"]["ownerReferences"][0];
                self.add(format!(
                    "NodeModulesConfig {name} of {} {}",
                    owner["kind"], owner["name"]
                ));
            }
            "ModuleImagesConfig" => {
                self.patch("moduleimagesconfigs", name, object);
                let mut spec = object["spec"].clone();
                spec.as_object_mut().unwrap().remove("images");
                self.add(format!("ModuleImagesConfig {name} {spec}"));
            }
            "Pod" => self.add(format!("Pod {}", pod(object.clone()))),
            // The one DaemonSet is compared in `settled`.
            "DaemonSet" => {}
            other => panic!("{other}"),
        }
    }

    fn labels(&mut self, resource: &str, name: &str, patch: &Value) {
        // The only label that was left goes, and the map with it.
        if patch["metadata"].get("labels").is_some_and(Value::is_null) {
            let last = names::in_use(&ModuleName {
                name: "plain".to_owned(),
                namespace: "drivers".to_owned(),
            });
            self.add(format!("{resource} {name} label {last}=null"));
        }
        for (key, value) in patch["metadata"]["labels"].as_object().into_iter().flatten() {
            self.add(format!("{resource} {name} label {key}={value}"));
        }
    }

    fn list(&mut self, what: &str, list: &Value) {
        for item in list.as_array().into_iter().flatten() {
            self.add(format!("{what} {item}"));
        }
    }

    /// Boots are named differently in the recording.
    fn add(&mut self, line: String) {
        let mut line = line;
        for node in 0..4 {
            for boot in 1..3 {
                line = line.replace(
                    &format!("n0000{node}-boot-{boot}"),
                    &format!("boot-{node}-{boot}"),
                );
            }
        }
        self.0.insert(line);
    }
}

/// A pod without what differs on purpose (compared in `upstream_pods`) and without what the API server fills in.
fn pod(mut pod: Value) -> Value {
    let annotations = &mut pod["metadata"]["annotations"];
    for key in [names::WORKER_HASH, names::WORKER_BOOT_ID, names::ATTEMPT] {
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.remove(key);
        }
    }
    for owner in pod["metadata"]["ownerReferences"].as_array_mut().unwrap() {
        owner["uid"].take();
    }
    if pod["metadata"]["labels"].get(names::PULL_POD_TYPE).is_some() {
        // Names of pull pods were random, and are not here.
        pod["metadata"]["name"].take();
    }
    let named = |value: &Value, names: &[&str]| names.iter().any(|name| value["name"] == *name);
    let ours = ["tmp", "kmm-bin", "firmware-class"];
    if let Some(volumes) = pod["spec"]["volumes"].as_array_mut() {
        volumes.retain(|volume| !named(volume, &ours));
    }
    let container = &mut pod["spec"]["containers"][0];
    if let Some(mounts) = container["volumeMounts"].as_array_mut() {
        mounts.retain(|mount| !named(mount, &["kmm-bin", "firmware-class"]));
    }
    if let Some(args) = container["args"].as_array_mut()
        && let Some(place) = args.iter().position(|arg| arg == "--firmware-class-file")
    {
        args.drain(place..place + 2);
    }
    strip(&mut pod);
    pod
}

fn strip(value: &mut Value) {
    const FILLED_IN: [&str; 19] = [
        "generateName",
        "status",
        "initContainers",
        "automountServiceAccountToken",
        "securityContext",
        "dnsPolicy",
        "enableServiceLinks",
        "schedulerName",
        "serviceAccount",
        "terminationGracePeriodSeconds",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "imagePullPolicy",
        "defaultMode",
        "apiVersion",
        "kind",
        "uid",
        "creationTimestamp",
        "resourceVersion",
    ];
    match value {
        Value::Object(map) => {
            map.retain(|key, value| !FILLED_IN.contains(&key.as_str()) && !value.is_null());
            map.values_mut().for_each(strip);
            map.retain(|_, value| *value != json!({}));
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn theirs() -> Facts {
    let mut facts = Facts::default();
    let rows: Vec<Value> = serde_json::from_str(include_str!("../data/reconcile/patches.json")).unwrap();
    for row in rows {
        let (resource, name, body) = (
            row["resource"].as_str().unwrap(),
            row["name"].as_str().unwrap(),
            &row["body"],
        );
        if resource == "events" {
            facts.add(event(
                body["reason"].as_str().unwrap(),
                name,
                body["message"].as_str().unwrap(),
            ));
            assert_eq!(body["type"], "Normal");
        } else {
            facts.patch(resource, name, body);
        }
    }
    let rows: Vec<Value> = serde_json::from_str(include_str!("../data/reconcile/writes.json")).unwrap();
    for row in rows {
        let resource = row["resource"].as_str().unwrap();
        match row["name"].as_str() {
            Some(name) => facts.patch(resource.trim_end_matches('/'), name, &row["body"]),
            None => facts.create(&row["body"]),
        }
    }
    facts
}

fn event(reason: &str, node: &str, message: &str) -> String {
    format!("event {reason} on {node}: {message}")
}

/// The story: what was done to the cluster while the recording ran. The labels of ordered upgrade, which nothing moves
/// here yet, are set by hand where the Go operator moved them.
fn ours() -> Facts {
    let mut cluster = Cluster::new(installation(), Timestamp(1_795_247_896));
    let recorded = settled();
    let objects = |kind| {
        let objects = recorded
            .objects
            .iter()
            .filter(move |(target, _)| target.kind == kind);
        objects.map(|(_, object)| object.clone())
    };
    for (place, mut node) in objects(Kind::Node).enumerate() {
        let labels = node["metadata"]["labels"].as_object_mut().unwrap();
        labels
            .retain(|key, _| !key.starts_with("kmm.node.kubernetes.io/drivers.") || key.starts_with("beta."));
        node["status"]["nodeInfo"]["bootID"] = json!(format!("boot-{place}-1"));
        cluster.apply(&node).unwrap();
    }
    for mut module in objects(Kind::Module) {
        let metadata = module["metadata"].as_object_mut().unwrap();
        metadata.remove("finalizers");
        module.as_object_mut().unwrap().remove("status");
        cluster.apply(&module).unwrap();
    }
    let node = |name: &str| ObjectRef::cluster(Kind::Node, name);
    let module = |name: &str| ObjectRef::namespaced(Kind::Module, "drivers", name);
    let settle = |cluster: &mut Cluster| assert_eq!(cluster.settle(Limit::default()), Settled::Yes);
    let version = |cluster: &mut Cluster, on: bool| {
        // In the order of the Go operator: what uses the module goes first and comes last.
        let labels = [WORKER_LABEL, SCHEDULE_LABEL];
        for label in if on {
            labels
        } else {
            [SCHEDULE_LABEL, WORKER_LABEL]
        } {
            cluster.label(&node("n00002"), label, on.then_some("2")).unwrap();
            settle(cluster);
        }
    };
    settle(&mut cluster);
    cluster.reboot("n00000", Some("6.1.0-31-cloud-amd64")).unwrap();
    settle(&mut cluster);
    for cordoned in [true, false] {
        cluster.cordon("n00001", cordoned).unwrap();
        settle(&mut cluster);
    }
    let mut changed = recorded.clone();
    let mappings = &mut changed.get(Kind::Module, "drivers", "acme-nic")["spec"]["moduleLoader"]["container"]
        ["kernelMappings"];
    for mapping in mappings.as_array_mut().unwrap() {
        let image = mapping["containerImage"].as_str().unwrap().replace(":$", ":v2-$");
        mapping["containerImage"] = json!(image);
    }
    cluster
        .apply(changed.get(Kind::Module, "drivers", "acme-nic"))
        .unwrap();
    settle(&mut cluster);
    cluster.label(&node("n00001"), "pool", Some("none")).unwrap();
    settle(&mut cluster);
    version(&mut cluster, false);
    version(&mut cluster, true);
    for name in ["acme-nic", "plain"] {
        cluster.delete(&module(name)).unwrap();
        settle(&mut cluster);
        assert!(cluster.store().find(&module(name)).is_none());
    }
    let mut facts = Facts::default();
    for moment in cluster.take_timeline() {
        if let kmm_core::sim::Deed::Told { event: told } = &moment.deed {
            if told.about.kind == Kind::Node {
                facts.add(event(&told.reason, &told.about.name, &told.message));
            }
            continue;
        }
        match moment.deed.action() {
            Some(Action::Create { object }) => facts.create(object),
            Some(Action::Patch {
                target, part, patch, ..
            }) => match (target.kind, part) {
                // Finalizers of pods, and counts: those depend on when they are looked at.
                (Kind::Pod | Kind::DaemonSet, _) | (Kind::Module, Part::Status) => {}
                (kind, Part::Object) => facts.patch(kind.plural(), &target.name, patch),
                (kind, Part::Status) => {
                    facts.patch(&format!("{}/status", kind.plural()), &target.name, patch);
                }
            },
            Some(Action::Delete { .. } | Action::Event(_) | Action::AskRegistry(_)) | None => {}
        }
    }
    facts
}

/// Why the Go operator wrote something that is not written here, or the other way round: each is a row of
/// `docs/compat.md`. `cargo xtask operator recorded` reads the same list for the states that the steps leave.
fn rows() -> Vec<(String, Vec<String>)> {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../data/reconcile/differences.json")).unwrap();
    let of_writes = rows.into_iter().filter(|row| row["in"] == "writes");
    let rows = of_writes.map(|row| {
        let has = serde_json::from_value(row["has"].clone()).unwrap();
        (row["row"].as_str().unwrap().to_owned(), has)
    });
    rows.collect()
}

#[test]
fn the_recorded_story() {
    let (theirs, ours) = (theirs(), ours());
    let known = rows();
    let mut rows: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in theirs.0.symmetric_difference(&ours.0) {
        let mut matching = known
            .iter()
            .filter(|(_, has)| has.iter().all(|text| line.contains(text)));
        let (row, _) = matching.next().unwrap_or_else(|| panic!("no row for {line}"));
        let (only_theirs, only_ours) = rows.entry(row.as_str()).or_default();
        if theirs.0.contains(line) {
            *only_theirs += 1;
        } else {
            *only_ours += 1;
        }
    }
    assert_eq!(theirs.0.intersection(&ours.0).count(), 150);
    let wanted = [
        ("kernel-change", (2, 0)),
        ("pull-pod-placement", (7, 7)),
        ("version-labels", (8, 0)),
    ];
    assert_eq!(rows, BTreeMap::from(wanted));
}
