//! Planning twice is planning once, and plans that are carried out leave nothing to plan.

use kmm_core::reconcile::Kind;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::names;
use proptest::prelude::*;
use serde_json::json;

use crate::settled::settled;
use crate::store::Store;
use crate::store::installation;

const NODES: [&str; 4] = ["n00000", "n00001", "n00002", "n00003"];

/// Every worker and pull pod ends well, and the pods of DaemonSets that lost their node leave.
fn play_the_kubelet(store: &mut Store) {
    for pod in store.pods(|_| true) {
        let target = pod.reference();
        if pod.label(names::WORKER_ACTION).is_some() || pod.label(names::IMAGE_OWNER).is_some() {
            if let Some(object) = store.objects.get_mut(&target) {
                object["status"] = json!({"phase": "Succeeded"});
            }
        } else {
            let node = &store.get(Kind::Node, "", pod.node_name())["metadata"]["labels"];
            let selector = pod.spec["nodeSelector"].as_object().unwrap();
            if selector.keys().any(|key| node.get(key).is_none()) {
                store.objects.remove(&target);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Reboot(usize, usize),
    Image(usize),
    Label(usize, bool),
    Taint(usize, bool),
    Delete(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..4_usize, 0..3_usize).prop_map(|(node, kernel)| Edit::Reboot(node, kernel)),
        (0..9_usize).prop_map(Edit::Image),
        (0..4_usize, any::<bool>()).prop_map(|(node, flag)| Edit::Label(node, flag)),
        (0..4_usize, any::<bool>()).prop_map(|(node, flag)| Edit::Taint(node, flag)),
        (0..2_usize).prop_map(Edit::Delete),
    ]
}

fn make(store: &mut Store, edit: &Edit) {
    match *edit {
        Edit::Reboot(node, kernel) => {
            let kernel = ["6.1.0-30-amd64", "6.1.0-31-cloud-amd64", "6.12.9-amd64"][kernel];
            let info = &mut store.get(Kind::Node, "", NODES[node])["status"]["nodeInfo"];
            let boot = format!("{}x", info["bootID"].as_str().unwrap());
            info["bootID"] = json!(boot);
            info["kernelVersion"] = json!(kernel);
        }
        Edit::Image(version) if store.has(Kind::Module, "drivers", "acme-nic") => {
            let container =
                &mut store.get(Kind::Module, "drivers", "acme-nic")["spec"]["moduleLoader"]["container"];
            container["kernelMappings"][0]["containerImage"] =
                json!(format!("registry.example.com/acme:{version}"));
        }
        Edit::Image(_) => {}
        Edit::Label(node, on) => {
            let labels = &mut store.get(Kind::Node, "", NODES[node])["metadata"]["labels"];
            labels["pool"] = json!(if on { "acme" } else { "other" });
        }
        Edit::Taint(node, on) => {
            let taint = json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]);
            store.get(Kind::Node, "", NODES[node])["spec"]["taints"] = if on { taint } else { json!([]) };
        }
        Edit::Delete(module) => {
            let module = ["acme-nic", "plain"][module];
            if store.has(Kind::Module, "drivers", module) {
                let metadata = &mut store.get(Kind::Module, "drivers", module)["metadata"];
                metadata["deletionTimestamp"] = json!("2026-11-21T09:00:00Z");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plans_settle(edits in prop::collection::vec((edit(), 0..3_usize), 1..6)) {
        let installation = installation();
        let mut store = settled();
        for (edit, rounds) in &edits {
            make(&mut store, edit);
            for _ in 0..*rounds {
                store.round(&installation, true);
                play_the_kubelet(&mut store);
            }
        }
        let once = store.round(&installation, false);
        prop_assert_eq!(once, store.round(&installation, false));
        for _ in 0..20 {
            let plans = store.round(&installation, true);
            let before = store.objects.clone();
            play_the_kubelet(&mut store);
            // From here on each round would be like this one.
            if plans.iter().all(Plan::is_empty) && store.objects == before {
                break;
            }
        }
        let rest = store.round(&installation, false);
        prop_assert!(rest.iter().all(Plan::is_empty), "{:#?}", rest.iter().filter(|plan| !plan.is_empty()).collect::<Vec<_>>());
    }
}
