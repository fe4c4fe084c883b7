//! Our operator in the place of the Go operator, which was in the middle of its work: a worker pod of it is under way. Then
//! a Module and a node are changed while no operator runs.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::control_plane::ControlPlane;
use super::kubelet::Kubelets;
use super::life::BETA;
use super::objects;
use super::objects::change;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running::Operator;
use super::takeover::put_back;
use super::takeover::recorded;

const NODE: &str = "n00001";
const WORKER: &str = "kmm-worker-n00001-acme-nic";

/// How long the operator may meddle with the pod.
const WATCHED: Duration = Duration::from_secs(5);

/// Puts the middle of the work back, has the operator finish it, and changes things behind its back.
pub(super) async fn run(kmm: &Path) -> Result<()> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    put_back(&client, middle()?).await?;
    plane.start_controllers().await?;
    until("the nodes are ready", async || {
        let nodes = list(&client, "v1", "Node").await?;
        let ready = |node: &Value| node["spec"]["taints"].as_array().is_none_or(Vec::is_empty);
        Ok(nodes.iter().all(ready))
    })
    .await?;
    let before = worker(&client).await?;
    ensure!(before["status"]["phase"] == "Running", "{before}");
    let mut operator = Operator::start(&plane, kmm, "operator")?;
    operator.wait_until_listed().await?;
    tokio::time::sleep(WATCHED).await;
    let after = worker(&client).await?;
    ensure!(
        after["metadata"]["uid"] == before["metadata"]["uid"]
            && after["metadata"]["deletionTimestamp"].is_null(),
        "the pod of the Go operator was touched: {}",
        operator.last_lines()
    );
    ensure!(
        after["spec"] == before["spec"],
        "the pod of the Go operator was changed: {after}"
    );
    let workers = workers(&client).await?;
    ensure!(workers.len() == 1, "there are other worker pods: {workers:?}");
    let config = get(&client, BETA, "NodeModulesConfig", "", NODE).await?;
    ensure!(
        loaded(&config).is_null(),
        "what is not done yet is written down: {config}"
    );
    println!("a worker pod of the Go operator, half way, was left alone");

    let done = json!({"status": {"phase": "Succeeded"}});
    change(&client, &pod(), &done).await?;
    let wanted = entry(&config, "spec");
    let kubelets = Kubelets::start(&client);
    until(
        "what the pod did is written down, and the pod is gone",
        async || {
            let config = get(&client, BETA, "NodeModulesConfig", "", NODE).await?;
            Ok(loaded(&config) == wanted["config"] && worker(&client).await?.is_null())
        },
    )
    .await
    .with_context(|| operator.last_lines())?;
    until("the node is ready, with its device plugin", async || {
        let node = get(&client, "v1", "Node", "", NODE).await?;
        let labels = &node["metadata"]["labels"];
        Ok(
            labels[names::ready(&nic())].is_string()
                && labels[names::device_plugin_ready(&nic())].is_string(),
        )
    })
    .await
    .with_context(|| operator.last_lines())?;
    operator.stop()?;
    println!("what that pod did was taken over");
    behind_its_back(&client, &plane, kmm).await?;
    drop(kubelets);
    Ok(())
}

/// No operator runs: parameters of a Module change, and a node leaves its selector.
async fn behind_its_back(client: &Client, plane: &ControlPlane, kmm: &Path) -> Result<()> {
    let module = json!({
        "apiVersion": BETA, "kind": "Module", "metadata": {"name": "acme-nic", "namespace": "drivers"},
    });
    let parameters = json!(["queues=8"]);
    let modprobe = json!({"modprobe": {"parameters": parameters}});
    let patch = json!({"spec": {"moduleLoader": {"container": modprobe}}});
    change(client, &module, &patch).await?;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n00003"}});
    change(client, &node, &json!({"metadata": {"labels": {"pool": "other"}}})).await?;
    let operator = Operator::start(plane, kmm, "operator-later")?;
    for node in ["n00000", NODE] {
        until(&format!("{node} has the new parameters"), async || {
            let config = get(client, BETA, "NodeModulesConfig", "", node).await?;
            Ok(loaded(&config)["modprobe"]["parameters"] == parameters)
        })
        .await
        .with_context(|| operator.last_lines())?;
    }
    until("the node that left has no modules", async || {
        let config = get(client, BETA, "NodeModulesConfig", "", "n00003").await?;
        let node = get(client, "v1", "Node", "", "n00003").await?;
        Ok(config["status"]["modules"].as_array().is_none_or(Vec::is_empty)
            && !node["metadata"]["labels"]
                .to_string()
                .contains(&names::ready(&nic())))
    })
    .await
    .with_context(|| operator.last_lines())?;
    println!("what was changed while no operator ran was done by the next one");
    operator.stop()
}

fn nic() -> ModuleName {
    ModuleName {
        name: "acme-nic".to_owned(),
        namespace: "drivers".to_owned(),
    }
}

/// The settled cluster, but for one Module on one node, whose worker pod runs.
fn middle() -> Result<Vec<Value>> {
    let mut objects = recorded("settled.json")?;
    // Its DaemonSet makes it when the node is ready.
    objects.retain(|object| !(object["kind"] == "Pod" && object["spec"]["nodeName"] == NODE));
    for object in &mut objects {
        if object["metadata"]["name"] != NODE {
            continue;
        }
        if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
            labels.remove(&names::ready(&nic()));
            labels.remove(&names::device_plugin_ready(&nic()));
        }
        if object["kind"] == "NodeModulesConfig"
            && let Some(modules) = object["status"]["modules"].as_array_mut()
        {
            modules.retain(|module| module["name"] != "acme-nic");
        }
    }
    let written = recorded("writes.json")?.into_iter();
    let mut bodies = written.map(|write| write["body"].clone());
    let mut pod = bodies
        .find(|body| body["metadata"]["name"] == WORKER)
        .with_context(|| format!("the recording has no {WORKER}"))?;
    pod["status"] = json!({"phase": "Running"});
    objects.push(pod);
    Ok(objects)
}

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": WORKER, "namespace": "drivers"}})
}

async fn worker(client: &Client) -> Result<Value> {
    get(client, "v1", "Pod", "drivers", WORKER).await
}

async fn workers(client: &Client) -> Result<Vec<Value>> {
    let mut pods = list(client, "v1", "Pod").await?;
    pods.retain(|pod| pod["metadata"]["labels"][names::WORKER_ACTION].is_string());
    Ok(pods)
}

/// What a NodeModulesConfig says of the Module.
fn entry(config: &Value, part: &str) -> Value {
    let modules = config[part]["modules"].as_array();
    let mut modules = modules.into_iter().flatten();
    modules
        .find(|module| module["name"] == "acme-nic")
        .cloned()
        .unwrap_or_default()
}

/// As what it is loaded.
fn loaded(config: &Value) -> Value {
    entry(config, "status")["config"].clone()
}
