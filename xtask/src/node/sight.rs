//! What is seen of the cluster while scenes are played.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use kmm_core::reconcile::names;
use kube::Client;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::machine::NODE;
use super::scenes::NAMESPACE;
use crate::cluster::control_plane::ControlPlane;
use crate::cluster::objects::get;
use crate::cluster::objects::list;
use crate::cluster::objects::until_within;

/// How long anything may take on a node that is emulated, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(420);

/// Pods as they come and go. The watching ends when this is dropped.
#[derive(Debug)]
pub(super) struct Pods {
    task: JoinHandle<()>,
    /// Each as it was seen last.
    seen: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Pods {
    pub(super) fn watch(client: &Client) -> Self {
        let seen = Arc::new(Mutex::new(BTreeMap::new()));
        let (pods, client) = (Arc::clone(&seen), client.clone());
        let task = tokio::spawn(async move {
            loop {
                // What cannot be asked now is asked the next time.
                for pod in list(&client, "v1", "Pod").await.unwrap_or_default() {
                    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                    pods.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(uid, pod);
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        });
        Self { task, seen }
    }

    /// Worker pods that were there at some time.
    pub(super) fn workers(&self) -> Vec<Value> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = seen
            .values()
            .filter(|pod| pod["metadata"]["labels"][names::WORKER_ACTION].is_string());
        workers.cloned().collect()
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until the node is ready, on this kernel and on another boot than that one.
pub(super) async fn ready(client: &Client, version: &str, boot: &str) -> Result<()> {
    until_within(PATIENCE, &format!("the node is ready on {version}"), async || {
        let node = get(client, "v1", "Node", "", NODE).await?;
        let status = &node["status"];
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True");
        let untainted = node["spec"]["taints"].as_array().is_none_or(Vec::is_empty);
        let info = &status["nodeInfo"];
        Ok(ready && untainted && info["kernelVersion"] == version && info["bootID"] != boot)
    })
    .await
}

/// Waits until an event about an object says something.
pub(super) async fn event(client: &Client, kind: &str, name: &str, reason: &str, text: &str) -> Result<()> {
    let what = format!("an event {reason} about {kind} {name} with `{text}`");
    until_within(PATIENCE, &what, async || {
        let events = list(client, "v1", "Event").await?;
        Ok(events.iter().any(|event| {
            let about = &event["involvedObject"];
            let message = event["message"].as_str().unwrap_or_default();
            about["kind"] == kind
                && about["name"] == name
                && event["reason"] == reason
                && message.contains(text)
        }))
    })
    .await
}

/// Waits until `kmm explain --cluster` says of a Module that a worker fails on the node, and why.
pub(super) async fn explained(kmm: &Path, plane: &ControlPlane, module: &str, reason: &str) -> Result<()> {
    let what = format!("`kmm explain --cluster` says {reason} of {module}");
    until_within(PATIENCE, &what, async || {
        let out = Command::new(kmm)
            .args(["explain", "--cluster", "--kubeconfig"])
            .arg(plane.kubeconfig())
            .args([&format!("{NAMESPACE}/{module}"), NODE, "-o", "json"])
            .output()
            .context("could not start `kmm`")?;
        let answer: Value = serde_json::from_slice(&out.stdout)
            .with_context(|| String::from_utf8_lossy(&out.stderr).into_owned())?;
        ensure!(
            out.status.code() == Some(1),
            "it ended with {}: {answer}",
            out.status
        );
        let said = answer["modules"][0]["reasons"].as_array();
        Ok(said.into_iter().flatten().any(|said| {
            said["code"] == "WorkerFailing" && said["text"].as_str().is_some_and(|text| text.contains(reason))
        }))
    })
    .await
}

/// Pods and events, in lines.
pub(super) async fn report(client: &Client) -> Result<String> {
    let mut text = "== pods\n".to_owned();
    for pod in list(client, "v1", "Pod").await? {
        let status = &pod["status"];
        text += &format!(
            "{} {} {} {}\n",
            pod["metadata"]["name"], status["phase"], status["message"], status["containerStatuses"]
        );
    }
    text += "== events\n";
    for event in list(client, "v1", "Event").await? {
        text += &format!(
            "{} {} {} {}\n",
            event["involvedObject"]["kind"],
            event["involvedObject"]["name"],
            event["reason"],
            event["message"]
        );
    }
    text += "== NodeModulesConfigs\n";
    for config in list(client, super::scenes::BETA, "NodeModulesConfig").await? {
        text += &format!("{} {}\n", config["spec"], config["status"]);
    }
    Ok(text)
}
