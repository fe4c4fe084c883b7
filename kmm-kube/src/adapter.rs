//! The loop of the driver, on an API server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use futures::StreamExt;
use kmm_core::driver::Driver;
use kmm_core::driver::Key;
use kmm_core::driver::Outcome;
use kmm_core::driver::Written;
use kmm_core::reconcile::Action;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::Node;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::names;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::watch::Sender;
use tokio::task::JoinSet;

use crate::cached::Lists;
use crate::cached::version_of;
use crate::server::CallError;
use crate::server::Server;
use crate::tell;
use crate::tell::Tell;
use crate::tell::Told;
use crate::watch;
use crate::watch::News;
use crate::watch::Source;

/// Plans that are carried out at the same time. The API server does the work; more would only wait there.
const FLIGHTS: usize = 16;
/// How long plans under way may take when the operator is to stop.
const LANDING: Duration = Duration::from_secs(10);
/// How long an own pod is waited for in its watch.
const SIGHT: Duration = Duration::from_secs(30);
/// The longest wait between questions about a write that had no answer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The driver, and what it sees and acts with.
pub(crate) struct Adapter {
    state: Mutex<State>,
    server: Server,
    /// Something may be ready.
    woken: Notify,
    /// The highest version that each watch has brought.
    progress: BTreeMap<Source, Sender<u64>>,
}

struct State {
    driver: Driver,
    lists: Lists,
    told: Told,
}

/// A plan under way.
struct Flight {
    key: Key,
    plan: Plan,
    tells: Vec<Tell>,
    node: Option<RestsOn>,
}

/// The node on which a plan rests, as the driver was shown it.
struct RestsOn {
    target: ObjectRef,
    shown: Option<Node>,
}

impl Adapter {
    pub(crate) fn new(server: Server, installation: Installation) -> Self {
        let progress = Source::ALL.into_iter().map(|source| (source, Sender::new(0)));
        Self {
            state: Mutex::new(State {
                driver: Driver::new(installation),
                lists: Lists::default(),
                told: Told::default(),
            }),
            server,
            woken: Notify::new(),
            progress: progress.collect(),
        }
    }

    /// Watches, decides and writes until `stop` is ready; then lands what is under way.
    pub(crate) async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut watches = JoinSet::new();
        for source in Source::ALL {
            let adapter = Arc::clone(&self);
            watches.spawn(async move { adapter.listen(source).await });
        }
        let mut flights = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let next = self.launch(&mut flights);
            tokio::select! {
                () = &mut stop => break,
                () = self.woken.notified() => {}
                Some(_) = flights.join_next() => {}
                () = sleep(next) => {}
            }
        }
        tracing::info!(under_way = flights.len(), "stopping");
        let landing = async { while flights.join_next().await.is_some() {} };
        if tokio::time::timeout(LANDING, landing).await.is_err() {
            tracing::warn!("some writes had no answer in time");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Decisions do not panic; if one did, the caches were still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a watch tells, for ever.
    async fn listen(&self, source: Source) {
        let mut news = std::pin::pin!(watch::news(self.server.client(), source));
        while let Some(next) = news.next().await {
            match next {
                Ok(next) => self.hear(source, next),
                Err(error) => tracing::warn!(?source, %error, "a watch broke and is taken up again"),
            }
        }
    }

    fn hear(&self, source: Source, news: News) {
        let ends = matches!(news, News::ListEnds);
        let version = {
            let mut state = self.state();
            let State { driver, lists, .. } = &mut *state;
            let version = lists.hear(driver, source, news, now());
            if ends {
                tracing::info!(?source, "listed");
                for target in lists.unreadable() {
                    tracing::error!(%target, "nothing is done while this cannot be read");
                }
            }
            version
        };
        if let Some(progress) = self.progress.get(&source) {
            progress.send_if_modified(|seen| std::mem::replace(seen, (*seen).max(version)) < version);
        }
        self.woken.notify_one();
    }

    /// Starts what is ready, as far as there is room; when the next key is due, if there is room.
    fn launch(self: &Arc<Self>, flights: &mut JoinSet<()>) -> Option<Duration> {
        while flights.len() < FLIGHTS {
            let now = now();
            let mut state = self.state();
            let State { driver, told, .. } = &mut *state;
            let Some(key) = driver.ready(now).next().cloned() else {
                return driver.next_due(now).map(|due| due.after(now));
            };
            let decided = driver.begin(&key, now);
            for reason in &decided.news {
                tracing::debug!(%key, code = reason.cause.code(), %reason, "decided");
            }
            let tells = tell::tells(driver.cache(), &key, &decided.plan.reasons);
            let tells = told.new_ones(&key, tells);
            let node = driver.rests_on_node(&key).map(|(target, shown)| RestsOn {
                target,
                shown: shown.cloned(),
            });
            drop(state);
            if decided.plan.is_empty() && tells.is_empty() {
                continue;
            }
            let adapter = Arc::clone(self);
            let flight = Flight {
                key,
                plan: decided.plan,
                tells,
                node,
            };
            flights.spawn(async move { adapter.fly(flight).await });
        }
        None
    }

    async fn fly(&self, flight: Flight) {
        let Flight {
            key,
            plan,
            tells,
            node,
        } = flight;
        if !plan.is_empty() {
            let outcome = match self.carry_out(&key, &plan, node.as_ref()).await {
                Ok(()) => Outcome::Done,
                Err(CallError::Conflict(why)) => {
                    tracing::debug!(%key, why, "another decision is needed");
                    Outcome::Behind
                }
                Err(error) => {
                    tracing::warn!(%key, %error, "a write failed, and another decision is made later");
                    Outcome::Failed
                }
            };
            self.state().driver.finish(&key, outcome, now());
            self.woken.notify_one();
        }
        for tell in &tells {
            self.tell(tell).await;
        }
    }

    /// Carries out a plan up to the first action that fails.
    async fn carry_out(&self, key: &Key, plan: &Plan, node: Option<&RestsOn>) -> Result<(), CallError> {
        if plan.writes().next().is_some() {
            self.look_again(plan, node).await?;
        }
        let mut pods: BTreeMap<Source, u64> = BTreeMap::new();
        for action in &plan.actions {
            match action {
                Action::Event(event) => {
                    let about = event.message.clone();
                    let event = event.clone();
                    self.tell(&Tell { event, about }).await;
                }
                Action::AskRegistry(_) => {
                    return Err(CallError::Impossible("registries are not asked".to_owned()));
                }
                Action::Create { .. } | Action::Patch { .. } | Action::Delete { .. } => {
                    let Some(object) = self.write(key, action).await? else {
                        continue;
                    };
                    if let Some(source) = source_of_pod(&object) {
                        pods.insert(source, version_of(&object));
                    }
                }
            }
        }
        // Two watches bring pods, and the driver tells them not apart: the right one is waited for here.
        for (source, version) in pods {
            self.wait_for(source, version).await;
        }
        Ok(())
    }

    /// Sees that what a plan rests on is still so.
    async fn look_again(&self, plan: &Plan, node: Option<&RestsOn>) -> Result<(), CallError> {
        let changed = |target: &ObjectRef| CallError::Conflict(format!("{target} is another one now"));
        for seen in &plan.basis {
            let version = self.server.version_of(&seen.target).await?;
            if version != seen.resource_version {
                return Err(changed(&seen.target));
            }
        }
        if let Some(RestsOn { target, shown }) = node {
            let now = self.server.get(target).await?;
            // By value: the version of a node changes with every heartbeat.
            let now = now.map(|object| Node::deserialize(&object)).transpose();
            if !now.is_ok_and(|now| now == *shown) {
                return Err(changed(target));
            }
        }
        Ok(())
    }

    async fn write(&self, key: &Key, action: &Action) -> Result<Option<Value>, CallError> {
        let Some(target) = action.target() else {
            return Err(CallError::Impossible("an object of no known kind".to_owned()));
        };
        match self.server.write(action).await {
            Ok(object) => {
                tracing::info!(%key, %target, action = verb(action), "written");
                self.wrote(key, &target, object.as_ref());
                Ok(object)
            }
            Err(error @ CallError::Unanswered(_)) => {
                tracing::warn!(%key, %target, %error, "it is not known whether this was written");
                if let Some(object) = self.find_out(&target).await {
                    self.wrote(key, &target, Some(&object));
                }
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn wrote(&self, key: &Key, target: &ObjectRef, object: Option<&Value>) {
        let written = match object {
            Some(object) => Written::Version(version_of(object).to_string()),
            None => Written::Gone,
        };
        let mut state = self.state();
        state.lists.written(target.kind);
        state.driver.wrote(key, target, written);
    }

    /// The object, as soon as the API server says how it is; `None` where there is none, or where that is not said.
    async fn find_out(&self, target: &ObjectRef) -> Option<Value> {
        let mut wait = Duration::from_secs(1);
        loop {
            match self.server.get(target).await {
                Ok(object) => return object,
                Err(CallError::Unanswered(_)) => {}
                Err(_) => return None,
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn wait_for(&self, source: Source, version: u64) {
        let Some(progress) = self.progress.get(&source) else {
            return;
        };
        let mut progress = progress.subscribe();
        let seen = progress.wait_for(|seen| *seen >= version);
        if tokio::time::timeout(SIGHT, seen).await.is_err() {
            tracing::warn!(?source, version, "an own write has not been seen");
        }
    }

    async fn tell(&self, tell: &Tell) {
        if let Err(error) = tell::send(&self.server, tell).await {
            tracing::warn!(reason = tell.event.reason, %error, "an event was not sent");
        }
    }
}

/// The watch that brings a pod.
fn source_of_pod(object: &Value) -> Option<Source> {
    if object["kind"] != Kind::Pod.name() {
        return None;
    }
    let labels = &object["metadata"]["labels"];
    if labels[names::MODULE_NAME].is_string() {
        Some(Source::ModulePods)
    } else if labels[names::IMAGE_OWNER].is_string() {
        Some(Source::PullPods)
    } else {
        None
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

fn verb(action: &Action) -> &'static str {
    match action {
        Action::Create { .. } => "create",
        Action::Patch { .. } => "patch",
        Action::Delete { .. } => "delete",
        Action::Event(_) => "event",
        Action::AskRegistry(_) => "ask",
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX))
}
