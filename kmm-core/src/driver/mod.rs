//! One loop round the operator's decisions: caches, a queue, and when which controller may decide.
//!
//! The functions in [`reconcile`](crate::reconcile) say what is to be done for one object. A [`Driver`] says for which
//! object they are asked, and when: it holds the caches, turns each change into [`Key`]s of controllers, keeps the counts
//! of Modules, and remembers what it wrote and has not seen come back. It does no I/O and has no clock: an adapter feeds
//! it what its watches bring, and carries plans out.
//!
//! # The loop of an adapter
//!
//! 1. List and watch each kind of [`WATCHED`], consistently with the API server (no list from its cache), and bring each
//!    change to [`Driver::observe`], the end of each list to [`Driver::listed`].
//! 2. Take one of [`Driver::ready`], ask [`Driver::begin`] for its plan.
//! 3. Before the first action read each object of [`Plan::basis`](crate::reconcile::Plan::basis) and see that it has that
//!    version, and the node of [`Driver::rests_on_node`] and see that it is as it was shown when [`Driver::begin`] decided
//!    (so ask for it then: the caches go on); where that is not so, [`Driver::finish`] with [`Outcome::Behind`].
//!    Before a worker pod is made that unloads, ask for the plugin pods of its Module on the node too, and see that none of
//!    them is one of its [`users`](crate::reconcile::node_modules::users): their watch may be behind.
//! 4. Carry the actions out in order. Tell each answer to [`Driver::wrote`]. The first that fails ends the plan.
//! 5. [`Driver::finish`]. Where nothing is ready, wait for a change or for [`Driver::next_due`].
//!
//! Plans of different keys may be carried out at the same time; of one key there is never more than one.
//!
//! # Why own writes are remembered
//!
//! A cache that does not have an own write yet would decide from the past: it would unload a module and leave a `.ready`
//! label that it does not know of, or let a Module go whose last node was assigned a moment ago. So a key is not ready
//! while an object that it reads has a version of ours that the cache has not. After a restart the first lists have all
//! that was written before.

mod cache;
mod candidates;
mod key;
mod object;
mod queue;
mod shares;
mod view;
mod wake;

pub use cache::Cache;
pub use cache::Change;
pub use key::Key;
pub use object::Compilation;
pub use object::Object;
pub use object::ReadError;
pub use object::Seen;
pub use queue::Backlog;
pub use queue::Outcome;
pub use queue::Written;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::reconcile::Installation;
use crate::reconcile::Kind;
use crate::reconcile::Node;
use crate::reconcile::ObjectRef;
use crate::reconcile::Plan;
use crate::reconcile::Reason;
use crate::reconcile::Timestamp;
use crate::reconcile::images::RegistryAnswer;
use crate::resolve::ModuleName;

use candidates::Candidates;
use queue::Queue;
use queue::Unseen;
use shares::Shares;

/// The kinds that are watched.
pub const WATCHED: [Kind; 7] = [
    Kind::DaemonSet,
    Kind::Module,
    Kind::ModuleImagesConfig,
    Kind::Namespace,
    Kind::Node,
    Kind::NodeModulesConfig,
    Kind::Pod,
];

/// What a controller decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// What is to be done.
    pub plan: Plan,
    /// Those of its reasons that were not true the last time: what people are told.
    pub news: Vec<Reason>,
}

/// The operator but for its I/O.
#[derive(Clone, Debug)]
pub struct Driver {
    installation: Installation,
    /// Nodes whose kubelets mount no images as volumes, where others may.
    old_kubelets: BTreeSet<String>,
    cache: Cache,
    listed: BTreeSet<Kind>,
    queue: Queue,
    unseen: Unseen,
    candidates: Candidates,
    shares: Shares,
    answers: BTreeMap<ModuleName, BTreeMap<String, RegistryAnswer>>,
    /// Fingerprints of what was said of each key the last time. The reasons themselves would be most of the memory.
    said: BTreeMap<Key, Box<[u64]>>,
}

impl Driver {
    /// An operator that has seen nothing yet.
    pub fn new(installation: Installation) -> Self {
        Self {
            installation,
            old_kubelets: BTreeSet::new(),
            cache: Cache::default(),
            listed: BTreeSet::new(),
            queue: Queue::default(),
            unseen: Unseen::default(),
            candidates: Candidates::default(),
            shares: Shares::default(),
            answers: BTreeMap::new(),
            said: BTreeMap::new(),
        }
    }

    /// What it sees.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Takes a change over from a watch or a list.
    pub fn observe(&mut self, change: &Change, now: Timestamp) {
        let target = change.target();
        self.queue.advance(now);
        self.unseen.observe(change);
        let before = self.cache.apply(change);
        let after = self.cache.find(target).cloned();
        wake::wake(self, target, before.as_deref(), after.as_deref(), now);
        if target.kind == Kind::Node && after.is_none() {
            self.old_kubelets.remove(&target.name);
        }
        if before.as_deref().is_some_and(|seen| seen.module().is_some()) && after.is_none() {
            let name = ModuleName {
                name: target.name.clone(),
                namespace: target.namespace.clone(),
            };
            self.shares.forget(&name);
            self.answers.remove(&name);
        }
    }

    /// A list of a kind is complete; it was asked for after every write that was told before.
    pub fn listed(&mut self, kind: Kind) {
        self.unseen.listed(kind);
        self.listed.insert(kind);
    }

    /// The keys that may decide now.
    ///
    /// Nodes go first: the counts of Modules are theirs.
    pub fn ready(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let started = self.is_started();
        let due = self.queue.due(now).filter(move |_| started);
        due.filter(move |key| !self.is_blocked(key, now))
    }

    /// Those of [`Driver::ready`] that are about a Module or a namespace.
    pub fn ready_of_modules(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let started = self.is_started();
        let due = self.queue.due_of_modules(now).filter(move |_| started);
        due.filter(move |key| !self.is_blocked(key, now))
    }

    /// Whether each kind has been listed once.
    fn is_started(&self) -> bool {
        WATCHED.iter().all(|kind| self.listed.contains(kind))
    }

    /// When the next key is due that is not due yet.
    pub fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.queue.next_after(now)
    }

    /// Whether nothing is due, under way or not yet seen.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.queue.due(now).next().is_none() && !self.queue.is_anything_under_way() && self.unseen.is_empty()
    }

    fn is_blocked(&self, key: &Key, now: Timestamp) -> bool {
        if self.queue.is_under_way(key) || self.unseen.blocks(key) {
            return true;
        }
        match key {
            Key::Module(name) | Key::DevicePlugin(name) => {
                let waits = |other: &Key| matches!(other, Key::Assign(_));
                // The counts are complete when every node has been looked at. Nodes come first among those that are due.
                if self.queue.due(now).next().is_some_and(waits) {
                    return true;
                }
                // A node that is being assigned the Module holds it, and so does a worker pod.
                self.cache.is_module_deleting(name)
                    && (self.queue.under_way().any(waits)
                        || self.unseen.has(Kind::NodeModulesConfig)
                        || self.unseen.has_worker_of(name))
            }
            Key::Assign(_)
            | Key::Images(_)
            | Key::NodeModules(_)
            | Key::PluginLabels(_)
            | Key::Namespace(_) => false,
        }
    }

    /// Decides for a key. Where there is something to do the key is under way until [`Driver::finish`].
    pub fn begin(&mut self, key: &Key, now: Timestamp) -> Decided {
        self.queue.advance(now);
        self.queue.take(key);
        let plan = view::decide(self, key, now);
        if let Some(wait) = plan.requeue_after {
            self.queue.wake(key.clone(), now.plus(wait), now);
        }
        let said: Box<[u64]> = plan.reasons.iter().map(fingerprint).collect();
        let before = match said.is_empty() {
            true => self.said.remove(key),
            false => self.said.insert(key.clone(), said.clone()),
        };
        let before: HashSet<u64> = before.into_iter().flatten().collect();
        let news = plan.reasons.iter().zip(&said);
        let news = news.filter(|(_, fingerprint)| !before.contains(fingerprint));
        let news = news.map(|(reason, _)| reason.clone()).collect();
        if !plan.is_empty() {
            self.queue.begin(key);
        }
        Decided { plan, news }
    }

    /// The node on which a plan of a key rests, as it was shown (`None` where there is none); `None` where the plan rests on
    /// no node.
    ///
    /// What a worker pod did is judged by the boot of its node, so a node must not be older than its pods. It is compared by
    /// value, because its version changes with every heartbeat.
    pub fn rests_on_node(&self, key: &Key) -> Option<(ObjectRef, Option<&Node>)> {
        match key {
            Key::NodeModules(node) => Some((
                ObjectRef::cluster(Kind::Node, node.as_str()),
                self.cache.node(node),
            )),
            Key::Assign(_)
            | Key::PluginLabels(_)
            | Key::Module(_)
            | Key::Images(_)
            | Key::DevicePlugin(_)
            | Key::Namespace(_) => None,
        }
    }

    /// A write of a plan of `by` was answered.
    pub fn wrote(&mut self, by: &Key, target: &ObjectRef, written: Written) {
        self.unseen.wrote(by, target, written, &self.cache);
    }

    /// A registry has answered, or could not.
    pub fn answered(&mut self, asker: &ObjectRef, image: &str, answer: RegistryAnswer, now: Timestamp) {
        let name = ModuleName {
            name: asker.name.clone(),
            namespace: asker.namespace.clone(),
        };
        let answers = self.answers.entry(name.clone()).or_default();
        answers.insert(image.to_owned(), answer);
        self.queue.wake(Key::Images(name), now, now);
    }

    /// How often a registry was asked for an image.
    pub fn attempts(&self, asker: &ObjectRef, image: &str) -> u32 {
        let name = ModuleName {
            name: asker.name.clone(),
            namespace: asker.namespace.clone(),
        };
        let answers = self.answers.get(&name);
        answers
            .and_then(|answers| answers.get(image))
            .map_or(0, |answer| answer.attempts)
    }

    /// A plan has come to its end.
    pub fn finish(&mut self, key: &Key, outcome: Outcome, now: Timestamp) {
        self.queue.finish(key, outcome, now);
    }

    /// Whether a node mounts images as volumes from now on: its worker pods are made for that. Tells whether that is news.
    ///
    /// Before it is told of a node, what the installation says holds for it, and where no node of an installation can do
    /// it, none does.
    pub fn set_image_volumes(&mut self, node: &str, image_volumes: bool) -> bool {
        if image_volumes {
            self.old_kubelets.remove(node)
        } else {
            self.old_kubelets.insert(node.to_owned())
        }
    }

    /// How many keys are due at a time, put off until later, and under way.
    pub fn backlog(&self, now: Timestamp) -> Backlog {
        self.queue.backlog(now)
    }
}

/// A number that tells reasons apart: that two of one key have the same one is not to be expected in the life of a cluster,
/// and would leave one event out.
fn fingerprint(reason: &Reason) -> u64 {
    let mut hasher = DefaultHasher::new();
    reason.hash(&mut hasher);
    hasher.finish()
}

/// Mistakes that tests are to find.
#[cfg(any(all(test, feature = "yaml"), feature = "faults"))]
impl Driver {
    /// Nothing is remembered of what was written.
    pub(crate) fn forget_own_writes(&mut self) {
        self.unseen = Unseen::default();
    }

    /// A key is not asked again by itself.
    pub(crate) fn forget_retry(&mut self, key: &Key) {
        self.queue.take(key);
    }

    /// There is something to do for a key that decided otherwise.
    pub(crate) fn mark_under_way(&mut self, key: &Key) {
        self.queue.begin(key);
    }
}

#[cfg(test)]
mod tests;
