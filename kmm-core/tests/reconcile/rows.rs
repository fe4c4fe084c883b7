//! Where the decisions are better than the Go operator's: one test for each row of `docs/compat.md`.

use kmm_core::reconcile::Action;
use kmm_core::reconcile::Cause;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::Node;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::Reason;
use kmm_core::reconcile::names;
use serde_json::Value;
use serde_json::json;

use crate::settled::settled;
use crate::store::Store;
use crate::store::installation;

const NODE: &str = "n00000";

fn plan(store: &Store) -> Plan {
    store.node_modules(NODE, &installation()).unwrap()
}

fn created(plan: &Plan) -> Vec<String> {
    let created = plan.actions.iter().filter_map(|action| match action {
        Action::Create { object } => Some(&object["metadata"]),
        Action::Patch { .. } | Action::Delete { .. } | Action::Event(_) | Action::AskRegistry(_) => None,
    });
    created
        .map(|metadata| {
            let labels = &metadata["labels"];
            format!(
                "{} {}",
                labels[names::WORKER_ACTION].as_str().unwrap(),
                labels[names::MODULE_NAME].as_str().unwrap()
            )
        })
        .collect()
}

fn deleted(plan: &Plan) -> Vec<String> {
    let deleted = plan.actions.iter().filter_map(|action| match action {
        Action::Delete { target, .. } => Some(target.name.clone()),
        Action::Create { .. } | Action::Patch { .. } | Action::Event(_) | Action::AskRegistry(_) => None,
    });
    deleted.collect()
}

fn causes<'p>(plan: &'p Plan, module: &str) -> Vec<&'p str> {
    let about = |reason: &&Reason| reason.module.as_ref().is_some_and(|name| name.name == module);
    plan.reasons
        .iter()
        .filter(about)
        .map(|reason| reason.cause.code())
        .collect()
}

fn config(store: &mut Store) -> &mut Value {
    store.get(Kind::NodeModulesConfig, "", NODE)
}

fn entry<'s>(store: &'s mut Store, part: &str, module: &str) -> &'s mut Value {
    let list = config(store)[part]["modules"].as_array_mut().unwrap();
    list.iter_mut().find(|entry| entry["name"] == module).unwrap()
}

fn unload_status(store: &mut Store, module: &str) {
    let list = config(store)["status"]["modules"].as_array_mut().unwrap();
    list.retain(|entry| entry["name"] != module);
}

fn has_label(store: &mut Store, key: &str) -> bool {
    store.get(Kind::Node, "", NODE)["metadata"]["labels"]
        .get(key)
        .is_some()
}

fn worker(store: &mut Store, module: &str) -> Value {
    let name = names::worker_pod(NODE, module);
    store.get(Kind::Pod, "drivers", &name).clone()
}

fn set_worker(store: &mut Store, module: &str, status: Value) {
    let mut pod = worker(store, module);
    pod["status"] = status;
    store.put(pod);
}

fn reboot(store: &mut Store, kernel: &str) {
    let node = store.get(Kind::Node, "", NODE);
    node["status"]["nodeInfo"]["bootID"] = json!("another");
    node["status"]["nodeInfo"]["kernelVersion"] = json!(kernel);
}

fn no_plugins(store: &mut Store) {
    store.objects.retain(|target, _| target.kind != Kind::Pod);
}

const PLAIN_READY: &str = "kmm.node.kubernetes.io/drivers.plain.ready";

/// Row 6.8: another kernel is a change of the node, also without a change of its labels.
#[test]
fn a_new_kernel_wakes_the_plan_of_its_node() {
    let mut store = settled();
    let before: Node = store.all(Kind::Node).remove(0);
    let mut beat = store.get(Kind::Node, "", NODE).clone();
    beat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2027-01-01T00:00:00Z");
    assert_eq!(serde_json::from_value::<Node>(beat).unwrap(), before);
    reboot(&mut store, "6.12.9-amd64");
    let after: Node = store.all(Kind::Node).remove(0);
    assert_ne!(before, after);
}

/// Row 6.8: the loader of the old kernel is not run on the new one.
#[test]
fn the_old_kernels_loader_is_not_run_on_the_new_kernel() {
    let mut store = settled();
    reboot(&mut store, "6.1.0-31-cloud-amd64");
    let first = plan(&store);
    assert_eq!(created(&first), Vec::<String>::new());
    assert_eq!(causes(&first, "plain"), ["KernelChanged"]);
    store.apply(&first);
    assert!(!has_label(&mut store, PLAIN_READY));
    store.round(&installation(), true);
    let entry = entry(&mut store, "spec", "plain")["config"]["kernelVersion"].clone();
    assert_eq!(entry, "6.1.0-31-cloud-amd64");
    let workers = store.workers(NODE);
    assert_eq!(workers.len(), 2);
    for pod in workers {
        assert!(
            pod.annotation(names::WORKER_CONFIG)
                .unwrap()
                .contains("6.1.0-31-cloud-amd64")
        );
    }
}

/// Row 6.9: `.ready` goes before the module is unloaded, and comes back when the new one is loaded.
#[test]
fn ready_goes_away_while_a_module_is_swapped() {
    let mut store = settled();
    no_plugins(&mut store);
    entry(&mut store, "spec", "plain")["config"]["containerImage"] = json!("registry.example.com/plain:3");
    let first = plan(&store);
    assert_eq!(created(&first), Vec::<String>::new());
    store.apply(&first);
    assert!(!has_label(&mut store, PLAIN_READY));
    // Pods that came while the label was there are seen now.
    let next = plan(&store);
    assert_eq!(created(&next), ["Unload plain"]);
    store.apply(&next);
    assert!(plan(&store).is_empty());
    set_worker(&mut store, "plain", json!({"phase": "Succeeded"}));
    let second = plan(&store);
    assert_eq!(created(&second), ["Load plain"]);
    store.apply(&second);
    set_worker(&mut store, "plain", json!({"phase": "Succeeded"}));
    let third = plan(&store);
    store.apply(&third);
    assert!(has_label(&mut store, PLAIN_READY));
    assert!(plan(&store).is_empty());
}

/// Row 6.9: the plugin that uses a module leaves before it is unloaded.
#[test]
fn a_module_is_unloaded_when_its_plugin_has_left() {
    let mut store = settled();
    entry(&mut store, "spec", "acme-nic")["config"]["containerImage"] = json!("registry.example.com/acme:x");
    let first = plan(&store);
    assert_eq!(
        (created(&first), causes(&first, "acme-nic")),
        (Vec::new(), vec!["WaitingForUsers"])
    );
    store.apply(&first);
    assert_eq!(causes(&plan(&store), "acme-nic"), ["WaitingForUsers"]);
    no_plugins(&mut store);
    assert_eq!(created(&plan(&store)), ["Unload acme-nic"]);
}

/// Row 6.6: a loader that never started is replaced when something else is wanted.
#[test]
fn a_loader_stuck_before_its_start_is_replaced() {
    let mut store = settled();
    unload_status(&mut store, "plain");
    let first = plan(&store);
    assert_eq!(created(&first), ["Load plain"]);
    store.apply(&first);
    let waiting = json!({"reason": "ImagePullBackOff", "message": "no such image"});
    let stuck =
        json!({"phase": "Pending", "containerStatuses": [{"name": "worker", "state": {"waiting": waiting}}]});
    set_worker(&mut store, "plain", stuck);
    let second = plan(&store);
    assert!(second.is_empty());
    assert_eq!(causes(&second, "plain"), ["WorkerWaiting"]);
    entry(&mut store, "spec", "plain")["config"]["containerImage"] = json!("registry.example.com/plain:3");
    let third = plan(&store);
    assert_eq!(deleted(&third), ["kmm-worker-n00000-plain"]);
    store.apply(&third);
    // Its end is waited for: it may still succeed.
    let fourth = plan(&store);
    assert!(fourth.is_empty());
    assert_eq!(causes(&fourth, "plain"), ["WorkerGoing"]);
    set_worker(&mut store, "plain", json!({"phase": "Failed"}));
    let fifth = plan(&store);
    assert_eq!(created(&fifth), ["Load plain"]);
    store.apply(&fifth);
    assert!(plan(&store).is_empty());
}

/// A loader that succeeds although it was deleted is not forgotten: what it loaded is unloaded first.
#[test]
fn a_deleted_loader_that_succeeds_all_the_same_counts() {
    let mut store = settled();
    unload_status(&mut store, "plain");
    store.apply(&plan(&store));
    entry(&mut store, "spec", "plain")["config"]["containerImage"] = json!("registry.example.com/plain:3");
    store.apply(&plan(&store));
    set_worker(&mut store, "plain", json!({"phase": "Succeeded"}));
    assert_eq!(created(&plan(&store)), ["Unload plain"]);
}

/// Row 6.15: a module that the node does not take changes nothing for the others.
#[test]
fn one_module_never_blocks_the_others() {
    let mut store = settled();
    let taint = json!([{"key": "acme.example.com/maintenance", "effect": "NoExecute"}]);
    store.get(Kind::Node, "", NODE)["spec"]["taints"] = taint;
    unload_status(&mut store, "acme-nic");
    let both = plan(&store);
    assert_eq!(causes(&both, "plain"), ["NodeUnschedulable"]);
    assert_eq!(created(&both), ["Load acme-nic"]);
    // One that cannot be made does not stop the other either.
    let mut store = settled();
    for module in ["plain", "acme-nic"] {
        unload_status(&mut store, module);
    }
    let mut poor = installation();
    poor.config.worker.firmware_host_path = None;
    let plan = store.node_modules(NODE, &poor).unwrap();
    assert_eq!(created(&plan), ["Load plain"]);
    assert_eq!(causes(&plan, "acme-nic"), ["WorkerImpossible"]);
}

/// Row 6.16: a module with a worker pod counts as in use.
#[test]
fn a_worker_pod_keeps_its_module_in_use() {
    let mut store = settled();
    unload_status(&mut store, "plain");
    store.apply(&plan(&store));
    let list = config(&mut store)["spec"]["modules"].as_array_mut().unwrap();
    list.retain(|entry| entry["name"] != "plain");
    let first = plan(&store);
    store.apply(&first);
    let label = "beta.kmm.node.kubernetes.io/drivers.plain.module-in-use";
    assert!(config(&mut store)["metadata"]["labels"].get(label).is_some());
    set_worker(&mut store, "plain", json!({"phase": "Failed"}));
    for _ in 0..2 {
        store.apply(&plan(&store));
    }
    assert!(config(&mut store)["metadata"]["labels"].get(label).is_none());
}

/// Row 6.59: a pod that the kubelet refuses is not made again at once, and that is said.
#[test]
fn a_refused_worker_is_made_again_after_a_while() {
    let mut store = settled();
    unload_status(&mut store, "plain");
    store.apply(&plan(&store));
    let refuse = |store: &mut Store| {
        let mut pod = worker(store, "plain");
        pod["metadata"]["creationTimestamp"] = json!("2026-11-21T08:00:00Z");
        pod["status"] =
            json!({"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough"});
        store.put(pod);
    };
    refuse(&mut store);
    let created_at = 1_795_248_000;
    for (attempt, wait) in [(1, 10), (2, 20), (3, 40)] {
        store.now = created_at + 1;
        let early = plan(&store);
        assert!(early.is_empty());
        assert_eq!(early.requeue_after.map(|wait| wait.as_secs()), Some(wait - 1));
        let told = early.reasons.iter().any(|reason| {
            matches!(&reason.cause, Cause::WorkerFailed { attempt: told, message, .. }
                if *told == attempt && message.contains("OutOfcpu"))
        });
        assert!(told);
        store.now = created_at + i64::try_from(wait).unwrap();
        let due = plan(&store);
        assert_eq!(created(&due), ["Load plain"]);
        store.apply(&due);
        refuse(&mut store);
    }
}

/// Row 6.32: what a loader loaded replaces what was there, field by field.
#[test]
fn a_loader_leaves_nothing_of_the_old_status() {
    let mut store = settled();
    no_plugins(&mut store);
    unload_status(&mut store, "plain");
    store.apply(&plan(&store));
    let mut stale = entry(&mut store, "spec", "plain").clone();
    stale["config"]["modprobe"]["parameters"] = json!(["old=1"]);
    config(&mut store)["status"]["modules"]
        .as_array_mut()
        .unwrap()
        .push(stale);
    set_worker(&mut store, "plain", json!({"phase": "Succeeded"}));
    store.apply(&plan(&store));
    let found = entry(&mut store, "status", "plain")["config"].clone();
    assert_eq!(found, entry(&mut store, "spec", "plain")["config"]);
    assert!(plan(&store).is_empty());
}

/// The boot that counts is that for which the loader was made.
#[test]
fn a_success_of_the_last_boot_is_not_taken_for_this_one() {
    let mut store = settled();
    unload_status(&mut store, "plain");
    store.apply(&plan(&store));
    set_worker(&mut store, "plain", json!({"phase": "Succeeded"}));
    reboot(&mut store, "6.1.0-30-amd64");
    let next = plan(&store);
    assert!(created(&next).contains(&"Load plain".to_owned()));
    store.apply(&next);
    assert!(!has_label(&mut store, PLAIN_READY));
}

/// Rows 6.13 and 6.14, and Modules that are gone: entries go, and no empty NodeModulesConfig is made.
#[test]
fn what_a_module_no_longer_wants_is_withdrawn() {
    let mut store = settled();
    let spec = &mut store.get(Kind::Module, "drivers", "acme-nic")["spec"];
    spec.as_object_mut().unwrap().remove("moduleLoader");
    store
        .objects
        .retain(|target, _| target.kind != Kind::Module || target.name != "plain");
    store.round(&installation(), true);
    let list = config(&mut store)["spec"]["modules"].clone();
    assert_eq!(list, json!([]));
    // A versioned Module without version labels.
    let mut store = settled();
    store
        .objects
        .retain(|target, _| target.kind != Kind::NodeModulesConfig);
    for node in ["n00000", "n00001", "n00002", "n00003"] {
        let labels = &mut store.get(Kind::Node, "", node)["metadata"]["labels"];
        labels
            .as_object_mut()
            .unwrap()
            .retain(|key, _| !key.contains("version") && key != "pool");
    }
    let plans = store.round(&installation(), false);
    let made = plans.iter().flat_map(|plan| &plan.actions);
    assert!(
        !made.into_iter().any(
            |action| matches!(action, Action::Create { object } if object["kind"] == "NodeModulesConfig")
        )
    );
}

/// Row 6.10: the order of nodes and of the images that are listed does not matter.
#[test]
fn the_order_of_images_is_stable() {
    let mut store = settled();
    let images = &mut store.get(Kind::ModuleImagesConfig, "drivers", "plain")["spec"]["images"];
    images.as_array_mut().unwrap().reverse();
    assert!(store.round(&installation(), false).iter().all(Plan::is_empty));
}

/// Nodes that are left out are named.
#[test]
fn nodes_that_are_left_out_are_named() {
    let mut store = settled();
    let plans = store.round(&installation(), false);
    let text: Vec<String> = plans
        .iter()
        .flat_map(|plan| &plan.reasons)
        .map(ToString::to_string)
        .collect();
    let told = |part: &str| text.iter().any(|line| line.contains(part));
    assert!(
        told("drivers/acme-nic on n00003: no kernel mapping takes `6.12.9-amd64`")
            || told("drivers/acme-nic on n00002: no kernel mapping takes `6.12.9-amd64`"),
        "{text:#?}"
    );
    assert!(
        told("drivers/acme-nic: 1 node left out, because no mapping takes the kernel: n0000"),
        "{text:#?}"
    );
}

/// Row 6.28: the namespace is protected until the module has gone from the nodes.
#[test]
fn a_namespace_is_protected_until_its_last_module_is_unloaded() {
    let mut store = settled();
    store
        .objects
        .retain(|target, _| target.kind != Kind::Module || target.name != "acme-nic");
    let module = store.get(Kind::Module, "drivers", "plain");
    module["metadata"]["deletionTimestamp"] = json!("2026-11-21T09:00:00Z");
    store.round(&installation(), true);
    let label = |store: &mut Store| {
        store.get(Kind::Namespace, "", "drivers")["metadata"]["labels"]
            .get(names::CONTAINS_MODULES)
            .is_some()
    };
    assert!(label(&mut store) && store.has(Kind::Module, "drivers", "plain"));
    for _ in 0..12 {
        for pod in store.pods(|pod| pod.label(names::WORKER_ACTION).is_some()) {
            let name = pod.metadata.name.clone();
            store.get(Kind::Pod, "drivers", &name)["status"] = json!({"phase": "Succeeded"});
        }
        store.objects.retain(|target, object| {
            target.kind != Kind::Pod || object["metadata"]["labels"][names::ROLE].is_null()
        });
        store.round(&installation(), true);
    }
    assert!(!label(&mut store) && !store.has(Kind::Module, "drivers", "plain"));
}

/// Rows 6.18 and 6.39: the label that a device plugin is bound to goes with the Module and with the selector.
#[test]
fn plugin_targets_follow_the_nodes() {
    const TARGET: &str = "kmm.node.kubernetes.io/drivers.acme-nic.device-plugin-target";
    let after = |change: fn(&mut Store)| {
        let mut store = settled();
        assert!(has_label(&mut store, TARGET));
        change(&mut store);
        store.round(&installation(), true);
        has_label(&mut store, TARGET)
    };
    assert!(!after(|store| {
        store.get(Kind::Node, "", NODE)["metadata"]["labels"]["pool"] = json!("none");
    }));
    assert!(!after(|store| {
        let gone = |name: &str| name == "acme-nic";
        store
            .objects
            .retain(|target, _| target.kind != Kind::Module || !gone(&target.name));
    }));
    assert!(!after(|store| {
        let spec = &mut store.get(Kind::Module, "drivers", "acme-nic")["spec"];
        spec.as_object_mut().unwrap().remove("devicePlugin");
    }));
    assert!(!after(|store| {
        let taint = json!([{"key": "example.com/broken", "effect": "NoSchedule"}]);
        store.get(Kind::Node, "", NODE)["spec"]["taints"] = taint;
    }));
    assert!(after(|store| {
        let taint = json!([{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]);
        store.get(Kind::Node, "", NODE)["spec"]["taints"] = taint;
    }));
}

/// Row 6.54: each Module has one reason on each node, whatever the others have.
#[test]
fn every_module_has_one_reason_on_every_node() {
    let mut store = settled();
    // One cannot be resolved, one is for other nodes only.
    let container = &mut store.get(Kind::Module, "drivers", "acme-nic")["spec"]["moduleLoader"]["container"];
    container["kernelMappings"][0] = json!({"regexp": "(", "containerImage": "registry.example.com/acme:1"});
    store.get(Kind::Node, "", "n00001")["metadata"]["labels"]["pool"] = json!("none");
    let plans = store.round(&installation(), false);
    for (place, plan) in plans.iter().take(4).enumerate() {
        let node = format!("n0000{place}");
        let about: Vec<(&str, &str)> = plan
            .reasons
            .iter()
            .map(|reason| {
                (
                    reason.module.as_ref().unwrap().name.as_str(),
                    reason.node.as_str(),
                )
            })
            .collect();
        assert_eq!(about, [("acme-nic", node.as_str()), ("plain", node.as_str())]);
        assert_eq!(
            causes(plan, "acme-nic"),
            [if place == 1 { "Withdrawing" } else { "Unresolved" }]
        );
        assert_eq!(
            causes(plan, "plain"),
            [if place == 1 { "Withdrawing" } else { "Assigned" }]
        );
    }
}
