//! The kubelet's part, played: pods that are bound to a node come to their end, or run, at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Result;
use kmm_core::reconcile::names;
use kube::Client;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinHandle;

use super::objects::api_of;
use super::objects::delete_now;
use super::objects::list;

/// Kubelets of all nodes; they end when this is dropped.
pub(super) struct Kubelets {
    task: JoinHandle<()>,
    pods: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Kubelets {
    /// Starts them.
    pub(super) fn start(client: &Client) -> Self {
        let pods = Arc::new(Mutex::new(BTreeMap::new()));
        let (seen, client) = (Arc::clone(&pods), client.clone());
        let task = tokio::spawn(async move {
            loop {
                // Conflicts and an API server that is away are seen to the next time.
                if let Ok(all) = list(&client, "v1", "Pod").await {
                    for pod in all {
                        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                        seen.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .entry(uid)
                            .or_insert_with(|| pod.clone());
                        let _ = tend(&client, &pod).await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { task, pods }
    }

    /// Every pod that was there at some time, as it was first seen.
    pub(super) fn pods(&self) -> Vec<Value> {
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        pods.values().cloned().collect()
    }
}

impl Drop for Kubelets {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tend(client: &Client, pod: &Value) -> Result<()> {
    let metadata = &pod["metadata"];
    if !pod["spec"]["nodeName"].is_string() {
        return Ok(());
    }
    let name = metadata["name"].as_str().unwrap_or_default();
    if metadata["deletionTimestamp"].is_string() {
        // A kubelet says how a pod ended before it lets it go, also of one that never ran.
        if !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            let ended = json!({"status": {"phase": "Failed"}});
            api_of(client, pod)?
                .patch_status(name, &PatchParams::default(), &Patch::Merge(&ended))
                .await?;
        }
        if metadata["deletionGracePeriodSeconds"] != 0 {
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
    if pod["status"]["phase"] == phase {
        return Ok(());
    }
    let status = json!({"status": {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": ready}],
    }});
    api_of(client, pod)?
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    Ok(())
}
