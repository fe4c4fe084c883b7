//! The first situation of the recording, on a real API server: the same nodes and Modules, our operator, and every object that
//! comes of it compared field by field with what the Go operator left there.
//!
//! The whole recording is compared in the tests of kmm-core, by decisions. This shows that what is decided arrives as it was
//! decided.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::api::NodeModulesConfig;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::names;
use kmm_core::reconcile::names::NodeLabel;
use kmm_core::reconcile::worker_pod;
use kmm_core::reconcile::worker_pod::Job;
use kube::Client;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::access;
use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life::BETA;
use super::life::settled;
use super::objects;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running::Operator;
use super::takeover;

/// Puts the nodes and the Modules of the recording there, and compares what comes of them.
pub(super) async fn run(kmm: &Path) -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    access::install(&plane, &client).await?;
    let theirs = takeover::recorded("settled.json")?;
    takeover::put_back(&client, beginning(&theirs)).await?;
    plane.start_controllers().await?;
    let kubelets = Kubelets::start(&client);
    let mut operator = Operator::start(&plane, kmm, "operator")?;
    operator.wait_until_listed().await?;
    rolled_out(&client, &theirs)
        .await
        .with_context(|| operator.last_lines())?;
    let compared = compare(&client, &theirs).await?;
    let pods = pods_are_as_decided(&client, &kubelets.pods()).await?;
    println!("{compared} objects are as the Go operator left them, {pods} worker pods as they were decided");
    operator.stop()
}

/// The namespace, the nodes and the Modules, without what an operator wrote there.
fn beginning(theirs: &[Value]) -> Vec<Value> {
    let first = theirs.iter().filter(|object| {
        let kind = object["kind"].as_str();
        matches!(kind, Some("Namespace" | "Node" | "Module"))
    });
    let bare = first.cloned().map(|mut object| {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("finalizers");
        }
        if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
            labels.retain(|label, _| NodeLabel::parse(label).is_none() && label != names::CONTAINS_MODULES);
        }
        if object["kind"] == "Module" {
            object["status"] = json!({});
        }
        object
    });
    bare.collect()
}

/// Waits until every node has the labels that it had there, and nothing changes any more.
async fn rolled_out(client: &Client, theirs: &[Value]) -> Result<()> {
    for node in theirs.iter().filter(|object| object["kind"] == "Node") {
        let name = node["metadata"]["name"].as_str().unwrap_or_default();
        let mut now = Value::Null;
        until(&format!("{name} has its labels"), async || {
            now = get(client, "v1", "Node", "", name).await?["metadata"]["labels"].clone();
            Ok(now == node["metadata"]["labels"])
        })
        .await
        .with_context(|| format!("{now}, and they were {}", node["metadata"]["labels"]))?;
    }
    settled(client).await.map(drop)
}

/// Compares everything that the Go operator wrote, but for its pods, whose names are random; how many objects that are.
async fn compare(client: &Client, theirs: &[Value]) -> Result<usize> {
    let mut ours = Vec::new();
    for (api_version, kind) in [
        ("v1", "Namespace"),
        ("v1", "Node"),
        ("apps/v1", "DaemonSet"),
        (BETA, "Module"),
        (BETA, "NodeModulesConfig"),
        (BETA, "ModuleImagesConfig"),
    ] {
        ours.extend(list(client, api_version, kind).await?);
    }
    // Those that are always there.
    ours.retain(|object| object["kind"] != "Namespace" || object["metadata"]["name"] == "drivers");
    let written = theirs.iter().filter(|object| object["kind"] != "Pod");
    let theirs: BTreeMap<String, Value> = written.map(comparable).collect();
    let ours: BTreeMap<String, Value> = ours.iter().map(comparable).collect();
    let mut differences = Vec::new();
    for key in theirs.keys().chain(ours.keys()) {
        if theirs.get(key) != ours.get(key) {
            let (was, is) = (theirs.get(key), ours.get(key));
            differences.push(format!("{key} was {was:?}\n  and is {is:?}"));
        }
    }
    ensure!(
        differences.is_empty(),
        "these differ:\n{}",
        differences.join("\n")
    );
    Ok(ours.len())
}

/// What is compared of an object, and what it is called.
fn comparable(object: &Value) -> (String, Value) {
    let metadata = &object["metadata"];
    let kind = object["kind"].as_str().unwrap_or_default();
    let owners = metadata["ownerReferences"].as_array();
    let owners: Vec<Value> = owners
        .into_iter()
        .flatten()
        .map(|owner| {
            let mut owner = owner.clone();
            owner["uid"].take();
            owner
        })
        .collect();
    // The names of DaemonSets were random, and are not here (row `plugin-twins` of docs/compat.md).
    let name = match kind {
        "DaemonSet" => &owners[0]["name"],
        _ => &metadata["name"],
    };
    let mut kept = json!({
        "labels": metadata["labels"], "finalizers": metadata["finalizers"], "owners": owners,
    });
    // Of nodes the operator writes labels alone.
    if kind != "Node" && kind != "Namespace" {
        kept["spec"] = object["spec"].clone();
        kept["status"] = object["status"].clone();
    }
    for (list, by) in [
        ("/spec/modules", "name"),
        ("/status/modules", "name"),
        ("/spec/images", "image"),
        ("/status/imagesStates", "image"),
    ] {
        // Their order says nothing: it was another one at every look.
        if let Some(list) = kept.pointer_mut(list).and_then(Value::as_array_mut) {
            list.sort_by_key(|item| item[by].to_string());
        }
    }
    (format!("{kind} {name}"), without_nothing(kept))
}

/// Without fields that say nothing: null, nought and what is empty. `""` says something of a label.
fn without_nothing(value: Value) -> Value {
    let says = |value: &Value| {
        *value != Value::Null && *value != json!(0) && *value != json!({}) && *value != json!([])
    };
    match value {
        Value::Object(map) => {
            let fields = map.into_iter().map(|(key, value)| (key, without_nothing(value)));
            Value::Object(fields.filter(|(_, value)| says(value)).collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_nothing).collect()),
        other => other,
    }
}

/// Every loader, as the API server had it, has all that the decision said; how many that are.
async fn pods_are_as_decided(client: &Client, pods: &[Value]) -> Result<usize> {
    let mut count = 0;
    for pod in pods {
        if pod["metadata"]["labels"][names::WORKER_ACTION] != names::LOAD {
            continue;
        }
        let node = pod["spec"]["nodeName"].as_str().context("no node")?;
        let config = get(client, BETA, "NodeModulesConfig", "", node).await?;
        let config = NodeModulesConfig::deserialize(config)?;
        let module = pod["metadata"]["labels"][names::MODULE_NAME].as_str();
        let mut entries = config.spec.modules.iter();
        let entry = entries.find(|entry| Some(entry.name.as_str()) == module);
        let entry = entry.with_context(|| format!("{node} is not to have {module:?}"))?;
        let boot = &get(client, "v1", "Node", "", node).await?["status"]["nodeInfo"]["bootID"];
        let installation = Installation {
            worker_image: "registry.example.com/kmm-worker:1".to_owned(),
            image_volumes: true,
            ..Installation::default()
        };
        let boot = boot.as_str().unwrap_or_default();
        let decided = worker_pod::make(&config, &Job::load(entry), boot, 1, &installation);
        let decided = decided.map_err(anyhow::Error::msg)?;
        let mut lacking = Vec::new();
        lacks(pod, &decided, String::new(), &mut lacking);
        ensure!(lacking.is_empty(), "{lacking:#?}\n{pod}");
        count += 1;
    }
    ensure!(count >= 7, "only {count} loaders were seen");
    Ok(count)
}

/// What is not there of what is wanted. Lists may have more at their ends, and those are other things: volumes of tokens, say.
fn lacks(there: &Value, wanted: &Value, path: String, lacking: &mut Vec<String>) {
    match (there, wanted) {
        (_, Value::Object(wanted)) => {
            for (key, value) in wanted {
                lacks(&there[key], value, format!("{path}/{key}"), lacking);
            }
        }
        (_, Value::Array(wanted)) => {
            for (place, value) in wanted.iter().enumerate() {
                lacks(&there[place], value, format!("{path}/{place}"), lacking);
            }
        }
        (there, wanted) if there != wanted => lacking.push(format!("{path} is {there}, not {wanted}")),
        (_, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_left_out_and_a_label_stays() {
        let object = json!({
            "kind": "Module", "metadata": {"name": "a", "labels": {"x": ""}},
            "status": {"dra": {}, "devicePlugin": {"desiredNumber": 0}, "moduleLoader": {"desiredNumber": 1}},
        });
        let (key, kept) = comparable(&object);
        assert_eq!(key, "Module \"a\"");
        let wanted = json!({"labels": {"x": ""}, "status": {"moduleLoader": {"desiredNumber": 1}}});
        assert_eq!(kept, wanted);
    }

    #[test]
    fn every_difference_is_found() {
        let wanted = json!({"spec": {"a": [1, {"b": "x"}]}});
        let of = |there: Value| {
            let mut lacking = Vec::new();
            lacks(&there, &wanted, String::new(), &mut lacking);
            lacking
        };
        assert_eq!(
            of(json!({"spec": {"a": [1, {"b": "x", "c": 1}, 2], "d": 1}})),
            [""; 0]
        );
        assert_eq!(
            of(json!({"spec": {"a": [1, {"b": "y"}]}})),
            ["/spec/a/1/b is \"y\", not \"x\""]
        );
        assert_eq!(of(json!({"spec": {}})).len(), 2);
    }
}
