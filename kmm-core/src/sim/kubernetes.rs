//! What Kubernetes does by itself: DaemonSets, the scheduler, the garbage collector.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::api::Toleration;
use crate::driver::Object;
use crate::reconcile::DaemonSet;
use crate::reconcile::Kind;
use crate::reconcile::Node;
use crate::reconcile::ObjectRef;
use crate::reconcile::Part;
use crate::reconcile::Pod;
use crate::reconcile::Precondition;

use super::Deed;
use super::Store;

/// Taints that the pods of every DaemonSet tolerate.
const DAEMON_TOLERATIONS: [&str; 6] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
];

/// Objects all of whose owners have gone, and pods whose node has.
pub(super) fn garbage(store: &Store) -> Vec<ObjectRef> {
    let garbage = store.objects().filter(|stored| {
        let metadata = &stored.value["metadata"];
        let terminating = metadata["deletionTimestamp"].is_string();
        if let Some(pod) = stored.seen.pod()
            && !pod.node_name().is_empty()
            && store
                .find(&ObjectRef::cluster(Kind::Node, pod.node_name()))
                .is_none()
        {
            return !terminating || metadata["deletionGracePeriodSeconds"] != 0;
        }
        let owners = metadata["ownerReferences"].as_array();
        let orphaned = owners.is_some_and(|owners| {
            !owners.is_empty()
                && !owners
                    .iter()
                    .any(|owner| lives(store, stored.seen.target(), owner))
        });
        orphaned && !terminating
    });
    garbage.map(|stored| stored.seen.target().clone()).collect()
}

fn lives(store: &Store, owned: &ObjectRef, owner: &Value) -> bool {
    let Some(kind) = Kind::ALL.into_iter().find(|kind| owner["kind"] == kind.name()) else {
        return true;
    };
    let namespace = if kind.is_namespaced() {
        owned.namespace.as_str()
    } else {
        ""
    };
    let name = owner["name"].as_str().unwrap_or_default();
    let found = store.find(&ObjectRef::namespaced(kind, namespace, name));
    found.is_some_and(|found| owner["uid"] == found.seen.uid())
}

/// Removes an object that nobody owns any more; whether anything is different now.
pub(super) fn collect(store: &mut Store, target: &ObjectRef, deeds: &mut Vec<Deed>) -> bool {
    let Some(stored) = store.find(target) else {
        return false;
    };
    let lost = stored.seen.pod().is_some_and(|pod| {
        !pod.node_name().is_empty()
            && store
                .find(&ObjectRef::cluster(Kind::Node, pod.node_name()))
                .is_none()
    });
    let done = if lost {
        store.end_grace(target).is_ok()
    } else {
        store.delete(target, &Precondition::default()).is_ok()
    };
    if done {
        let text = format!("garbage collector: {target}");
        deeds.push(Deed::Kubernetes { text });
    }
    done
}

fn tolerations(spec: Option<&Value>) -> Vec<Toleration> {
    spec.and_then(|list| Vec::deserialize(list).ok())
        .unwrap_or_default()
}

fn selects(selector: Option<&Value>, node: &Node) -> bool {
    let selector = selector.and_then(Value::as_object).into_iter().flatten();
    let mut labels =
        selector.map(|(key, value)| node.facts.labels.get(key).map(String::as_str) == value.as_str());
    labels.all(|same| same)
}

/// Whether the DaemonSet is to have a pod on a node.
fn wants(set: &DaemonSet, node: &Node) -> bool {
    let spec = &set.spec["template"]["spec"];
    let mut tolerated = tolerations(spec.get("tolerations"));
    tolerated.extend(DAEMON_TOLERATIONS.map(|key| Toleration {
        key: key.to_owned(),
        operator: "Exists".to_owned(),
        ..Toleration::default()
    }));
    selects(spec.get("nodeSelector"), node) && node.facts.is_schedulable(&tolerated)
}

/// One thing that the DaemonSet controller does for a set; whether there was one.
pub(super) fn daemon_set(store: &mut Store, target: &ObjectRef, deeds: &mut Vec<Deed>) -> bool {
    let Some(stored) = store.find(target).cloned() else {
        return false;
    };
    let Object::DaemonSet(set) = stored.seen.object() else {
        return false;
    };
    let uid = stored.seen.uid();
    let mut pods: BTreeMap<String, ObjectRef> = BTreeMap::new();
    let mut wrong = None;
    let mut available = 0;
    let generation = format!(
        "{:016x}",
        crate::reconcile::names::fnv(&set.spec["template"].to_string())
    );
    for pod in store.all(Kind::Pod).filter_map(|stored| stored.seen.pod()) {
        if !pod.metadata.owner_references.iter().any(|owner| owner.uid == uid) {
            continue;
        }
        let node = store.find(&ObjectRef::cluster(Kind::Node, pod.node_name()));
        let wanted = node
            .and_then(|node| node.seen.node())
            .is_some_and(|node| wants(set, node));
        let outdated = pod.annotation(GENERATION) != Some(generation.as_str()) || pod.status.phase.is_over();
        if (!wanted || outdated) && !pod.is_terminating() {
            wrong = Some(pod.reference());
        }
        available += i32::from(wanted && pod.is_ready() && !pod.is_terminating());
        pods.insert(pod.node_name().to_owned(), pod.reference());
    }
    if let Some(wrong) = wrong {
        let text = format!("daemon set: delete {wrong}");
        deeds.push(Deed::Kubernetes { text });
        return store.delete(&wrong, &Precondition::default()).is_ok();
    }
    let nodes = store.all(Kind::Node).filter_map(|stored| stored.seen.node());
    let wanted: Vec<String> = nodes
        .filter(|node| wants(set, node))
        .map(|node| node.name().to_owned())
        .collect();
    if let Some(node) = wanted.iter().find(|node| !pods.contains_key(*node)) {
        let object = daemon_pod(&stored.value, node, &generation);
        let text = format!("daemon set: create a pod of {} on {node}", set.metadata.name);
        deeds.push(Deed::Kubernetes { text });
        return store.create(&object).is_ok();
    }
    let desired = i32::try_from(wanted.len()).unwrap_or(i32::MAX);
    if set.status.desired_number_scheduled == desired && set.status.number_available == available {
        return false;
    }
    let patch = json!({"status": {"desiredNumberScheduled": desired, "numberAvailable": available}});
    store
        .patch(target, Part::Status, &Precondition::default(), &patch)
        .is_ok()
}

/// Annotation that says from which template a pod was made.
const GENERATION: &str = "template-hash";

fn daemon_pod(set: &Value, node: &str, generation: &str) -> Value {
    let template = &set["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"],
        "spec": template["spec"],
    });
    let metadata = &set["metadata"];
    pod["metadata"]["name"] = json!(format!(
        "{}-{node}",
        metadata["name"].as_str().unwrap_or_default()
    ));
    pod["metadata"]["namespace"] = metadata["namespace"].clone();
    pod["metadata"]["annotations"] = json!({GENERATION: generation});
    pod["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": metadata["name"], "uid": metadata["uid"], "controller": true,
    }]);
    pod["spec"]["nodeName"] = json!(node);
    pod
}

/// Pods that have no node yet.
pub(super) fn unscheduled(store: &Store) -> Vec<ObjectRef> {
    let pods = store.all(Kind::Pod).filter_map(|stored| stored.seen.pod());
    let without =
        pods.filter(|pod| pod.node_name().is_empty() && !pod.is_terminating() && !pod.status.phase.is_over());
    without.map(Pod::reference).collect()
}

/// Gives a pod a node, or says that there is none; whether anything is different now.
pub(super) fn schedule(store: &mut Store, target: &ObjectRef, choice: usize, deeds: &mut Vec<Deed>) -> bool {
    let Some(stored) = store.find(target).cloned() else {
        return false;
    };
    let Some(pod) = stored.seen.pod() else {
        return false;
    };
    let tolerated = tolerations(pod.spec.get("tolerations"));
    let nodes = store.all(Kind::Node).filter_map(|stored| stored.seen.node());
    let fitting = nodes.filter(|node| {
        selects(pod.spec.get("nodeSelector"), node)
            && node.facts.is_schedulable(&tolerated)
            && !node.facts.unschedulable
            && node.facts.ready != Some(false)
    });
    let fitting: Vec<&str> = fitting.map(Node::name).collect();
    let Some(node) = fitting.get(choice.checked_rem(fitting.len()).unwrap_or(0)) else {
        let condition = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "no node fits the pod"}]);
        if stored.value["status"]["conditions"] == condition {
            return false;
        }
        let patch = json!({"status": {"conditions": condition}});
        return store
            .patch(target, Part::Status, &Precondition::default(), &patch)
            .is_ok();
    };
    let text = format!("scheduler: {target} to {node}");
    let patch = json!({"spec": {"nodeName": node}});
    deeds.push(Deed::Kubernetes { text });
    store
        .patch(target, Part::Object, &Precondition::default(), &patch)
        .is_ok()
}
