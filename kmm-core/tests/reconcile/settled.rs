//! The states in which the Go operator left a real cluster, and the objects that it wrote there.

use kmm_core::reconcile::Action;
use kmm_core::reconcile::Kind;
use serde_json::Value;
use serde_json::json;

use crate::store::Store;
use crate::store::installation;

pub(crate) fn settled() -> Store {
    Store::of(serde_json::from_str(include_str!("../data/reconcile/settled.json")).unwrap())
}

fn after_change() -> Store {
    Store::of(serde_json::from_str(include_str!("../data/reconcile/settled-after-change.json")).unwrap())
}

fn writes(store: &mut Store) -> Vec<String> {
    let plans = store.round(&installation(), false);
    let actions = plans.iter().flat_map(|plan| &plan.actions);
    actions
        .map(|action| serde_json::to_string(action).unwrap())
        .collect()
}

/// A takeover costs no write: nothing that the Go operator left is written anew.
#[test]
fn a_settled_cluster_costs_no_writes() {
    for mut store in [settled(), after_change()] {
        assert_eq!(writes(&mut store), Vec::<String>::new());
    }
}

/// What the Go operator created, and the API server kept of it, is what is created here.
#[test]
fn objects_are_created_as_the_go_operator_creates_them() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../data/reconcile/writes.json")).unwrap();
    let mut compared = 0;
    let recorded = settled();
    for kind in [Kind::ModuleImagesConfig, Kind::DaemonSet] {
        let mut store = recorded.clone();
        store.objects.retain(|target, _| target.kind != kind);
        let plans = store.round(&installation(), false);
        let created = plans
            .iter()
            .flat_map(|plan| &plan.actions)
            .filter_map(|action| match action {
                Action::Create { object } => Some(object),
                Action::Patch { .. } | Action::Delete { .. } | Action::Event(_) | Action::AskRegistry(_) => {
                    None
                }
            });
        for object in created.filter(|object| object["kind"] == kind.name()) {
            let owner = &object["metadata"]["ownerReferences"][0]["name"];
            let row = rows.iter().find(|row| {
                row["resource"] == kind.plural()
                    && row["body"]["metadata"]["ownerReferences"][0]["name"] == *owner
            });
            let mut theirs = row.unwrap()["body"].clone();
            let mut ours = object.clone();
            match kind {
                Kind::DaemonSet => {
                    // A name of our own making has the same beginning; the rest are defaults of the API server.
                    let name = ours["metadata"]["name"].take();
                    let prefix = theirs["metadata"]["generateName"].take();
                    assert!(name.as_str().unwrap().starts_with(prefix.as_str().unwrap()));
                }
                Kind::ModuleImagesConfig => {
                    // The first state of the list; images of nodes that were labelled later joined afterwards.
                    let images = |value: &mut Value| value["spec"]["images"].take();
                    let (theirs, ours) = (images(&mut theirs), images(&mut ours));
                    for image in theirs.as_array().into_iter().flatten() {
                        assert!(ours.as_array().unwrap().contains(image), "{image}");
                    }
                }
                Kind::Module
                | Kind::ModuleBuildSignConfig
                | Kind::Namespace
                | Kind::Node
                | Kind::NodeModulesConfig
                | Kind::Pod => {}
            }
            assert_covered(&ours, &theirs, "");
            assert_no_more(&ours, &theirs, "");
            compared += 1;
        }
    }
    assert_eq!(compared, 3);
}

/// NodeModulesConfigs are made from nothing as the Go operator left them.
#[test]
fn node_modules_configs_are_those_of_the_go_operator() {
    let recorded = settled();
    let mut store = recorded.clone();
    store
        .objects
        .retain(|target, _| target.kind != Kind::NodeModulesConfig);
    let plans = store.round(&installation(), false);
    let mut compared = 0;
    for plan in &plans {
        for action in &plan.actions {
            if let Action::Create { object } = action
                && object["kind"] == "NodeModulesConfig"
            {
                let name = object["metadata"]["name"].as_str().unwrap();
                let theirs = recorded.clone().get(Kind::NodeModulesConfig, "", name).clone();
                for path in ["/metadata/labels", "/metadata/ownerReferences"] {
                    assert_eq!(object.pointer(path), theirs.pointer(path), "{name}{path}");
                }
                let sorted = |value: &Value| {
                    let mut list = value["spec"]["modules"].as_array().unwrap().clone();
                    list.sort_by_key(|entry| entry["name"].to_string());
                    list
                };
                assert_eq!(sorted(object), sorted(&theirs), "{name}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 4);
}

/// Every field of `ours` is in `theirs`.
fn assert_covered(ours: &Value, theirs: &Value, path: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in ours {
                let found = theirs.get(key).unwrap_or(&Value::Null);
                assert_covered(value, found, &format!("{path}.{key}"));
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{path}");
            for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                assert_covered(ours, theirs, &format!("{path}[{place}]"));
            }
        }
        (ours, theirs) => assert_eq!(ours, theirs, "{path}"),
    }
}

/// Every field of `theirs` is in `ours`, but for what the API server filled in before it was recorded.
fn assert_no_more(ours: &Value, theirs: &Value, path: &str) {
    const DEFAULTS: [&str; 16] = [
        "annotations",
        "dnsPolicy",
        "generateName",
        "name",
        "resources",
        "restartPolicy",
        "revisionHistoryLimit",
        "schedulerName",
        "securityContext",
        "serviceAccount",
        "status",
        "terminationGracePeriodSeconds",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "updateStrategy",
        "enableServiceLinks",
    ];
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                match ours.get(key) {
                    Some(ours) => assert_no_more(ours, value, &format!("{path}.{key}")),
                    None => assert!(
                        DEFAULTS.contains(&key.as_str()) || *value == json!({}),
                        "{path}.{key} = {value}"
                    ),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert_no_more(ours, theirs, path);
            }
        }
        _ => {}
    }
}
