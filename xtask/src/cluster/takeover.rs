//! Our operator in the place of the Go operator: a cluster that it settled is left as it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::access;
use super::access::Asked;
use super::control_plane::ControlPlane;
use super::life::settled;
use super::objects;
use super::objects::change;
use super::objects::create;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running::Operator;
use crate::steps;

/// How long the operator may change its mind.
const WATCHED: Duration = Duration::from_secs(10);

/// Puts the objects of a recording back, starts the operator, and sees that it writes nothing.
pub(super) async fn run(kmm: &Path, recording: &str) -> Result<Asked> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    access::install(&plane, &client).await?;
    // Before the controllers run: the DaemonSet finds its pods, instead of making others.
    let count = put_back_recording(&client, recording).await?;
    plane.start_controllers().await?;
    wait_until_counted(&client).await?;
    let before = settled(&client).await?;
    let mut operator = Operator::elected(&plane, kmm, "operator")?;
    operator.wait_until_listed().await?;
    tokio::time::sleep(WATCHED).await;
    let after = settled(&client).await?;
    for (key, object) in before.as_object().into_iter().flatten() {
        ensure!(
            after[key] == *object,
            "{key} was {object}\nand is {}\n{}",
            after[key],
            operator.last_lines()
        );
    }
    ensure!(before == after, "there are objects that were not there before");
    ensure!(
        operator.writes().is_empty(),
        "the operator wrote: {:#?}",
        operator.writes()
    );
    is_awake(&client).await?;
    println!("{count} objects of {recording} were taken over without a write");
    operator.stop()?;
    access::asked(&plane)
}

/// Creates the objects of a recording; how many.
pub(super) async fn put_back_recording(client: &Client, recording: &str) -> Result<usize> {
    let recorded = recorded(recording)?;
    let count = recorded.len();
    put_back(client, recorded).await?;
    Ok(count)
}

/// Waits until the controllers of Kubernetes have made of it what they make.
pub(super) async fn wait_until_counted(client: &Client) -> Result<()> {
    until("the DaemonSet has its pods and the nodes are ready", async || {
        let sets = list(client, "apps/v1", "DaemonSet").await?;
        let nodes = list(client, "v1", "Node").await?;
        let counted = |set: &Value| {
            let status = &set["status"];
            status["observedGeneration"] == set["metadata"]["generation"]
                && status["numberReady"] == status["desiredNumberScheduled"]
        };
        let ready = |node: &Value| node["spec"]["taints"].as_array().is_none_or(Vec::is_empty);
        // The counts may be those that were put back. The first thing that the controller makes is this.
        let revisions = list(client, "apps/v1", "ControllerRevision").await?;
        let looked_at = |set: &Value| {
            revisions
                .iter()
                .any(|revision| revision["metadata"]["ownerReferences"][0]["uid"] == set["metadata"]["uid"])
        };
        Ok(sets.iter().all(|set| counted(set) && looked_at(set)) && nodes.iter().all(ready))
    })
    .await
}

/// What was recorded.
pub(super) fn recorded(recording: &str) -> Result<Vec<Value>> {
    let path = steps::root()
        .join("kmm-core/tests/data/reconcile")
        .join(recording);
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// It wrote nothing because there was nothing to write: what is taken away is put back.
async fn is_awake(client: &Client) -> Result<()> {
    let mark = names::CONTAINS_MODULES;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "drivers"}});
    change(client, &namespace, &json!({"metadata": {"labels": {mark: null}}})).await?;
    until("the mark of the namespace is back", async || {
        let namespace = get(client, "v1", "Namespace", "", "drivers").await?;
        Ok(namespace["metadata"]["labels"][mark].is_string())
    })
    .await
}

/// Creates recorded objects, with owners as they are called now.
pub(super) async fn put_back(client: &Client, mut recorded: Vec<Value>) -> Result<()> {
    // Owners come first.
    let order = ["Namespace", "Node", "Module", "DaemonSet"];
    let place = |object: &Value| {
        order
            .iter()
            .position(|kind| object["kind"] == *kind)
            .unwrap_or(order.len())
    };
    recorded.sort_by_key(place);
    let accounts = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "loader", "namespace": "drivers"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull", "namespace": "drivers"}}),
    ];
    let mut uids: BTreeMap<String, Value> = BTreeMap::new();
    for mut object in recorded {
        let metadata = object["metadata"].as_object_mut().context("no metadata")?;
        let old = metadata.remove("uid").unwrap_or_default().to_string();
        for field in [
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
        ] {
            metadata.remove(field);
        }
        for owner in metadata
            .get_mut("ownerReferences")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let uid = uids.get(&owner["uid"].to_string());
            owner["uid"] = uid.with_context(|| format!("no owner {owner}"))?.clone();
        }
        let created = create(client, &object).await?;
        uids.insert(old, created["metadata"]["uid"].clone());
        if object["kind"] == "Namespace" {
            for account in &accounts {
                create(client, account).await?;
            }
        }
    }
    Ok(())
}
