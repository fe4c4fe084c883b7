//! The kubelet's part, played: pods that are bound to a node come to their end, or run, at once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
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

    /// Unloaders that were there while a device plugin of their module still ran on their node.
    pub(super) fn too_early(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.too_early.iter().cloned().collect()
    }
}

impl Seen {
    /// Looks at all pods of one moment.
    fn look(&mut self, all: &[Value]) {
        let ended = |pod: &Value| {
            ["Succeeded", "Failed"]
                .map(Value::from)
                .contains(&pod["status"]["phase"])
        };
        for pod in all {
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
            self.pods.entry(uid.to_owned()).or_insert_with(|| pod.clone());
            let labels = &pod["metadata"]["labels"];
            if labels[names::WORKER_ACTION] != "Unload" || ended(pod) {
                continue;
            }
            let user = all.iter().find(|other| {
                let others = &other["metadata"]["labels"];
                others[names::WORKER_ACTION].is_null()
                    && others[names::MODULE_NAME] == labels[names::MODULE_NAME]
                    && other["spec"]["nodeName"] == pod["spec"]["nodeName"]
                    && !ended(other)
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
