//! The situations of the recording, on a real API server: the same nodes, Modules and steps, our operator, and every object
//! that comes of each step compared field by field with what the Go operator left there.
//!
//! The tests of kmm-core compare every write, by decisions. This shows that what is decided arrives as it was decided.

mod compare;
mod situations;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::anyhow;
use anyhow::ensure;
use kmm_core::api::NodeModulesConfig;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::names;
use kmm_core::reconcile::names::NodeLabel;
use kmm_core::reconcile::worker_pod;
use kmm_core::reconcile::worker_pod::Job;
use kube::Client;
use kube::api::DeleteParams;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::access;
use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life::BETA;
use super::life::settled;
use super::objects;
use super::objects::api_of;
use super::objects::change;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running::Operator;
use super::takeover;
use compare::Row;
use situations::Deed;
use situations::Theirs;

/// Puts the nodes and the Modules of the recording there, takes its steps, and compares what comes of each.
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
    let rows = compare::rows()?;
    let theirs = Theirs::of(&theirs)?;
    let used = as_theirs(&client, &theirs, &rows)
        .await
        .with_context(|| operator.last_lines())?;
    ensure!(used.is_empty(), "the first situation differs by {used:?}");
    let pods = pods_are_as_decided(&client, &kubelets.pods()).await?;
    ensure!(pods >= 7, "only {pods} loaders were seen");
    let compared = theirs.objects().count();
    println!("{compared} objects are as the Go operator left them, {pods} worker pods as they were decided");
    go_on(&client, &kubelets, theirs, &rows)
        .await
        .with_context(|| operator.last_lines())?;
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

/// Waits until every object that the Go operator wrote is as it left it, but for what is a row of docs/compat.md, and
/// nothing changes any more; how often each row was needed.
async fn as_theirs(client: &Client, theirs: &Theirs, rows: &[Row]) -> Result<BTreeMap<String, usize>> {
    let theirs = compare::lines(theirs.objects());
    let mut differ = String::new();
    until("everything is as the Go operator left it", async || {
        let ours = compare::lines(&ours(client).await?);
        differ = compare::explained(&theirs, &ours, rows).err().unwrap_or_default();
        Ok(differ.is_empty())
    })
    .await
    .with_context(|| format!("these differ:\n{differ}"))?;
    settled(client).await?;
    let ours = compare::lines(&ours(client).await?);
    compare::explained(&theirs, &ours, rows)
        .map_err(|differ| anyhow!("these differ when nothing changes any more:\n{differ}"))
}

/// Everything that the operator writes, but for its pods.
async fn ours(client: &Client) -> Result<Vec<Value>> {
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
    Ok(ours)
}

/// The steps that follow, one after the other.
async fn go_on(client: &Client, kubelets: &Kubelets, mut theirs: Theirs, rows: &[Row]) -> Result<()> {
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    let mut loaders = 0;
    for round in situations::rounds()? {
        let before = uids(&kubelets.pods());
        for deed in &round.does {
            carry_out(client, deed)
                .await
                .with_context(|| round.step.clone())?;
        }
        theirs.after(&round)?;
        let mut made = BTreeSet::new();
        until("the worker pods of this step were made", async || {
            let pods = kubelets.pods();
            made = pods
                .iter()
                .filter(|pod| !before.contains(&uid(pod)))
                .filter_map(worker)
                .collect();
            Ok(round.workers.iter().all(|worker| made.contains(worker)))
        })
        .await
        .with_context(|| format!("{}: {made:?}, not {:?}", round.step, round.workers))?;
        if round.leaves.is_some() {
            for (row, times) in as_theirs(client, &theirs, rows)
                .await
                .with_context(|| round.step.clone())?
            {
                *used.entry(row).or_default() += times;
            }
        } else {
            settled(client).await?;
        }
        let mut pods = kubelets.pods();
        pods.retain(|pod| !before.contains(&uid(pod)));
        made = pods.iter().filter_map(worker).collect();
        ensure!(
            made == BTreeSet::from_iter(round.workers.iter().cloned()),
            "{}: the workers are {made:?}, and were {:?}",
            round.step,
            round.workers
        );
        loaders += pods_are_as_decided(client, &pods)
            .await
            .with_context(|| round.step.clone())?;
        if round.leaves.is_some() {
            println!("{}: as the Go operator left it", round.step);
        }
    }
    for row in rows {
        ensure!(
            used.contains_key(&row.row),
            "nothing differs by the row `{}`",
            row.row
        );
    }
    println!("{loaders} more loaders as they were decided; lines that differ, by their rows: {used:?}");
    Ok(())
}

async fn carry_out(client: &Client, deed: &Deed) -> Result<()> {
    let object = deed.object();
    if deed.patch.is_null() {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        api_of(client, &object)?
            .delete(name, &DeleteParams::background())
            .await?;
        return Ok(());
    }
    change(client, &object, &deed.patch).await
}

fn uid(pod: &Value) -> String {
    pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

fn uids(pods: &[Value]) -> BTreeSet<String> {
    pods.iter().map(uid).collect()
}

/// What a worker pod does, and where; `None` for other pods.
fn worker(pod: &Value) -> Option<String> {
    let labels = &pod["metadata"]["labels"];
    let (action, module) = (
        labels[names::WORKER_ACTION].as_str()?,
        labels[names::MODULE_NAME].as_str()?,
    );
    let node = pod["spec"]["nodeName"].as_str()?;
    Some(format!("{action} {node}/{module}"))
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
        lacks(pod, &decided, "", &mut lacking);
        ensure!(lacking.is_empty(), "{lacking:#?}\n{pod}");
        count += 1;
    }
    Ok(count)
}

/// What is not there of what is wanted. Lists may have more at their ends, and those are other things: volumes of tokens, say.
fn lacks(there: &Value, wanted: &Value, path: &str, lacking: &mut Vec<String>) {
    match (there, wanted) {
        (_, Value::Object(wanted)) => {
            for (key, value) in wanted {
                lacks(&there[key], value, &format!("{path}/{key}"), lacking);
            }
        }
        (_, Value::Array(wanted)) => {
            for (place, value) in wanted.iter().enumerate() {
                lacks(&there[place], value, &format!("{path}/{place}"), lacking);
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
    fn every_difference_is_found() {
        let wanted = json!({"spec": {"a": [1, {"b": "x"}]}});
        let of = |there: Value| {
            let mut lacking = Vec::new();
            lacks(&there, &wanted, "", &mut lacking);
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
