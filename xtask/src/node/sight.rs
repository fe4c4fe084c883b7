//! What is seen of the cluster while scenes are played.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Result;
use kmm_core::reconcile::names;
use kube::Client;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::cluster::objects::list;

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
