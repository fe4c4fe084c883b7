//! Which keys are due, which are under way, and which own writes have not been seen yet.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Timestamp;
use crate::reconcile::names;
use crate::resolve::ModuleName;

use super::Cache;
use super::Change;
use super::Key;

/// How a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every action was taken.
    Done,
    /// The caches were behind: a basis or a precondition did not hold, or an object was there already, or no longer.
    Behind,
    /// An action failed.
    Failed,
}

/// How much is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Backlog {
    /// Keys that are due.
    pub due: usize,
    /// Keys that are put off.
    pub later: usize,
    /// Keys whose plans are carried out.
    pub under_way: usize,
}

/// What became of an own write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// The object has this version now.
    Version(String),
    /// The object has gone.
    Gone,
}

/// Longest wait after failures.
const PATIENCE: u64 = 60;

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Due since the time that was seen last.
    due: BTreeSet<Key>,
    later: BTreeMap<Key, Timestamp>,
    /// The same by time.
    agenda: BTreeSet<(Timestamp, Key)>,
    under_way: BTreeSet<Key>,
    failures: BTreeMap<Key, u32>,
}

impl Queue {
    /// Makes a key due at a time, or earlier where it was to be anyway.
    pub(super) fn wake(&mut self, key: Key, at: Timestamp, now: Timestamp) {
        if self.due.contains(&key) {
            return;
        }
        if at <= now {
            self.postpone(&key);
            self.due.insert(key);
            return;
        }
        match self.later.get(&key) {
            Some(before) if *before <= at => {}
            Some(_) | None => {
                self.postpone(&key);
                self.agenda.insert((at, key.clone()));
                self.later.insert(key, at);
            }
        }
    }

    /// Takes a key off the agenda.
    fn postpone(&mut self, key: &Key) {
        if let Some((key, at)) = self.later.remove_entry(key) {
            self.agenda.remove(&(at, key));
        }
    }

    /// Those whose time has come join the others that are due.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.agenda.first()
            && *at <= now
            && let Some((_, key)) = self.agenda.pop_first()
        {
            self.later.remove(&key);
            self.due.insert(key);
        }
    }

    /// The keys that are due, in their order.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let come = self.agenda.iter().take_while(move |(at, _)| *at <= now);
        let come: BTreeSet<&Key> = come.map(|(_, key)| key).collect();
        let mut come = come.into_iter().peekable();
        let mut due = self.due.iter().peekable();
        std::iter::from_fn(move || match (due.peek(), come.peek()) {
            (Some(one), Some(other)) if one > other => come.next(),
            (Some(_), _) => due.next(),
            (None, _) => come.next(),
        })
    }

    /// Those of them that are about no node. They are few, and all nodes come before them.
    pub(super) fn due_of_modules(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let first = Key::Module(ModuleName::default());
        let come = self.agenda.iter().take_while(move |(at, _)| *at <= now);
        let come = come.map(|(_, key)| key).filter(|key| key.node().is_none());
        self.due.range(first..).chain(come)
    }

    pub(super) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let mut times = self.agenda.iter().map(|(at, _)| *at);
        times.find(|at| *at > now)
    }

    pub(super) fn backlog(&self, now: Timestamp) -> Backlog {
        let due = self.due(now).count();
        Backlog {
            due,
            later: self.due.len() + self.later.len() - due,
            under_way: self.under_way.len(),
        }
    }

    /// Takes a key out, whenever it is due.
    pub(super) fn take(&mut self, key: &Key) {
        self.due.remove(key);
        self.postpone(key);
    }

    pub(super) fn begin(&mut self, key: &Key) {
        self.under_way.insert(key.clone());
    }

    pub(super) fn is_under_way(&self, key: &Key) -> bool {
        self.under_way.contains(key)
    }

    pub(super) fn is_anything_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    pub(super) fn under_way(&self) -> impl Iterator<Item = &Key> {
        self.under_way.iter()
    }

    /// A key that did not get through is due again after a while that doubles, whatever changes before that. One that was
    /// only behind is tried again at once, the first time.
    pub(super) fn finish(&mut self, key: &Key, outcome: Outcome, now: Timestamp) {
        self.under_way.remove(key);
        match outcome {
            Outcome::Done => {
                self.failures.remove(key);
            }
            Outcome::Behind | Outcome::Failed => {
                let failures = self.failures.entry(key.clone()).or_default();
                let wait = (1_u64 << (*failures).min(6)).min(PATIENCE);
                // What was between is most likely in the caches by now.
                let wait = if outcome == Outcome::Behind {
                    wait / 2
                } else {
                    wait
                };
                *failures = failures.saturating_add(1);
                self.wake(key.clone(), now.plus(Duration::from_secs(wait)), now);
            }
        }
    }
}

/// Own writes that the caches do not have yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Unseen {
    writes: BTreeMap<ObjectRef, Expected>,
    /// Those that a version of their kind ends, by that version.
    versions: BTreeMap<Kind, BTreeSet<(u64, ObjectRef)>>,
    /// Who wrote them.
    writers: BTreeMap<Key, BTreeSet<ObjectRef>>,
    /// How far the watch of each kind has come.
    progress: BTreeMap<Kind, u64>,
}

#[derive(Clone, Debug)]
struct Expected {
    by: Key,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// The watch of the kind comes to this version.
    Version(u64),
    /// The object with this identity goes.
    Gone { uid: String },
}

impl Unseen {
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(super) fn has(&self, kind: Kind) -> bool {
        let mut from = self.writes.range(ObjectRef::cluster(kind, "")..);
        from.next().is_some_and(|(target, _)| target.kind == kind)
    }

    /// Whether a worker pod of a Module was written that is not seen yet.
    pub(super) fn has_worker_of(&self, name: &ModuleName) -> bool {
        let first = ObjectRef::namespaced(Kind::Pod, name.namespace.as_str(), "");
        let from = self.writes.range(first..);
        let mut pods =
            from.take_while(|(target, _)| target.kind == Kind::Pod && target.namespace == name.namespace);
        pods.any(|(target, Expected { by, .. })| match by {
            Key::NodeModules(node) => target.name == names::worker_pod(node, &name.name),
            Key::Assign(_)
            | Key::PluginLabels(_)
            | Key::Module(_)
            | Key::Images(_)
            | Key::DevicePlugin(_)
            | Key::Namespace(_) => false,
        })
    }

    pub(super) fn wrote(&mut self, by: &Key, target: &ObjectRef, written: Written, cache: &Cache) {
        let what = match written {
            // A version that is no number says nothing of the order of things.
            Written::Version(version) => match version.parse() {
                Ok(version) if self.progress.get(&target.kind).is_none_or(|seen| *seen < version) => {
                    What::Version(version)
                }
                Ok(_) | Err(_) => return,
            },
            Written::Gone => match cache.find(target) {
                Some(seen) => What::Gone {
                    uid: seen.uid().to_owned(),
                },
                None => return,
            },
        };
        self.end(target);
        if let What::Version(version) = &what {
            let of_kind = self.versions.entry(target.kind).or_default();
            of_kind.insert((*version, target.clone()));
        }
        let written = self.writers.entry(by.clone()).or_default();
        written.insert(target.clone());
        let by = by.clone();
        self.writes.insert(target.clone(), Expected { by, what });
    }

    /// A write is seen, or there is a later one.
    fn end(&mut self, target: &ObjectRef) {
        let Some(Expected { by, what }) = self.writes.remove(target) else {
            return;
        };
        if let (What::Version(version), Some(of_kind)) = (what, self.versions.get_mut(&target.kind)) {
            of_kind.remove(&(version, target.clone()));
        }
        if let Some(written) = self.writers.get_mut(&by) {
            written.remove(target);
            if written.is_empty() {
                self.writers.remove(&by);
            }
        }
    }

    pub(super) fn observe(&mut self, change: &Change) {
        let target = change.target();
        let progress = self.progress.entry(target.kind).or_default();
        if let Ok(version) = change.version().parse() {
            *progress = (*progress).max(version);
        }
        let progress = *progress;
        if let Some(Expected {
            what: What::Gone { uid },
            ..
        }) = self.writes.get(target)
        {
            let there = match change {
                Change::Put(seen) => seen.uid() == uid,
                Change::Gone { .. } => false,
            };
            if !there {
                self.end(target);
            }
        }
        while let Some((version, target)) = self.versions.get(&target.kind).and_then(BTreeSet::first)
            && *version <= progress
        {
            let target = target.clone();
            self.end(&target);
        }
    }

    /// A list has all that was written before it was asked for.
    pub(super) fn listed(&mut self, kind: Kind) {
        while let Some((target, _)) = self.writes.range(ObjectRef::cluster(kind, "")..).next()
            && target.kind == kind
        {
            let target = target.clone();
            self.end(&target);
        }
    }

    /// Whether an object that a key reads has a version that is not seen yet.
    pub(super) fn blocks(&self, key: &Key) -> bool {
        if self.writes.is_empty() {
            return false;
        }
        if self.writers.contains_key(key) {
            return true;
        }
        let of_node = |kind, node: &str| self.writes.contains_key(&ObjectRef::cluster(kind, node));
        let of_module = |kind, name: &ModuleName| {
            let target = ObjectRef::namespaced(kind, name.namespace.as_str(), name.name.as_str());
            self.writes.contains_key(&target)
        };
        match key {
            Key::Assign(node) => of_node(Kind::Node, node) || of_node(Kind::NodeModulesConfig, node),
            Key::NodeModules(node) => {
                // Pods of plugins are looked at by two.
                let plugins = self.writers.get(&Key::PluginLabels(node.clone()));
                of_node(Kind::Node, node)
                    || of_node(Kind::NodeModulesConfig, node)
                    || plugins.is_some_and(|written| written.iter().any(|target| target.kind == Kind::Pod))
            }
            Key::PluginLabels(node) => of_node(Kind::Node, node),
            Key::Module(name) => of_module(Kind::Module, name) || of_module(Kind::ModuleImagesConfig, name),
            Key::Images(name) => of_module(Kind::ModuleImagesConfig, name),
            Key::DevicePlugin(name) => of_module(Kind::Module, name),
            Key::Namespace(name) => self
                .writes
                .contains_key(&ObjectRef::cluster(Kind::Namespace, name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_modules_are_found_among_those_of_nodes() {
        let mut queue = Queue::default();
        let name = ModuleName::default();
        let keys = [
            (Key::Assign("w1".to_owned()), 0),
            (Key::NodeModules("w1".to_owned()), 5),
            (Key::Images(name.clone()), 5),
            (Key::DevicePlugin(name.clone()), 9),
            (Key::Module(name.clone()), 0),
        ];
        for (key, at) in keys {
            queue.wake(key, Timestamp(at), Timestamp(0));
        }
        let at = |now| queue.due_of_modules(Timestamp(now)).cloned().collect::<Vec<_>>();
        assert_eq!(at(0), [Key::Module(name.clone())]);
        assert_eq!(at(5), [Key::Module(name.clone()), Key::Images(name)]);
    }

    #[test]
    fn who_was_behind_tries_again_at_once() {
        let (mut queue, key) = (Queue::default(), Key::Assign("w1".to_owned()));
        let mut next = |outcome, now| {
            queue.take(&key);
            queue.begin(&key);
            assert_eq!(queue.backlog(Timestamp(now)).under_way, 1);
            queue.finish(&key, outcome, Timestamp(now));
            let due = queue.next_after(Timestamp(now));
            let Backlog {
                due: ready, later, ..
            } = queue.backlog(Timestamp(now));
            assert_eq!(ready + later, usize::from(outcome != Outcome::Done));
            due.map(|due| due.0 - now)
        };
        assert_eq!(next(Outcome::Behind, 0), None);
        assert_eq!(next(Outcome::Behind, 0), Some(1));
        assert_eq!(next(Outcome::Behind, 1), Some(2));
        assert_eq!(next(Outcome::Failed, 3), Some(8));
        assert_eq!(next(Outcome::Done, 11), None);
        assert_eq!(next(Outcome::Failed, 11), Some(1));
    }
}
