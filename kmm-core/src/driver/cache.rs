//! What the operator sees.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use crate::reconcile::DaemonSet;
use crate::reconcile::Kind;
use crate::reconcile::Node;
use crate::reconcile::ObjectRef;
use crate::reconcile::Pod;
use crate::reconcile::names;
use crate::resolve::ModuleName;

use super::Seen;

/// A change of one object.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object is there, like this.
    Put(Arc<Seen>),
    /// The object has gone.
    Gone {
        /// Which object.
        target: ObjectRef,
        /// The version of the deletion, as the watch has it.
        version: String,
    },
}

impl Change {
    /// Which object.
    pub fn target(&self) -> &ObjectRef {
        match self {
            Self::Put(seen) => seen.target(),
            Self::Gone { target, .. } => target,
        }
    }

    /// The version that comes with it.
    pub fn version(&self) -> &str {
        match self {
            Self::Put(seen) => seen.version(),
            Self::Gone { version, .. } => version,
        }
    }
}

/// Which objects are looked at together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// Worker pods on a node.
    Workers(String),
    /// Worker pods of a Module.
    WorkersOf(ModuleName),
    /// Pods of device plugins and DRA drivers on a node.
    Plugins(String),
    /// Pull pods of a Module.
    Pulls(ModuleName),
    /// DaemonSets of a Module.
    Sets(ModuleName),
}

impl Group {
    /// The groups of an object: none for those of others.
    pub(super) fn of(seen: &Seen) -> impl Iterator<Item = Self> {
        let groups = match (seen.pod(), seen.daemon_set()) {
            (Some(pod), _) => Self::of_pod(pod),
            (None, Some(set)) => [Self::of_set(set), None],
            (None, None) => [None, None],
        };
        groups.into_iter().flatten()
    }

    fn of_set(set: &DaemonSet) -> Option<Self> {
        Some(Self::Sets(ModuleName {
            name: set.metadata.labels.get(names::MODULE_NAME)?.clone(),
            namespace: set.metadata.namespace.clone(),
        }))
    }

    fn of_pod(pod: &Pod) -> [Option<Self>; 2] {
        let node = || Some(pod.node_name().to_owned()).filter(|node| !node.is_empty());
        let module = |name: &str| ModuleName {
            name: name.to_owned(),
            namespace: pod.metadata.namespace.clone(),
        };
        if pod.label(names::WORKER_ACTION).is_some() {
            let of_module = |_| Self::WorkersOf(module(pod.module_name()));
            return [node().map(Self::Workers), node().map(of_module)];
        }
        if let Some(owner) = pod.label(names::IMAGE_OWNER) {
            return [Some(Self::Pulls(module(owner))), None];
        }
        [node().filter(|_| pod.is_plugin()).map(Self::Plugins), None]
    }
}

/// Objects by kind, namespace and name, each in the version that was seen last.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    objects: BTreeMap<ObjectRef, Arc<Seen>>,
    groups: BTreeMap<Group, BTreeSet<ObjectRef>>,
    /// How often an object was looked at.
    #[cfg(test)]
    pub(super) looks: std::cell::Cell<usize>,
}

impl Cache {
    /// Takes a change over; what was there before.
    pub(super) fn apply(&mut self, change: &Change) -> Option<Arc<Seen>> {
        let before = match change {
            Change::Put(seen) => self.objects.insert(seen.target().clone(), Arc::clone(seen)),
            Change::Gone { target, .. } => self.objects.remove(target),
        };
        for group in before.iter().flat_map(|seen| Group::of(seen)) {
            if let Some(members) = self.groups.get_mut(&group) {
                members.remove(change.target());
                if members.is_empty() {
                    self.groups.remove(&group);
                }
            }
        }
        if let Change::Put(seen) = change {
            for group in Group::of(seen) {
                let members = self.groups.entry(group).or_default();
                members.insert(seen.target().clone());
            }
        }
        before
    }

    #[cfg(test)]
    fn look(&self) {
        self.looks.set(self.looks.get() + 1);
    }

    #[cfg(not(test))]
    fn look(&self) {}

    /// One object.
    pub fn find(&self, target: &ObjectRef) -> Option<&Arc<Seen>> {
        self.look();
        self.objects.get(target)
    }

    /// All objects of a kind, by namespace and name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Arc<Seen>> {
        let first = ObjectRef::cluster(kind, "");
        let from = self.objects.range((Bound::Included(first), Bound::Unbounded));
        from.take_while(move |(target, _)| target.kind == kind)
            .map(|(_, seen)| seen)
            .inspect(|_| self.look())
    }

    /// A node.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.find(&ObjectRef::cluster(Kind::Node, name))?.node()
    }

    pub(super) fn of_module(&self, kind: Kind, name: &ModuleName) -> Option<&Arc<Seen>> {
        self.find(&ObjectRef::namespaced(
            kind,
            name.namespace.as_str(),
            name.name.as_str(),
        ))
    }

    pub(super) fn is_module_deleting(&self, name: &ModuleName) -> bool {
        let module = self.of_module(Kind::Module, name).and_then(|seen| seen.module());
        module.is_some_and(|(module, _)| module.metadata.deletion_timestamp.is_some())
    }

    /// The Modules of a namespace.
    pub(super) fn modules_in(&self, namespace: &str) -> impl Iterator<Item = &str> {
        let first = ObjectRef::namespaced(Kind::Module, namespace, "");
        let namespace = namespace.to_owned();
        let from = self.objects.range(first..).map(|(target, _)| target);
        from.take_while(move |target| target.kind == Kind::Module && target.namespace == namespace)
            .map(|target| target.name.as_str())
            .inspect(|_| self.look())
    }

    fn members(&self, group: &Group) -> impl Iterator<Item = &Arc<Seen>> {
        let members = self.groups.get(group).into_iter().flatten();
        members.filter_map(|target| self.find(target))
    }

    pub(super) fn pods(&self, group: &Group) -> Vec<Pod> {
        self.members(group)
            .filter_map(|seen| seen.pod().cloned())
            .collect()
    }

    /// The nodes on which worker pods of a Module are.
    pub(super) fn nodes_of_workers(&self, name: &ModuleName) -> BTreeSet<Arc<str>> {
        let group = Group::WorkersOf(name.clone());
        let pods = self.members(&group).filter_map(|seen| seen.pod());
        pods.map(|pod| Arc::from(pod.node_name())).collect()
    }

    pub(super) fn daemon_sets(&self, group: &Group) -> Vec<DaemonSet> {
        self.members(group)
            .filter_map(|seen| seen.daemon_set().cloned())
            .collect()
    }
}
