//! What each node adds to the counts of each Module.

use std::collections::BTreeMap;

use crate::reconcile::module::Share;
use crate::reconcile::module::Standing;
use crate::reconcile::module::Tally;
use crate::resolve::ModuleName;

#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    modules: BTreeMap<ModuleName, Counted>,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    shares: BTreeMap<String, Share>,
    tally: Tally,
}

impl Shares {
    /// Takes over what a node adds now; whether that is something else than before.
    pub(super) fn put(&mut self, name: &ModuleName, share: Share) -> bool {
        if !self.modules.contains_key(name) {
            self.modules.insert(name.clone(), Counted::default());
        }
        let Some(Counted { shares, tally }) = self.modules.get_mut(name) else {
            return false;
        };
        let before = shares.get(&share.node);
        if before == Some(&share) {
            return false;
        }
        if let Some(before) = before {
            tally.remove(before);
        }
        tally.add(&share);
        shares.insert(share.node.clone(), share);
        true
    }

    /// A node adds nothing more; the Modules for which that is a change.
    pub(super) fn remove_node(&mut self, node: &str) -> Vec<ModuleName> {
        let mut changed = Vec::new();
        for (name, Counted { shares, tally }) in &mut self.modules {
            if let Some(before) = shares.remove(node) {
                tally.remove(&before);
                changed.push(name.clone());
            }
        }
        changed
    }

    pub(super) fn forget(&mut self, name: &ModuleName) {
        self.modules.remove(name);
    }

    pub(super) fn tally(&self, name: &ModuleName) -> Option<&Tally> {
        Some(&self.modules.get(name)?.tally)
    }

    /// The nodes to which a Module means something.
    pub(super) fn nodes_of(&self, name: &ModuleName) -> impl Iterator<Item = &str> {
        let counted = self.modules.get(name).into_iter();
        let shares = counted.flat_map(|counted| &counted.shares);
        shares.filter_map(|(node, share)| {
            let nothing = share.standing == Standing::Outside
                && !share.plugin_target
                && !share.configured
                && !share.in_use;
            (!nothing).then_some(node.as_str())
        })
    }
}
