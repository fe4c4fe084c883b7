//! The loop of the driver, on an API server.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

use futures::StreamExt;
use kmm_core::api::KernelMapping;
use kmm_core::api::ModprobeArgs;
use kmm_core::api::Module;
use kmm_core::api::ModuleLoaderContainerSpec;
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
use kmm_core::reconcile::Pod;
use kmm_core::reconcile::RegistryQuestion;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::images::RegistryAnswer;
use kmm_core::reconcile::images::RegistryOutcome;
use kmm_core::reconcile::names;
use kmm_core::reconcile::node_modules;
use kmm_core::resolve::ModuleName;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::sync::watch::Sender;
use tokio::task::Id;
use tokio::task::JoinError;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cached::Lists;
use crate::cached::version_of;
use crate::kubelets;
use crate::leader::Term;
use crate::metrics::Metrics;
use crate::metrics::ModuleFacts;
use crate::metrics::Snapshot;
use crate::moments::Moments;
use crate::observe::Readiness;
use crate::questions::Registries;
use crate::server::CallError;
use crate::server::Server;
use crate::tell;
use crate::tell::Tell;
use crate::tell::Told;
use crate::watch;
use crate::watch::News;
use crate::watch::Source;
use crate::words::words;

/// Plans that are carried out at the same time. The API server does the work; more would only wait there.
const FLIGHTS: usize = 16;
/// How long plans under way may take when the operator is to stop.
const LANDING: Duration = Duration::from_secs(10);
/// How long an own pod is waited for in its watch.
const SIGHT: Duration = Duration::from_secs(30);
/// The first wait between questions about a write that had no answer.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long an API server may take to read the roles when it starts.
const READING: Duration = Duration::from_secs(20);
/// The longest wait between questions about a write that had no answer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The driver, and what it sees and acts with.
pub(crate) struct Adapter {
    state: Mutex<State>,
    server: Server,
    /// As long as it lasts, something may be written.
    term: Term,
    registries: Registries,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    /// Something may be ready.
    woken: Notify,
    /// The highest version that each watch has brought.
    progress: BTreeMap<Source, Sender<u64>>,
}

struct State {
    driver: Driver,
    lists: Lists,
    moments: Moments,
    told: Told,
    /// The codes of the reasons of the last decision for each key.
    said: BTreeMap<Key, Box<[&'static str]>>,
}

/// What an adapter works with.
pub(crate) struct Parts {
    pub(crate) server: Server,
    pub(crate) term: Term,
    pub(crate) registries: Registries,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Readiness,
}

/// Why the work cannot go on.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// A watch ended by itself.
    #[error("the watch of {0} ended")]
    Ended(Source),
    /// A watch panicked.
    #[error("the watch of {0} broke down")]
    Panicked(Source, #[source] JoinError),
    /// What carries out a plan panicked.
    #[error("a write broke down")]
    Write(#[source] JoinError),
}

/// The watches. None of them has an end.
#[derive(Default)]
struct Watches {
    tasks: JoinSet<()>,
    sources: HashMap<Id, Source>,
}

impl Watches {
    fn spawn(&mut self, source: Source, watch: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(watch);
        self.sources.insert(task.id(), source);
    }

    /// Waits until one of them ends.
    async fn broken(&mut self) -> Broken {
        let source = |id| self.sources.get(&id).copied();
        let broken = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => source(id).map(Broken::Ended),
            Some(Err(error)) => source(error.id()).map(|source| Broken::Panicked(source, error)),
            None => None,
        };
        match broken {
            Some(broken) => broken,
            // There are none.
            None => std::future::pending().await,
        }
    }
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
    pub(crate) fn new(parts: Parts, installation: Installation) -> Self {
        let Parts {
            server,
            term,
            registries,
            metrics,
            readiness,
        } = parts;
        let progress = Source::ALL.into_iter().map(|source| (source, Sender::new(0)));
        Self {
            state: Mutex::new(State {
                driver: Driver::new(installation),
                lists: Lists::default(),
                moments: Moments::default(),
                told: Told::default(),
                said: BTreeMap::new(),
            }),
            server,
            term,
            registries,
            metrics,
            readiness,
            woken: Notify::new(),
            progress: progress.collect(),
        }
    }

    /// Watches, decides and writes until `stop` is ready; then lands what is under way.
    ///
    /// # Errors
    ///
    /// When a part of it ends that has no end: without one of its watches it would go on with what it saw last.
    pub(crate) async fn run(self: Arc<Self>, stop: impl Future<Output = ()>) -> Result<(), Broken> {
        let mut watches = Watches::default();
        for source in Source::ALL {
            let adapter = Arc::clone(&self);
            watches.spawn(source, async move { adapter.listen(source).await });
        }
        self.work(watches, stop).await
    }

    async fn work(
        self: Arc<Self>,
        mut watches: Watches,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Broken> {
        let mut flights = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        let ended = loop {
            let next = self.launch(&mut flights);
            tokio::select! {
                () = &mut stop => break Ok(()),
                broken = watches.broken() => break Err(broken),
                () = self.woken.notified() => {}
                Some(landed) = flights.join_next() => if let Err(error) = landed {
                    // Its key would be under way for ever.
                    break Err(Broken::Write(error));
                },
                () = sleep(next) => {}
            }
        };
        if let Err(broken) = &ended {
            tracing::error!(%broken, "stopping");
        }
        tracing::info!(under_way = flights.len(), "stopping");
        let landing = async { while flights.join_next().await.is_some() {} };
        if tokio::time::timeout(LANDING, landing).await.is_err() {
            tracing::warn!("some writes had no answer in time");
        }
        ended
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
                Err(error) => {
                    self.metrics.watch_broke(source.kind().name());
                    let error = words(&error);
                    tracing::warn!(?source, error, "a watch broke and is taken up again");
                }
            }
        }
    }

    fn hear(&self, source: Source, news: News) {
        let ends = matches!(news, News::ListEnds);
        let version = {
            let mut state = self.state();
            let State {
                driver,
                lists,
                moments,
                ..
            } = &mut *state;
            moments.hear(source, &news, Instant::now());
            if source == Source::Nodes
                && let News::Is(node) = &news
            {
                kubelets::hear(driver, node);
            }
            let version = lists.hear(driver, source, news, now());
            if ends {
                tracing::info!(?source, "listed");
                for target in lists.unreadable() {
                    tracing::error!(%target, "nothing is done while this cannot be read");
                }
            }
            if lists.are_complete() {
                self.readiness.is_there();
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
            let State {
                driver,
                told,
                said,
                moments,
                ..
            } = &mut *state;
            let at = Instant::now();
            let Some(key) = next(driver, moments, now, at) else {
                let due = driver.next_due(now).map(|due| due.after(now));
                return due.into_iter().chain(moments.next(at)).min();
            };
            moments.decided(&key, at);
            let decided = driver.begin(&key, now);
            if decided.plan.reasons.is_empty() {
                said.remove(&key);
            } else {
                let codes = decided.plan.reasons.iter().map(|reason| reason.cause.code());
                said.insert(key.clone(), codes.collect());
            }
            for reason in &decided.news {
                self.metrics.decided(reason.cause.code());
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

    async fn fly(self: Arc<Self>, flight: Flight) {
        let Flight {
            key,
            plan,
            tells,
            node,
        } = flight;
        if !plan.is_empty() {
            let begun = Instant::now();
            let (outcome, result) = match self.carry_out(&key, &plan, node.as_ref()).await {
                Ok(()) => (Outcome::Done, "done"),
                Err(CallError::Conflict(why)) => {
                    tracing::debug!(%key, why, "another decision is needed");
                    (Outcome::Behind, "behind")
                }
                Err(error) => {
                    tracing::warn!(%key, %error, "a write failed, and another decision is made later");
                    (Outcome::Failed, "failed")
                }
            };
            self.metrics.reconciled(key.controller(), result, begun.elapsed());
            self.state().driver.finish(&key, outcome, now());
            self.woken.notify_one();
        }
        for tell in &tells {
            self.tell(tell).await;
        }
    }

    /// Carries out a plan up to the first action that fails.
    async fn carry_out(
        self: &Arc<Self>,
        key: &Key,
        plan: &Plan,
        node: Option<&RestsOn>,
    ) -> Result<(), CallError> {
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
                Action::AskRegistry(question) => self.ask(question),
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
        for (node, module) in plan.actions.iter().filter_map(unloads) {
            // The label has gone, but who came before that may be on the way through the watch.
            let pods = self.server.pods_of(&module, &node).await?;
            let pods: Vec<Pod> = pods.into_iter().filter(Pod::is_plugin).collect();
            if let Some(user) = node_modules::users(&pods, &module).first() {
                let why = format!(
                    "the pod {user} uses {}/{} on {node}",
                    module.namespace, module.name
                );
                return Err(CallError::Conflict(why));
            }
        }
        Ok(())
    }

    async fn write(&self, key: &Key, action: &Action) -> Result<Option<Value>, CallError> {
        let Some(target) = action.target() else {
            return Err(CallError::Impossible("an object of no known kind".to_owned()));
        };
        if !self.term.lasts() {
            return Err(CallError::Impossible(
                "this is not the leader any more".to_owned(),
            ));
        }
        let answer = self.server.write(action).await;
        let result = match &answer {
            Ok(_) => "done",
            Err(CallError::Conflict(_)) => "conflict",
            Err(CallError::Refused(_) | CallError::Impossible(_)) => "refused",
            Err(CallError::Unanswered(_)) => "unanswered",
        };
        self.metrics.wrote(target.kind.name(), verb(action), result);
        match answer {
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
            Err(CallError::Conflict(why)) => match action {
                Action::Create { object } => Err(self.name_taken(&target, object, why).await),
                _ => Err(CallError::Conflict(why)),
            },
            Err(error) => Err(error),
        }
    }

    /// Why an object was there already: the caches are behind, or it is somebody else's, which no watch will ever bring.
    async fn name_taken(&self, target: &ObjectRef, object: &Value, why: String) -> CallError {
        match self.server.get(target).await {
            Ok(Some(there)) if !is_watched(&there) => {}
            _ => return CallError::Conflict(why),
        }
        let tell = tell::name_taken(self.state().driver.cache(), target, object);
        if let Some(tell) = tell {
            self.metrics.decided(tell::NAME_TAKEN);
            self.tell(&tell).await;
        }
        CallError::Refused(format!("{target} is there already, and is not the operator's"))
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
    ///
    /// An API server that starts refuses everything until it has read the roles: a refusal counts when it lasts.
    async fn find_out(&self, target: &ObjectRef) -> Option<Value> {
        let mut wait = FIRST_WAIT;
        let mut refused = None;
        loop {
            match self.server.get(target).await {
                Ok(object) => return object,
                Err(CallError::Unanswered(_)) => refused = None,
                Err(error) => {
                    let since = *refused.get_or_insert_with(Instant::now);
                    if since.elapsed() >= READING {
                        tracing::warn!(%target, %error, "it stays unknown whether this was written");
                        return None;
                    }
                }
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

    /// Asks a registry beside everything else; a question that is being asked is not asked again.
    fn ask(self: &Arc<Self>, question: &RegistryQuestion) {
        if !self.registries.note(question) {
            return;
        }
        let (adapter, question) = (Arc::clone(self), question.clone());
        tokio::spawn(async move {
            let outcome = adapter.registries.ask(&question).await;
            let RegistryQuestion { asker, image, .. } = &question;
            adapter.metrics.asked_registry(match &outcome {
                RegistryOutcome::Found => "found",
                RegistryOutcome::Missing => "missing",
                RegistryOutcome::Failed { .. } => "failed",
            });
            tracing::info!(%asker, image, ?outcome, "a registry was asked");
            let (mut state, now) = (adapter.state(), now());
            let answer = RegistryAnswer {
                outcome,
                at: now,
                attempts: state.driver.attempts(asker, image).saturating_add(1),
                generation: question.generation,
            };
            state.driver.answered(asker, image, answer, now);
            drop(state);
            adapter.woken.notify_one();
        });
    }

    /// How everything is at the moment, for those who measure.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let modules = state.driver.cache().all(Kind::Module);
        let backlog = state.driver.backlog(now());
        let mut reasons = BTreeMap::new();
        for code in state.said.values().flatten() {
            *reasons.entry(*code).or_default() += 1;
        }
        Snapshot {
            modules: modules.filter_map(|seen| Some(facts(seen.module()?.0))).collect(),
            queue: [
                ("due", backlog.due),
                ("later", backlog.later),
                ("under_way", backlog.under_way),
            ],
            reasons,
        }
    }

    async fn tell(&self, tell: &Tell) {
        if !self.term.lasts() {
            return;
        }
        if let Err(error) = tell::send(&self.server, tell).await {
            tracing::warn!(reason = tell.event.reason, %error, "an event was not sent");
        }
    }
}

/// What is to be decided next.
fn next(driver: &Driver, moments: &Moments, now: Timestamp, at: Instant) -> Option<Key> {
    let mut of_modules = driver.ready_of_modules(now);
    let urgent = of_modules.find(|key| moments.is_urgent(key, at) && !moments.hold(key, at));
    let usual = || driver.ready(now).find(|key| !moments.hold(key, at));
    urgent.or_else(usual).cloned()
}

/// What metrics tell of a Module.
fn facts(module: &Module) -> ModuleFacts {
    let container = module.spec.module_loader.as_ref().map(|loader| &loader.container);
    let mappings = || {
        container
            .into_iter()
            .flat_map(|container| &container.kernel_mappings)
    };
    let has = |part: fn(&ModuleLoaderContainerSpec) -> bool, of_mapping: fn(&KernelMapping) -> bool| {
        container.is_some_and(part) || mappings().any(of_mapping)
    };
    let modprobe = container.map(|container| &container.modprobe);
    let load = |args: Option<&ModprobeArgs>| args.map(|args| args.load.clone()).unwrap_or_default();
    ModuleFacts {
        namespace: module.metadata.namespace.clone(),
        name: module.metadata.name.clone(),
        build: has(
            |container| container.build.is_some(),
            |mapping| mapping.build.is_some(),
        ),
        sign: has(
            |container| container.sign.is_some(),
            |mapping| mapping.sign.is_some(),
        ),
        device_plugin: module.spec.device_plugin.is_some(),
        load_args: load(modprobe.and_then(|modprobe| modprobe.args.as_ref())),
        raw_load_args: load(modprobe.and_then(|modprobe| modprobe.raw_args.as_ref())),
    }
}

/// The node and the Module of an action that has a module unloaded.
fn unloads(action: &Action) -> Option<(String, ModuleName)> {
    let Action::Create { object } = action else {
        return None;
    };
    let metadata = &object["metadata"];
    if metadata["labels"][names::WORKER_ACTION] != names::UNLOAD {
        return None;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let module = ModuleName {
        name: text(&metadata["labels"][names::MODULE_NAME])?,
        namespace: text(&metadata["namespace"])?,
    };
    Some((text(&object["spec"]["nodeName"])?, module))
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

/// Whether an object is of those that a watch brings.
fn is_watched(object: &Value) -> bool {
    match object["kind"].as_str() {
        Some("Pod") => source_of_pod(object).is_some(),
        Some("DaemonSet") => object["metadata"]["labels"][names::MODULE_NAME].is_string(),
        _ => true,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One that asks nobody for anything.
    fn idle() -> Arc<Adapter> {
        adapter(http::Uri::from_static("http://127.0.0.1:1"))
    }

    fn adapter(address: http::Uri) -> Arc<Adapter> {
        let server = Server::new(kube::Client::try_from(kube::Config::new(address)).unwrap());
        let parts = Parts {
            registries: Registries::new(server.clone(), kmm_oci::registry::Options::default()),
            server,
            term: Term::without_end(),
            metrics: Metrics::new(),
            readiness: Readiness::default(),
        };
        Arc::new(Adapter::new(parts, Installation::default()))
    }

    async fn work(nodes: impl Future<Output = ()> + Send + 'static) -> Result<(), Broken> {
        let mut watches = Watches::default();
        watches.spawn(Source::Modules, std::future::pending());
        watches.spawn(Source::Nodes, nodes);
        idle().work(watches, std::future::pending()).await
    }

    #[tokio::test]
    async fn the_end_of_a_watch_is_an_error_that_says_which() {
        let ended = work(async {}).await.unwrap_err();
        assert_eq!(ended.to_string(), "the watch of nodes ended");
    }

    #[tokio::test]
    async fn a_panic_in_a_watch_is_an_error_that_says_which() {
        let broken = work(async { assert_eq!(1, 2, "as a test") }).await.unwrap_err();
        assert_eq!(broken.to_string(), "the watch of nodes broke down");
        let cause = std::error::Error::source(&broken).unwrap().to_string();
        assert!(cause.contains("as a test"), "{cause}");
    }

    #[tokio::test]
    async fn work_ends_well_when_it_is_asked_to() {
        let mut watches = Watches::default();
        watches.spawn(Source::Nodes, std::future::pending());
        idle().work(watches, async {}).await.unwrap();
    }

    /// Answers one request after the other, and gives the adapter that asks.
    async fn answered(answers: [(&'static str, Value); 2]) -> Arc<Adapter> {
        use tokio::io::AsyncReadExt;
        use tokio::io::AsyncWriteExt;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for (status, body) in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(connection.read_u8().await.unwrap());
                }
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                connection.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        adapter(address.parse().unwrap())
    }

    /// It refuses everything until it has read the roles.
    #[tokio::test]
    async fn an_api_server_that_starts_is_asked_again() {
        let refusal = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
            "message": "namespaces \"drivers\" is forbidden", "metadata": {},
        });
        let namespace = serde_json::json!({
            "kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "drivers", "resourceVersion": "7"},
        });
        let adapter = answered([("403 Forbidden", refusal), ("200 OK", namespace)]).await;
        let found = adapter
            .find_out(&ObjectRef::cluster(Kind::Namespace, "drivers"))
            .await;
        assert_eq!(version_of(&found.unwrap()), 7);
    }

    /// What no watch brings would be retried without a word.
    #[test]
    fn objects_of_others_are_told_from_own_ones() {
        let of = |kind: &str, label: &str| {
            is_watched(&serde_json::json!({"kind": kind, "metadata": {"labels": {label: "nic"}}}))
        };
        for (kind, label) in [
            ("Pod", names::MODULE_NAME),
            ("Pod", names::IMAGE_OWNER),
            ("DaemonSet", names::MODULE_NAME),
            ("NodeModulesConfig", "app"),
        ] {
            assert!(of(kind, label), "{kind} {label}");
        }
        assert!(!of("Pod", "app"));
        assert!(!of("DaemonSet", names::IMAGE_OWNER));
    }

    #[test]
    fn a_kubelet_is_asked_node_by_node() {
        let mut driver = Driver::new(Installation::default());
        let node = |version: &str| {
            serde_json::json!({
                "metadata": {"name": "w1"}, "status": {"nodeInfo": {"kubeletVersion": version}},
            })
        };
        kubelets::hear(&mut driver, &node("v1.34.9"));
        assert!(!driver.set_image_volumes("w1", false), "it was old");
        kubelets::hear(&mut driver, &node("v1.35.0"));
        assert!(!driver.set_image_volumes("w1", true), "it was upgraded");
    }
}
