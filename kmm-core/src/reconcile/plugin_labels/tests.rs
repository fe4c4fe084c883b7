//! One table: situation, plan, reasons.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::reconcile::testing::assert_lines;
use crate::reconcile::testing::read;

const READY: &str = "kmm.node.kubernetes.io/drivers.nic.device-plugin-ready";
const DRA_READY: &str = "kmm.node.kubernetes.io/drivers.nic.dra-ready";

/// Situation, labels of the node, pods, plan.
type Row<'a> = (&'a str, &'a [&'a str], Vec<Value>, Vec<&'a str>);

fn pod(namespace: &str, role: &str, ready: bool) -> Value {
    json!({
        "metadata": {
            "name": "p", "namespace": namespace, "uid": "p", "resourceVersion": "1",
            "labels": {names::MODULE_NAME: "nic", names::ROLE: role},
            "finalizers": [names::NODE_LABELER_FINALIZER],
        },
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    })
}

fn going(mut pod: Value) -> Value {
    pod["metadata"]["deletionTimestamp"] = json!("2026-11-21T08:00:00Z");
    pod
}

fn set(changes: &[(&str, Option<&str>)]) -> String {
    let labels: BTreeMap<&str, Option<&str>> = changes.iter().copied().collect();
    format!("patch Node n1 {}", json!({"metadata": {"labels": labels}}))
}

#[test]
fn situations() {
    let plugin = |ready| pod("drivers", names::DEVICE_PLUGIN, ready);
    let driver = |ready| pod("drivers", names::DRA, ready);
    let no_role = |mut pod: Value| {
        pod["metadata"]["labels"]
            .as_object_mut()
            .unwrap()
            .remove(names::ROLE);
        pod
    };
    let nameless = |mut pod: Value| {
        pod["metadata"]["labels"][names::MODULE_NAME] = json!("");
        pod
    };
    let kept = |mut pod: Value| {
        pod["metadata"]["finalizers"] = json!([names::NODE_LABELER_FINALIZER, "example.com/other"]);
        pod
    };
    let released = |mut pod: Value| {
        pod["metadata"]["finalizers"] = json!(["example.com/other"]);
        pod
    };
    let let_go = r#"patch Pod p {"metadata":{"finalizers":null}}"#.to_owned();
    let others = [
        "kmm.node.kubernetes.io/drivers.nic.ready",
        "kmm.node.kubernetes.io/drivers.nic.version.ready",
        "kmm.node.kubernetes.io/drivers.nic.device-plugin-target",
        "kmm.node.kubernetes.io/nic.ready",
        "example.com/drivers.nic.device-plugin-ready",
    ];
    let (current, writing) = ("because PluginLabelsCurrent", "because PluginLabelsWriting");
    let rows: Vec<Row<'_>> = vec![
        ("nothing", &[], vec![], vec![current]),
        ("the node has labels of others", &others, vec![], vec![current]),
        ("ready, and said so", &[READY], vec![plugin(true)], vec![current]),
        (
            "not ready, and not said so",
            &[],
            vec![plugin(false)],
            vec![current],
        ),
        (
            "a pod of no Module",
            &[],
            vec![nameless(plugin(true))],
            vec![current],
        ),
    ];
    for (situation, labels, pods, wanted) in rows {
        assert_lines(situation, &plan_of(Some(labels), pods), &wanted);
    }
    let add = set(&[(READY, Some(""))]);
    let gone = set(&[(READY, None)]);
    let rows: Vec<Row<'_>> = vec![
        ("ready", &[], vec![plugin(true)], vec![&add, writing]),
        (
            "ready, of an old release",
            &[],
            vec![no_role(plugin(true))],
            vec![&add, writing],
        ),
        (
            "no longer ready",
            &[READY],
            vec![plugin(false)],
            vec![&gone, writing],
        ),
        ("no longer there", &[READY], vec![], vec![&gone, writing]),
        (
            "one of two is ready",
            &[READY],
            vec![plugin(false), plugin(true)],
            vec![current],
        ),
        (
            "going",
            &[READY],
            vec![going(plugin(true))],
            vec![&gone, &let_go, writing],
        ),
        (
            "going, and another one is ready",
            &[READY],
            vec![going(plugin(true)), plugin(true)],
            vec![&let_go, current],
        ),
        (
            "going, and somebody else holds it too",
            &[],
            vec![going(kept(plugin(true)))],
            vec![
                r#"patch Pod p {"metadata":{"finalizers":["example.com/other"]}}"#,
                current,
            ],
        ),
        (
            "going, and let go",
            &[],
            vec![going(released(plugin(true)))],
            vec![current],
        ),
        // Row 6.20: that of another namespace says nothing of this Module.
        (
            "the Module of the same name in another namespace is ready",
            &[READY, "kmm.node.kubernetes.io/other.nic.device-plugin-ready"],
            vec![plugin(false), pod("other", names::DEVICE_PLUGIN, true)],
            vec![&gone, writing],
        ),
    ];
    for (situation, labels, pods, wanted) in rows {
        assert_lines(situation, &plan_of(Some(labels), pods), &wanted);
    }
    let both = set(&[(READY, None), (DRA_READY, Some(""))]);
    assert_lines(
        "a driver took the place of a plugin",
        &plan_of(Some(&[READY]), vec![driver(true), plugin(false)]),
        &[&both, writing],
    );
    assert_lines(
        "the node is gone",
        &plan_of(None, vec![plugin(true)]),
        &["because NodeGoing"],
    );
    assert_eq!(
        plan_of(None, vec![]),
        Plan::default(),
        "the node is gone, and all pods"
    );
    assert_lines(
        "the node is gone, its pods are going",
        &plan_of(None, vec![going(plugin(true))]),
        &[&let_go, "because NodeGoing"],
    );
}

fn plan_of(labels: Option<&[&str]>, pods: Vec<Value>) -> Plan {
    let node = labels.map(|labels| {
        let labels: BTreeMap<&str, &str> = labels.iter().map(|&key| (key, "")).collect();
        read::<Node>(json!({"metadata": {"name": "n1", "labels": labels}}))
    });
    let pods: Vec<Pod> = pods.into_iter().map(read).collect();
    plan(&View {
        node: node.as_ref(),
        pods: &pods,
    })
}
