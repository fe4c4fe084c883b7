//! Smaller steps of a cluster, for tests that let things happen in every order.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::driver::Change;
use crate::driver::Key;
use crate::driver::WATCHED;
use crate::reconcile::Action;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Plan;
use crate::reconcile::Timestamp;

use super::Cluster;
use super::Deed;
use super::Luck;
use super::Refused;
use super::cluster::Flight;
use super::kubernetes;

impl Cluster {
    /// What happened since this was asked the last time, without when.
    pub(super) fn take_deeds(&mut self) -> Vec<Deed> {
        std::mem::take(&mut self.deeds)
    }

    /// Time passes, and nobody writes that down.
    pub(super) fn advance_untold(&mut self, seconds: i64) {
        self.store.now = Timestamp(self.store.now.0.saturating_add(seconds));
        for machine in self.machines.values_mut() {
            machine.forget(&self.store);
        }
    }

    pub(super) fn has_image(&self, image: &str) -> bool {
        self.registry.has(image)
    }

    /// Whether the operator has seen everything.
    pub(super) fn is_up_to_date(&self) -> bool {
        let missing =
            |(kind, at): (&Kind, &u64)| self.store.after(*at).any(|entry| entry.target.kind == *kind);
        !self.watches.iter().any(missing)
    }

    /// Wakes a controller as if something had changed.
    pub(super) fn wake_again(&mut self, choice: usize) {
        let seen: Vec<_> = WATCHED
            .iter()
            .flat_map(|kind| self.driver.cache().all(*kind))
            .collect();
        let Some(seen) = choice.checked_rem(seen.len()).and_then(|place| seen.get(place)) else {
            return;
        };
        let change = Change::Put(Arc::clone(seen));
        self.driver.observe(&change, self.store.now);
    }

    /// Puts a plan in the place of the one that a controller made.
    pub(super) fn fly(&mut self, key: &Key, plan: Plan) {
        self.driver.mark_under_way(key);
        self.launch(key, plan);
    }

    /// Carries a plan out whatever it rests on.
    pub(super) fn forget_basis(&mut self, key: &Key) {
        if let Some(flight) = self.flights.get_mut(key) {
            flight.node = None;
        }
    }

    /// Brings everything to the operator but what is of one kind.
    pub(super) fn deliver_all_but(&mut self, late: Option<Kind>) {
        for kind in WATCHED {
            while Some(kind) != late && self.deliver(kind) {}
        }
    }

    /// The writes that the operator has sent and that have not arrived: of each plan the next one, where the API server
    /// can tell that it comes too late.
    ///
    /// Creating a pod has no precondition, nor has a label of a node; that those do not come late is what a lease is for.
    pub(super) fn in_flight(&self) -> Vec<Action> {
        let next = self
            .flights
            .iter()
            .filter_map(|(key, Flight { plan, next, .. })| {
                let action = plan.actions.get(*next)?;
                let goes = *next > 0 || self.is_current(key);
                let guarded = match action {
                    Action::Patch { target, .. } => !matches!(target.kind, Kind::Node | Kind::Namespace),
                    Action::Delete { .. } => true,
                    Action::Create { .. } | Action::Event(_) | Action::AskRegistry(_) => false,
                };
                (goes && guarded).then(|| action.clone())
            });
        next.collect()
    }

    /// A write arrives whose sender is no more.
    pub(super) fn land(&mut self, action: &Action) {
        let _taken = match action {
            Action::Patch {
                target,
                part,
                precondition,
                patch,
            } => self.store.patch(target, *part, precondition, patch),
            Action::Delete { target, precondition } => self.store.delete(target, precondition),
            Action::Create { .. } | Action::Event(_) | Action::AskRegistry(_) => return,
        };
    }

    /// A kubelet does one thing about one pod.
    pub(super) fn kubelet(&mut self, choice: usize, luck: Luck) {
        let pods = self.store.all(Kind::Pod).filter_map(|stored| stored.seen.pod());
        let pods: Vec<(String, ObjectRef)> = pods
            .filter(|pod| !pod.node_name().is_empty())
            .map(|pod| (pod.node_name().to_owned(), pod.reference()))
            .collect();
        let place = choice.checked_rem(pods.len());
        if let Some((node, target)) = place.and_then(|place| pods.get(place))
            && let Some(machine) = self.machines.get_mut(node)
        {
            machine.step(&mut self.store, &self.registry, target, luck, &mut self.deeds);
        }
    }

    /// A kubelet, or the node controller in its place, tells of a node.
    pub(super) fn report(&mut self, choice: usize) {
        let place = choice.checked_rem(self.machines.len());
        if let Some(machine) = place.and_then(|place| self.machines.values_mut().nth(place)) {
            machine.report(&mut self.store);
        }
    }

    /// Kubernetes does one thing.
    pub(super) fn tend_one(&mut self, choice: usize) {
        let mut doings: Vec<(u8, ObjectRef)> = Vec::new();
        doings.extend(
            kubernetes::garbage(&self.store)
                .into_iter()
                .map(|target| (0, target)),
        );
        let sets = self
            .store
            .all(Kind::DaemonSet)
            .map(|set| set.seen.target().clone());
        doings.extend(sets.map(|target| (1, target)));
        doings.extend(
            kubernetes::unscheduled(&self.store)
                .into_iter()
                .map(|target| (2, target)),
        );
        let place = choice.checked_rem(doings.len());
        let Some((what, target)) = place.and_then(|place| doings.get(place)) else {
            return;
        };
        match what {
            0 => kubernetes::collect(&mut self.store, target, &mut self.deeds),
            1 => kubernetes::daemon_set(&mut self.store, target, &mut self.deeds),
            _ => kubernetes::schedule(&mut self.store, target, choice, &mut self.deeds),
        };
    }

    /// A node stops.
    pub(super) fn stop(&mut self, node: &str) {
        if let Some(machine) = self.machines.get_mut(node) {
            machine.stop();
        }
    }

    /// A node that has stopped starts.
    pub(super) fn start(&mut self, node: &str, kernel: Option<&str>) {
        if let Some(machine) = self.machines.get_mut(node)
            && !machine.is_up()
        {
            machine.start(kernel);
        }
    }

    /// A new node, with a boot that no other one had.
    pub(super) fn add_node(&mut self, node: &Value) -> Result<(), Refused> {
        let mut node = node.clone();
        let boot = format!(
            "{}-{}",
            node["metadata"]["name"].as_str().unwrap_or_default(),
            self.store.version()
        );
        node["status"]["nodeInfo"]["bootID"] = json!(boot);
        self.apply(&node)
    }
}
