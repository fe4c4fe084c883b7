//! Which keys are due, which are under way, and which own writes have not been seen yet.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Timestamp;

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
    due: BTreeMap<Key, Timestamp>,
    under_way: BTreeSet<Key>,
    failures: BTreeMap<Key, u32>,
}

impl Queue {
    /// Makes a key due at a time, or earlier where it was to be anyway.
    pub(super) fn wake(&mut self, key: &Key, at: Timestamp) {
        match self.due.get_mut(key) {
            Some(due) => *due = at.min(*due),
            None => {
                self.due.insert(key.clone(), at);
            }
        }
    }

    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &Key> {
        let due = self.due.iter().filter(move |(_, at)| **at <= now);
        due.map(|(key, _)| key)
    }

    pub(super) fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.due.values().copied().filter(|at| *at > now).min()
    }

    pub(super) fn backlog(&self, now: Timestamp) -> Backlog {
        let due = self.due(now).count();
        Backlog {
            due,
            later: self.due.len() - due,
            under_way: self.under_way.len(),
        }
    }

    pub(super) fn take(&mut self, key: &Key) {
        self.due.remove(key);
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
                self.wake(key, now.plus(Duration::from_secs(wait)));
            }
        }
    }
}

/// Own writes that the caches do not have yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Unseen {
    writes: BTreeMap<ObjectRef, Expected>,
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
        self.writes.keys().any(|target| target.kind == kind)
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
        let by = by.clone();
        self.writes.insert(target.clone(), Expected { by, what });
    }

    pub(super) fn observe(&mut self, change: &Change) {
        let kind = change.target().kind;
        let progress = self.progress.entry(kind).or_default();
        if let Ok(version) = change.version().parse() {
            *progress = (*progress).max(version);
        }
        let progress = *progress;
        if self.writes.is_empty() {
            return;
        }
        self.writes.retain(|target, expected| {
            if target.kind != kind {
                return true;
            }
            match &expected.what {
                What::Version(version) => *version > progress,
                What::Gone { uid } => {
                    target != change.target()
                        || match change {
                            Change::Put(seen) => seen.uid() == uid,
                            Change::Gone { .. } => false,
                        }
                }
            }
        });
    }

    /// A list has all that was written before it was asked for.
    pub(super) fn listed(&mut self, kind: Kind) {
        self.writes.retain(|target, _| target.kind != kind);
    }

    /// Whether an object that a key reads has a version that is not seen yet.
    pub(super) fn blocks(&self, key: &Key) -> bool {
        self.writes.iter().any(|(target, expected)| {
            expected.by == *key
                || match target.kind {
                    Kind::Node => key.node() == Some(&target.name),
                    Kind::NodeModulesConfig => {
                        matches!(key, Key::Assign(_) | Key::NodeModules(_)) && key.node() == Some(&target.name)
                    }
                    Kind::Module => key.module().is_some_and(|name| is(target, name)) && !matches!(key, Key::Images(_)),
                    Kind::ModuleImagesConfig => {
                        key.module().is_some_and(|name| is(target, name)) && !matches!(key, Key::DevicePlugin(_))
                    }
                    Kind::Pod => {
                        // Pods of plugins are looked at by two.
                        matches!((key, &expected.by), (Key::NodeModules(node), Key::PluginLabels(other)) if node == other)
                    }
                    Kind::DaemonSet | Kind::ModuleBuildSignConfig | Kind::Namespace => false,
                }
        })
    }
}

fn is(target: &ObjectRef, name: &crate::resolve::ModuleName) -> bool {
    target.name == name.name && target.namespace == name.namespace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_behind_tries_again_at_once() {
        let (mut queue, key) = (Queue::default(), Key::Assign("w1".to_owned()));
        let mut next = |outcome, now| {
            queue.take(&key);
            queue.begin(&key);
            assert_eq!(queue.backlog(Timestamp(now)).under_way, 1);
            queue.finish(&key, outcome, Timestamp(now));
            let due = queue.next_after(Timestamp(now));
            let Backlog { due: ready, later, .. } = queue.backlog(Timestamp(now));
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
