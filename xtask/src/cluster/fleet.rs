//! The kubelets of many nodes, played by one watch and many hands: worker pods come to their end at once, and nodes send
//! their heartbeats.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use futures::StreamExt;
use kube::Api;
use kube::Client;
use kube::ResourceExt;
use kube::api::ApiResource;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::core::GroupVersionKind;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use serde_json::Value;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;

/// Requests that kubelets send at the same time. Real ones are as many as there are nodes.
const HANDS: usize = 48;

/// How long one waits at most before it asks again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often a kubelet renews the Lease of its node.
const RENEWAL: Duration = Duration::from_secs(10);

/// The kubelets; they end when this is dropped.
pub(super) struct Fleet {
    task: JoinHandle<()>,
    work: Arc<Mutex<Work>>,
}

/// What the kubelets did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    /// Pods that came to their end, or were let go.
    pub(super) pods: u32,
    /// Time from the news of a pod to the answer of the API server, of all pods together.
    pub(super) time: Duration,
    /// The part of it that no hand was free.
    pub(super) waited: Duration,
    /// Writes that failed.
    pub(super) failed: u32,
}

/// What was last done for a pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Ended,
    LetGo,
}

impl Fleet {
    /// Starts them.
    pub(super) fn start(client: &Client) -> Self {
        let work = Arc::new(Mutex::new(Work::default()));
        let task = tokio::spawn(tend_all(client.clone(), Arc::clone(&work)));
        Self { task, work }
    }

    /// What they did so far.
    pub(super) fn work(&self) -> Work {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tend_all(client: Client, work: Arc<Mutex<Work>>) {
    let pods = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &pods);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    let mut steps: HashMap<String, Step> = HashMap::new();
    let hands = Arc::new(Semaphore::new(HANDS));
    let mut under_way = JoinSet::new();
    while let Some(event) = events.next().await {
        while under_way.try_join_next().is_some() {}
        let pod = match event {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => pod,
            Ok(watcher::Event::Delete(pod)) => {
                steps.remove(&pod.uid().unwrap_or_default());
                continue;
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => continue,
            Err(error) => {
                println!("the kubelets' watch broke: {error}");
                continue;
            }
        };
        let Some(step) = next_step(&pod) else { continue };
        let uid = pod.uid().unwrap_or_default();
        if steps.insert(uid, step) == Some(step) {
            continue;
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &pod.namespace().unwrap_or_default(), &pods);
        let (work, hands, seen) = (Arc::clone(&work), Arc::clone(&hands), Instant::now());
        under_way.spawn(async move {
            // The semaphore is never closed.
            let _hand = hands.acquire().await;
            let waited = seen.elapsed();
            let failed = take(&api, &pod, step).await;
            let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
            work.pods += 1;
            work.failed += failed;
            work.waited += waited;
            work.time += seen.elapsed();
        });
    }
}

/// What a kubelet has to do for a pod now.
fn next_step(pod: &DynamicObject) -> Option<Step> {
    if !pod.data["spec"]["nodeName"].is_string() {
        return None;
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Some(Step::LetGo);
    }
    (pod.data["status"]["phase"] != "Succeeded").then_some(Step::Ended)
}

/// Does it; how often that failed. A pod that is gone needs nothing.
async fn take(api: &Api<DynamicObject>, pod: &DynamicObject, step: Step) -> u32 {
    let name = pod.name_any();
    let mut patience = Patience::default();
    loop {
        let answer = match step {
            Step::Ended => {
                let patch = Patch::Merge(ended(&pod.data["spec"]));
                let params = PatchParams::default();
                api.patch_status(&name, &params, &patch).await.map(drop)
            }
            Step::LetGo => {
                let params = DeleteParams::default().grace_period(0);
                api.delete(&name, &params).await.map(drop)
            }
        };
        match patience.end(answer).await {
            None => {}
            Some(Err(kube::Error::Api(status))) if status.code != 404 => {
                println!("a kubelet could not tend `{name}`: {status}");
                return patience.failed + 1;
            }
            Some(_) => return patience.failed,
        }
    }
}

/// Asks an API server again that is busy, or is not reached, however often it takes, as kubelets do. Who gives up would
/// leave a pod behind for which everybody waits.
#[derive(Default)]
struct Patience {
    failed: u32,
}

impl Patience {
    /// The answer, where it is one; else nothing, after a wait.
    async fn end(&mut self, answer: kube::Result<()>) -> Option<kube::Result<()>> {
        match &answer {
            Err(kube::Error::Api(status)) if status.code != 429 && status.code < 500 => return Some(answer),
            Err(_) => {}
            Ok(()) => return Some(answer),
        }
        let wait = Duration::from_millis(100) * 2_u32.pow(self.failed.min(6));
        self.failed += 1;
        tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
        None
    }
}

/// The status of a pod whose containers did their work.
fn ended(spec: &Value) -> Value {
    let now = timestamp();
    let of = |containers: &Value| -> Vec<Value> {
        let containers = containers.as_array().into_iter().flatten();
        containers
            .map(|container| {
                json!({
                    "name": container["name"], "image": container["image"], "imageID": "", "ready": false,
                    "restartCount": 0, "started": false,
                    "state": {"terminated": {
                        "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now,
                    }},
                })
            })
            .collect()
    };
    json!({"status": {
        "phase": "Succeeded", "startTime": now,
        "conditions": [
            {"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "False"},
            {"type": "ContainersReady", "status": "False"}, {"type": "PodScheduled", "status": "True"},
        ],
        "containerStatuses": of(&spec["containers"]),
        "initContainerStatuses": of(&spec["initContainers"]),
    }})
}

/// Does something for many names, with as many hands as there are; the first failure.
pub(super) async fn each<F>(names: impl Iterator<Item = String>, act: impl Fn(String) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for name in names {
        if under_way.len() >= HANDS
            && let Some(done) = under_way.join_next().await
        {
            done??;
        }
        under_way.spawn(act(name));
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    Ok(())
}

/// Heartbeats for so long: every node's Lease as often as kubelets renew it, and once its status, which they send every
/// five minutes where it stays the same. How many there were of both.
pub(super) async fn heartbeats(client: &Client, nodes: &[String], last: Duration) -> Result<(usize, usize)> {
    let begun = Instant::now();
    let rounds = last.as_secs() / RENEWAL.as_secs();
    let (mut renewals, mut reports) = (0, 0);
    for round in 0..rounds {
        each(nodes.iter().cloned(), |name| renew(client.clone(), name)).await?;
        renewals += nodes.len();
        // A part of the nodes in every round.
        let step = usize::try_from(rounds)?;
        let part = nodes.iter().skip(usize::try_from(round)?).step_by(step);
        let part: Vec<String> = part.cloned().collect();
        reports += part.len();
        each(part.into_iter(), |name| report(client.clone(), name)).await?;
        let next = RENEWAL * u32::try_from(round + 1)?;
        tokio::time::sleep(next.saturating_sub(begun.elapsed())).await;
    }
    tokio::time::sleep(last.saturating_sub(begun.elapsed())).await;
    Ok((renewals, reports))
}

async fn renew(client: Client, node: String) -> Result<()> {
    let leases = ApiResource::from_gvk(&GroupVersionKind::gvk("coordination.k8s.io", "v1", "Lease"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, "kube-node-lease", &leases);
    let now = k8s_openapi::jiff::Timestamp::now();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": node},
        "spec": {
            "holderIdentity": node, "leaseDurationSeconds": 40,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        },
    });
    let params = PatchParams::apply("kubelet").force();
    let mut patience = Patience::default();
    loop {
        let answer = api.patch(&node, &params, &Patch::Apply(&lease)).await;
        if let Some(renewed) = patience.end(answer.map(drop)).await {
            return Ok(renewed?);
        }
    }
}

async fn report(client: Client, node: String) -> Result<()> {
    let nodes = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Node"));
    let api: Api<DynamicObject> = Api::all_with(client, &nodes);
    let patch = json!({"status": {"conditions": [{
        "type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": timestamp(),
    }]}});
    let (params, patch) = (PatchParams::default(), Patch::Strategic(&patch));
    let mut patience = Patience::default();
    loop {
        let answer = api.patch_status(&node, &params, &patch).await;
        if let Some(reported) = patience.end(answer.map(drop)).await {
            return Ok(reported?);
        }
    }
}

fn timestamp() -> String {
    let now = k8s_openapi::jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn answer(code: u16) -> kube::Result<()> {
        match code {
            200 => Ok(()),
            code => Err(kube::Error::Api(
                Status::failure("busy", "Busy").with_code(code).boxed(),
            )),
        }
    }

    /// What it comes to where the API server gives these answers, and how often it failed.
    async fn outcome(answers: &[u16]) -> (Option<bool>, u32) {
        let mut patience = Patience::default();
        for code in answers {
            if let Some(end) = patience.end(answer(*code)).await {
                return (Some(end.is_ok()), patience.failed);
            }
        }
        (None, patience.failed)
    }

    #[tokio::test]
    async fn kubelets_ask_a_busy_server_again_until_it_answers() {
        assert_eq!(outcome(&[200]).await, (Some(true), 0));
        assert_eq!(outcome(&[429, 500, 503, 200]).await, (Some(true), 3));
        for refusal in [404, 409, 422] {
            assert_eq!(outcome(&[500, refusal, 200]).await, (Some(false), 1), "{refusal}");
        }
    }
}
