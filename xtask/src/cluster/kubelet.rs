//! The kubelet's part, played: pods that are bound to a node come to their end, or run, at once.
//!
//! As a kubelet does, this one takes no pod whose `nodeSelector` its node does not meet, however the pod came there, and
//! writes only to the very pod that it saw.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Result;
use kmm_core::reconcile::names;
use kube::Client;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinHandle;

use super::objects::change;
use super::objects::delete_now;
use super::objects::get;
use super::objects::list;

/// Kubelets of all nodes; they end when this is dropped.
pub(super) struct Kubelets {
    task: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

/// What kubelets saw.
#[derive(Default)]
struct Seen {
    pods: BTreeMap<String, Value>,
    /// Unloaders that came while a device plugin still used the module.
    too_early: BTreeSet<String>,
}

impl Kubelets {
    /// Starts them.
    pub(super) fn start(client: &Client) -> Self {
        let shared = Arc::new(Mutex::new(Seen::default()));
        let (seen, client) = (Arc::clone(&shared), client.clone());
        let task = tokio::spawn(async move {
            loop {
                // Conflicts and an API server that is away are seen to the next time.
                if let Ok(all) = list(&client, "v1", "Pod").await {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).look(&all);
                    for pod in all {
                        let _ = tend(&client, &pod).await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { task, seen: shared }
    }

    /// Every pod that was there at some time, as it was first seen.
    pub(super) fn pods(&self) -> Vec<Value> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.pods.values().cloned().collect()
    }

    /// Unloaders that were there while a device plugin of their module ran on their node. One that no kubelet has taken yet
    /// does not: the controller of DaemonSets may make it, and the scheduler bind it, from an old view of the node.
    pub(super) fn too_early(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.too_early.iter().cloned().collect()
    }
}

impl Seen {
    /// Looks at all pods of one moment.
    fn look(&mut self, all: &[Value]) {
        for pod in all {
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
            self.pods.entry(uid.to_owned()).or_insert_with(|| pod.clone());
            let labels = &pod["metadata"]["labels"];
            if labels[names::WORKER_ACTION] != "Unload" || has_ended(pod) {
                continue;
            }
            let user = all.iter().find(|other| {
                let others = &other["metadata"]["labels"];
                others[names::WORKER_ACTION].is_null()
                    && others[names::MODULE_NAME] == labels[names::MODULE_NAME]
                    && other["spec"]["nodeName"] == pod["spec"]["nodeName"]
                    && other["status"]["phase"] == "Running"
            });
            if let Some(user) = user {
                let said = |pod: &Value| {
                    let metadata = &pod["metadata"];
                    let (name, made, leaves) = (
                        &metadata["name"],
                        &metadata["creationTimestamp"],
                        &metadata["deletionTimestamp"],
                    );
                    format!("{name} (made {made}, leaves {leaves})")
                };
                self.too_early.insert(format!(
                    "{} on {} beside {}",
                    said(pod),
                    pod["spec"]["nodeName"],
                    said(user)
                ));
            }
        }
    }
}

impl Drop for Kubelets {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tend(client: &Client, pod: &Value) -> Result<()> {
    let metadata = &pod["metadata"];
    let Some(node) = pod["spec"]["nodeName"].as_str() else {
        return Ok(());
    };
    if metadata["deletionTimestamp"].is_string() {
        // A kubelet says how a pod ended before it lets it go, also of one that never ran.
        if !has_ended(pod) {
            report(client, pod, json!({"phase": "Failed"})).await?;
        }
        // Of workers what is left to do is the operator's, also when it was killed in the middle of that.
        if metadata["deletionGracePeriodSeconds"] != 0 || metadata["labels"][names::WORKER_ACTION].is_null() {
            delete_now(client, pod).await?;
        }
        return Ok(());
    }
    let labels = &metadata["labels"];
    let ends = labels[names::WORKER_ACTION].is_string() || labels[names::IMAGE_OWNER].is_string();
    let (phase, ready) = if ends {
        ("Succeeded", "False")
    } else {
        ("Running", "True")
    };
    if pod["status"]["phase"] == phase || has_ended(pod) {
        return Ok(());
    }
    if !fits(pod, &get(client, "v1", "Node", "", node).await?) {
        let refused = json!({"phase": "Failed", "reason": "NodeAffinity"});
        return report(client, pod, refused).await;
    }
    let status = json!({"phase": phase, "conditions": [{"type": "Ready", "status": ready}]});
    report(client, pod, status).await
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a node has the labels that a pod asks for.
fn fits(pod: &Value, node: &Value) -> bool {
    let selector = pod["spec"]["nodeSelector"].as_object();
    let mut wanted = selector.into_iter().flatten();
    wanted.all(|(key, value)| node["metadata"]["labels"][key] == *value)
}

/// Writes the status of this very pod: another one may have its name by now.
async fn report(client: &Client, pod: &Value, status: Value) -> Result<()> {
    let patch = json!({"metadata": {"uid": pod["metadata"]["uid"]}, "status": status});
    change(client, pod, &patch).await
}
