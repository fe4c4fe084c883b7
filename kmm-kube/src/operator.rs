//! The operator: watches, decisions, writes.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::SystemTime;

use futures::StreamExt;
use kmm_core::reconcile::Action;
use kmm_core::reconcile::ConfigError;
use kmm_core::reconcile::ImageCheck;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::OperatorConfig;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::Timestamp;
use kube::Client;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::queue::Again;
use crate::queue::Queue;
use crate::server::CallError;
use crate::server::Server;
use crate::tell;
use crate::tell::Tell;
use crate::tell::Told;
use crate::watch;
use crate::world;
use crate::world::Controller;
use crate::world::Key;
use crate::world::News;
use crate::world::Source;
use crate::world::Subject;
use crate::world::World;

/// Plans that are carried out at the same time. The API server does the work; more would only wait there.
const WORKERS: usize = 16;

/// What an operator needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration file.
    pub config: OperatorConfig,
    /// Image of the worker.
    pub worker_image: String,
}

/// Why the operator does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The kubeconfig cannot be used.
    #[error("no way to a cluster")]
    Kubeconfig(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server gives no answer.
    #[error("the API server gives no answer")]
    Unreachable(#[source] Box<kube::Error>),
}

/// What the configuration asks for and this operator cannot do. It is better not to start than to leave it out.
///
/// # Example: two operators cannot share a cluster yet
///
/// ```
/// use kmm_core::reconcile::OperatorConfig;
/// use kmm_kube::operator;
///
/// let config = OperatorConfig::default();
/// assert_eq!(operator::unsupported(&config)[0].path, "leaderElection.enabled");
/// ```
pub fn unsupported(config: &OperatorConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut refuse = |path: &str, problem: &str| {
        errors.push(ConfigError {
            path: path.to_owned(),
            problem: problem.to_owned(),
        });
    };
    if config.leader_election.enabled {
        refuse(
            "leaderElection.enabled",
            "there is no leader election: set it to false, and run one operator only",
        );
    }
    match config.images.check {
        ImageCheck::Pod => {}
        ImageCheck::Registry => refuse(
            "images.check",
            "the operator cannot ask registries itself: use `pod`",
        ),
    }
    errors
}

/// The way to a cluster: a kubeconfig, or without one what `kubectl` would use, or the service account of the pod.
///
/// # Errors
///
/// When there is no such file or context, or it cannot be used.
pub async fn connect(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client, StartError> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(unusable)?;
            Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(unusable)
        }
        None if context.is_some() => Config::from_kubeconfig(&options).await.map_err(unusable),
        None => Config::infer().await.map_err(unusable),
    };
    Client::try_from(config?).map_err(unusable)
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> StartError {
    StartError::Kubeconfig(Box::new(error))
}

/// Runs the operator until `stop` is ready. What is being written then is finished.
///
/// # Errors
///
/// When the API server cannot be reached at the start. Later it is waited for.
pub async fn run(
    client: Client,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let version = client
        .apiserver_version()
        .await
        .map_err(|error| StartError::Unreachable(Box::new(error)))?;
    tracing::info!(kubernetes = version.git_version, "the API server answers");
    let installation = Installation {
        config: settings.config,
        worker_image: settings.worker_image,
        image_volumes: world::has_image_volumes(&version.git_version),
    };
    let operator = Arc::new(Operator {
        state: Mutex::new(State {
            world: World::new(installation),
            assigning: BTreeSet::new(),
            doubts: HashMap::new(),
            told: Told::default(),
        }),
        queue: Queue::default(),
        server: Server::new(client),
    });
    let mut watches = JoinSet::new();
    for source in Source::ALL {
        let operator = Arc::clone(&operator);
        watches.spawn(async move { operator.listen(source).await });
    }
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let operator = Arc::clone(&operator);
        workers.spawn(async move { operator.work().await });
    }
    stop.await;
    tracing::info!(left = operator.queue.depth(), "stopping");
    operator.queue.close();
    watches.abort_all();
    while workers.join_next().await.is_some() {}
    Ok(())
}

struct Operator {
    state: Mutex<State>,
    queue: Queue<Key>,
    server: Server,
}

struct State {
    world: World,
    /// Nodes whose NodeModulesConfig is being written.
    assigning: BTreeSet<String>,
    /// Objects of which it is not known what the last write did.
    doubts: HashMap<Key, Vec<ObjectRef>>,
    told: Told,
}

impl Operator {
    fn state(&self) -> MutexGuard<'_, State> {
        // The decisions do not panic; if one did, the stores were still whole.
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
        let wakened = {
            let mut state = self.state();
            let was_complete = state.world.is_complete();
            state.world.hear(source, news);
            if !was_complete && state.world.is_complete() {
                tracing::info!("everything is listed: the work begins");
            }
            state.world.wakened()
        };
        if !wakened.is_empty() {
            self.queue.add(wakened);
        }
    }

    /// Takes in what the API server answered.
    fn learn(&self, target: &ObjectRef, object: Option<serde_json::Value>) {
        let wakened = {
            let mut state = self.state();
            state.world.answered(target, object);
            state.world.wakened()
        };
        self.queue.add(wakened);
    }

    /// Looks at one key after the other, until the queue is closed.
    async fn work(&self) {
        while let Some(key) = self.queue.next().await {
            let again = self.look(&key).await;
            self.queue.done(&key, again);
        }
    }

    async fn look(&self, key: &Key) -> Again {
        if let Err(error) = self.settle_doubts(key).await {
            tracing::warn!(%key, %error, "what became of an earlier write is not known yet");
            return Again::Failed;
        }
        let (plan, tells) = self.decide(key);
        let outcome = self.carry_out(key, &plan).await;
        if let Subject::Node(node) = &key.subject
            && key.controller == Controller::Assign
        {
            self.state().assigning.remove(node);
        }
        for tell in &tells {
            self.tell(tell).await;
        }
        match (outcome, plan.requeue_after) {
            (Ok(()), None) => Again::WhenChanged,
            (Ok(()), Some(wait)) => Again::After(wait),
            (Err(CallError::Conflict(why)), _) => {
                tracing::debug!(%key, why, "another decision is needed");
                Again::Failed
            }
            (Err(error), _) => {
                tracing::warn!(%key, %error, "a write failed and is tried again");
                Again::Failed
            }
        }
    }

    fn decide(&self, key: &Key) -> (Plan, Vec<Tell>) {
        let (planned, tells, wakened) = {
            let mut state = self.state();
            let State {
                world,
                assigning,
                told,
                ..
            } = &mut *state;
            let mut planned = world.plan(key, now(), assigning);
            if let (Controller::Assign, Subject::Node(node)) = (key.controller, &key.subject)
                && planned.plan.writes().next().is_some()
            {
                assigning.insert(node.clone());
            }
            let tells = told.new_ones(key, std::mem::take(&mut planned.tells));
            (planned, tells, world.wakened())
        };
        self.queue.add(wakened);
        for reason in &planned.plan.reasons {
            tracing::trace!(%key, code = reason.cause.code(), %reason, "decided");
        }
        (planned.plan, tells)
    }

    /// Carries out a plan up to the first action that fails.
    async fn carry_out(&self, key: &Key, plan: &Plan) -> Result<(), CallError> {
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
                    self.write(key, action).await?;
                }
            }
        }
        Ok(())
    }

    async fn write(&self, key: &Key, action: &Action) -> Result<(), CallError> {
        let Some(target) = action.target() else {
            return Err(CallError::Impossible("an object of no known kind".to_owned()));
        };
        match self.server.write(action).await {
            Ok(object) => {
                tracing::info!(%key, %target, action = verb(action), "written");
                self.learn(&target, object);
                Ok(())
            }
            Err(error) => {
                // Whatever went wrong: what is known of the object is not to be trusted.
                self.state().doubts.entry(key.clone()).or_default().push(target);
                if let Err(error) = self.settle_doubts(key).await {
                    tracing::debug!(%key, %error, "an object cannot be read");
                }
                Err(error)
            }
        }
    }

    /// Reads the objects that failed writes were about.
    async fn settle_doubts(&self, key: &Key) -> Result<(), CallError> {
        loop {
            let target = self
                .state()
                .doubts
                .get(key)
                .and_then(|doubts| doubts.last().cloned());
            let Some(target) = target else {
                self.state().doubts.remove(key);
                return Ok(());
            };
            let object = self.server.get(&target).await?;
            self.learn(&target, object);
            if let Some(doubts) = self.state().doubts.get_mut(key) {
                doubts.pop();
            }
        }
    }

    async fn tell(&self, tell: &Tell) {
        if let Err(error) = tell::send(&self.server, tell).await {
            tracing::warn!(reason = tell.event.reason, %error, "an event was not sent");
        }
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
