//! What each node adds to the counts of each Module, kept up to date.
//!
//! A Module that is let go while a node still has it would leave the node alone with it. So the counts are brought up to
//! date before anything is decided for a Module, not some time after a change.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kmm_core::reconcile::assign;
use kmm_core::reconcile::assign::Candidate;
use kmm_core::reconcile::module::Share;
use kmm_core::reconcile::module::Standing;
use kmm_core::reconcile::module::Tally;
use kmm_core::resolve::ModuleName;

use crate::store::Name;

use super::Controller;
use super::World;

/// The shares of all nodes in all Modules.
#[derive(Debug, Default)]
pub(super) struct Shares {
    modules: BTreeMap<ModuleName, OfModule>,
    touched_nodes: BTreeSet<String>,
    touched_modules: BTreeSet<ModuleName>,
}

#[derive(Debug, Default)]
struct OfModule {
    tally: Tally,
    /// Only of nodes that add something.
    shares: BTreeMap<String, Share>,
}

impl Shares {
    /// A node, or its NodeModulesConfig, is another one.
    pub(super) fn touch_node(&mut self, node: &str) {
        self.touched_nodes.insert(node.to_owned());
    }

    /// A Module is another one.
    pub(super) fn touch_module(&mut self, module: &ModuleName) {
        self.touched_modules.insert(module.clone());
    }

    /// The nodes that add something to the counts of a Module.
    pub(super) fn nodes_of(&self, module: &ModuleName) -> impl Iterator<Item = &str> {
        let shares = self.modules.get(module).map(|of| &of.shares);
        shares
            .into_iter()
            .flat_map(|shares| shares.keys().map(String::as_str))
    }

    /// The counts of a Module.
    pub(super) fn tally(&self, module: &ModuleName) -> Tally {
        self.modules
            .get(module)
            .map(|of| of.tally.clone())
            .unwrap_or_default()
    }

    /// Puts a share in the place of the one before, and says whether it is another one.
    fn put(&mut self, module: &ModuleName, node: &str, share: Option<Share>) -> bool {
        let share = share.filter(adds_something);
        let of = self.modules.entry(module.clone()).or_default();
        if of.shares.get(node) == share.as_ref() {
            return false;
        }
        if let Some(old) = of.shares.remove(node) {
            of.tally.remove(&old);
        }
        if let Some(share) = share {
            of.tally.add(&share);
            of.shares.insert(node.to_owned(), share);
        }
        true
    }
}

fn adds_something(share: &Share) -> bool {
    let Share {
        standing,
        plugin_target,
        configured,
        in_use,
        node: _,
        architecture: _,
        available: _,
    } = share;
    *standing != Standing::Outside || *plugin_target || *configured || *in_use
}

impl World {
    /// Brings the counts up to date, and wakes the Modules whose counts are others.
    pub(super) fn refresh_shares(&mut self) {
        let modules = std::mem::take(&mut self.shares.touched_modules);
        let nodes = std::mem::take(&mut self.shares.touched_nodes);
        if modules.is_empty() && nodes.is_empty() {
            return;
        }
        let mut fresh = Vec::new();
        let present: Vec<&ModuleName> = modules
            .iter()
            .filter(|name| self.modules.get(name).is_some())
            .collect();
        if !present.is_empty() {
            // Nodes that are gone and still have a NodeModulesConfig count too.
            let mut all: BTreeSet<&str> = self.nodes.iter().map(|(name, _)| name.name.as_str()).collect();
            all.extend(self.configs.iter().map(|(name, _)| name.name.as_str()));
            self.shares_of(&all, |name| present.contains(&name), &mut fresh);
        }
        let nodes: BTreeSet<&str> = nodes.iter().map(String::as_str).collect();
        self.shares_of(&nodes, |_| true, &mut fresh);
        for module in modules {
            if self.modules.get(&module).is_none() {
                self.shares.modules.remove(&module);
            }
        }
        let mut changed = BTreeSet::new();
        for (module, node, share) in fresh {
            if self.shares.put(&module, &node, share) {
                changed.insert(module);
            }
        }
        for module in &changed {
            self.wake_module(module, &[Controller::Module, Controller::DevicePlugin]);
        }
    }

    fn shares_of(
        &self,
        nodes: &BTreeSet<&str>,
        wanted: impl Fn(&ModuleName) -> bool,
        fresh: &mut Vec<(ModuleName, String, Option<Share>)>,
    ) {
        let modules = self.modules.iter().filter(|(name, _)| wanted(name));
        let mut candidates: Vec<Candidate<'_>> = modules
            .map(|(_, kept)| Candidate::new(&kept.module, &kept.compiled, None))
            .collect();
        for node in nodes {
            let name = Name {
                name: (*node).to_owned(),
                namespace: String::new(),
            };
            let config = self.configs.get(&name);
            match self.nodes.get(&name) {
                Some(kept) => {
                    // Only the shares are taken; they do not depend on the images, nor on the other candidates.
                    let assignment = assign::plan(&kept.node, config, &mut candidates);
                    let shares = candidates.iter().zip(assignment.shares);
                    fresh.extend(shares.map(|(candidate, share)| {
                        (candidate.name().clone(), (*node).to_owned(), Some(share))
                    }));
                }
                None => fresh.extend(candidates.iter().map(|candidate| {
                    let share = Share::of_config(candidate.name(), node, config);
                    (
                        candidate.name().clone(),
                        (*node).to_owned(),
                        config.map(|_| share),
                    )
                })),
            }
        }
    }
}
