//! What each node adds to the counts of each Module.
//!
//! There are as many pairs of a node and a Module as both together, so a pair is kept in a few bytes: a node's name,
//! architecture and kernel are the same in all its shares, and a share that counts for nothing is not kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::reconcile::module::Share;
use crate::reconcile::module::Standing;
use crate::reconcile::module::Tally;
use crate::resolve::ModuleName;

#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    modules: BTreeMap<ModuleName, Counted>,
    nodes: BTreeMap<Arc<str>, OfNode>,
    /// Modules that were ever counted.
    numbers: u32,
}

#[derive(Clone, Debug)]
struct Counted {
    number: u32,
    tally: Tally,
}

/// The shares of one node.
#[derive(Clone, Debug, Default)]
struct OfNode {
    architecture: Arc<str>,
    /// As the node reports it; empty where no share has one.
    kernel: Arc<str>,
    /// By the number of the Module.
    marks: Vec<(u32, Mark)>,
}

/// A share without what all shares of its node have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    place: Place,
    plugin_target: bool,
    configured: bool,
    available: bool,
    in_use: bool,
}

/// A standing without its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    Unschedulable,
    NoMapping,
    Unresolved,
    Held,
    Targeted,
}

impl Mark {
    fn of(share: &Share) -> Self {
        Self {
            place: match share.standing {
                Standing::Outside => Place::Outside,
                Standing::Unschedulable => Place::Unschedulable,
                Standing::NoMapping => Place::NoMapping,
                Standing::Unresolved => Place::Unresolved,
                Standing::Held { .. } => Place::Held,
                Standing::Targeted { .. } => Place::Targeted,
            },
            plugin_target: share.plugin_target,
            configured: share.configured,
            available: share.available,
            in_use: share.in_use,
        }
    }

    fn is_nothing(self) -> bool {
        let Self {
            place,
            plugin_target,
            configured,
            available,
            in_use,
        } = self;
        place == Place::Outside && !plugin_target && !configured && !available && !in_use
    }
}

impl OfNode {
    fn mark(&self, number: u32) -> Option<Mark> {
        let place = self.marks.binary_search_by_key(&number, |(number, _)| *number);
        Some(self.marks.get(place.ok()?)?.1)
    }

    /// The share of a Module, as it was taken in.
    fn share(&self, node: &Arc<str>, mark: Mark) -> Share {
        let kernel = || Arc::clone(&self.kernel);
        Share {
            node: Arc::clone(node),
            architecture: Arc::clone(&self.architecture),
            standing: match mark.place {
                Place::Outside => Standing::Outside,
                Place::Unschedulable => Standing::Unschedulable,
                Place::NoMapping => Standing::NoMapping,
                Place::Unresolved => Standing::Unresolved,
                Place::Held => Standing::Held { kernel: kernel() },
                Place::Targeted => Standing::Targeted { kernel: kernel() },
            },
            plugin_target: mark.plugin_target,
            configured: mark.configured,
            available: mark.available,
            in_use: mark.in_use,
        }
    }

    fn keep(&mut self, number: u32, mark: Mark, share: &Share) {
        self.architecture = Arc::clone(&share.architecture);
        if let Standing::Held { kernel } | Standing::Targeted { kernel } = &share.standing {
            self.kernel = Arc::clone(kernel);
        }
        self.marks.push((number, mark));
    }
}

impl Shares {
    /// Takes over what a node adds now to each Module; the Modules for which that is something else than before.
    pub(super) fn put<'n>(
        &mut self,
        node: &str,
        shares: impl Iterator<Item = (&'n ModuleName, Share)>,
    ) -> Vec<ModuleName> {
        let (node, before) = match self.nodes.remove_entry(node) {
            Some(known) => known,
            None => (Arc::from(node), OfNode::default()),
        };
        let mut after = OfNode {
            marks: Vec::with_capacity(before.marks.len()),
            ..OfNode::default()
        };
        let mut changed = Vec::new();
        for (name, share) in shares {
            // The name is copied once for each Module, not once for each of its nodes.
            if !self.modules.contains_key(name) {
                self.numbers = self.numbers.wrapping_add(1);
                let number = self.numbers;
                let tally = Tally::default();
                self.modules.insert(name.clone(), Counted { number, tally });
            }
            let Some(Counted { number, tally }) = self.modules.get_mut(name) else {
                continue;
            };
            let mark = Mark::of(&share);
            let old = before.mark(*number).map(|mark| before.share(&node, mark));
            let new = Some(&share).filter(|_| !mark.is_nothing());
            if old.as_ref() != new {
                if let Some(old) = &old {
                    tally.remove(old);
                }
                if let Some(new) = new {
                    tally.add(new);
                }
                changed.push(name.clone());
            }
            if let Some(new) = new {
                after.keep(*number, mark, new);
            }
        }
        if !after.marks.is_empty() {
            after.marks.sort_unstable_by_key(|(number, _)| *number);
            after.marks.shrink_to_fit();
            self.nodes.insert(node, after);
        }
        changed
    }

    /// A node adds nothing more; the Modules for which that is a change.
    pub(super) fn remove_node(&mut self, node: &str) -> Vec<ModuleName> {
        let Some((node, before)) = self.nodes.remove_entry(node) else {
            return Vec::new();
        };
        let mut changed = Vec::new();
        for (name, Counted { number, tally }) in &mut self.modules {
            if let Some(mark) = before.mark(*number) {
                tally.remove(&before.share(&node, mark));
                changed.push(name.clone());
            }
        }
        changed
    }

    /// A Module has gone. Numbers are not given again, so what nodes keep of it is dropped when they are looked at.
    pub(super) fn forget(&mut self, name: &ModuleName) {
        self.modules.remove(name);
    }

    pub(super) fn tally(&self, name: &ModuleName) -> Option<&Tally> {
        Some(&self.modules.get(name)?.tally)
    }

    /// The nodes to which a Module means something.
    pub(super) fn nodes_of(&self, name: &ModuleName) -> impl Iterator<Item = &str> {
        let counted = self.modules.get(name).into_iter();
        counted.flat_map(|Counted { number, .. }| {
            let nodes = self.nodes.iter();
            nodes.filter_map(|(node, of)| of.mark(*number).map(|_| &**node))
        })
    }
}
