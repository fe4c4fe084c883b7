//! Names that somebody else has: the operator says so, and goes on when they are free.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use super::life;
use super::objects::apply;
use super::objects::create;
use super::objects::delete_now;
use super::objects::get;
use super::objects::list;
use super::objects::until;
use super::running::Operator;

/// A node comes whose worker pod's name is that of another pod, and a Module whose DaemonSet's is that of another one.
pub(super) async fn run(client: &Client, operator: &Operator) -> Result<()> {
    pod(client).await.with_context(|| operator.last_lines())?;
    daemon_set(client).await.with_context(|| operator.last_lines())?;
    println!("names of a pod and of a DaemonSet were taken, which events told until they were free");
    Ok(())
}

async fn pod(client: &Client) -> Result<()> {
    let stranger = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": names::worker_pod("w4", "acme-nic"), "namespace": "drivers"},
        // No scheduler gives it a node.
        "spec": {"schedulerName": "nobody", "containers": [{"name": "c", "image": "registry.example.com/other:1"}]},
    });
    create(client, &stranger).await?;
    create(client, &life::node("w4", "acme")).await?;
    told(client, "acme-nic", "Pod").await?;
    delete_now(client, &stranger).await?;
    until("w4 has the module", async || {
        let node = get(client, "v1", "Node", "", "w4").await?;
        Ok(node["metadata"]["labels"][names::ready(&life::nic())].is_string())
    })
    .await
}

async fn daemon_set(client: &Client) -> Result<()> {
    let [mut module, _] = life::modules();
    module["metadata"]["name"] = json!("taken");
    module["spec"]["selector"] = json!({"pool": "none"});
    let name = names::device_plugin_daemon_set("taken", "");
    let labels = json!({"app": "other"});
    let stranger = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "drivers"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "nodeSelector": {"pool": "none"},
                    "containers": [{"name": "c", "image": "registry.example.com/other:1"}],
                },
            },
        },
    });
    create(client, &stranger).await?;
    apply(client, &module).await?;
    told(client, "taken", "DaemonSet").await?;
    let there = || get(client, "apps/v1", "DaemonSet", "drivers", &name);
    ensure!(
        there().await?["metadata"]["labels"][names::MODULE_NAME].is_null(),
        "the DaemonSet of somebody else was changed"
    );
    delete_now(client, &stranger).await?;
    until("the Module has its DaemonSet", async || {
        Ok(there().await?["metadata"]["labels"][names::MODULE_NAME] == "taken")
    })
    .await?;
    delete_now(client, &module).await?;
    until("the Module `taken` is gone with its DaemonSet", async || {
        let module = get(client, life::BETA, "Module", "drivers", "taken").await?;
        Ok(module.is_null() && there().await?.is_null())
    })
    .await
}

/// Waits for an event that a name is taken.
async fn told(client: &Client, module: &str, kind: &str) -> Result<()> {
    let is_it = |event: &Value| {
        let message = event["message"].as_str().unwrap_or_default();
        event["reason"] == "NameTaken"
            && event["involvedObject"]["kind"] == "Module"
            && event["involvedObject"]["name"] == module
            && message.starts_with(kind)
    };
    until(
        &format!("an event that the name of a {kind} is taken"),
        async || Ok(list(client, "v1", "Event").await?.iter().any(is_it)),
    )
    .await
}
