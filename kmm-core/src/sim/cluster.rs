//! The cluster: an API server, machines, and the operator, which sees it through watches.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::driver::Change;
use crate::driver::Driver;
use crate::driver::Key;
use crate::driver::Outcome;
use crate::driver::WATCHED;
use crate::driver::Written;
use crate::reconcile::Action;
use crate::reconcile::Installation;
use crate::reconcile::Kind;
use crate::reconcile::Node;
use crate::reconcile::ObjectRef;
use crate::reconcile::Part;
use crate::reconcile::Plan;
use crate::reconcile::Precondition;
use crate::reconcile::Reason;
use crate::reconcile::Timestamp;
use crate::reconcile::images::RegistryAnswer;
use crate::reconcile::images::RegistryOutcome;
use crate::reconcile::patch;

use super::Deed;
use super::Luck;
use super::Machine;
use super::Moment;
use super::Refused;
use super::Store;
use super::Stored;
use super::kubernetes;
use super::store::Taken;

/// Which images there are: all but those that are said to lack.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    lacking: BTreeSet<String>,
}

impl Registry {
    /// Whether an image is there.
    pub fn has(&self, image: &str) -> bool {
        !self.lacking.contains(image)
    }

    /// Says whether an image is there.
    pub fn set(&mut self, image: &str, there: bool) {
        if there {
            self.lacking.remove(image);
        } else {
            self.lacking.insert(image.to_owned());
        }
    }
}

/// A plan that is being carried out.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) plan: Arc<Plan>,
    pub(super) next: usize,
    /// The node that the plan rests on, as it was shown then.
    pub(super) node: Option<(ObjectRef, Option<Node>)>,
}

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Most rounds.
    pub rounds: u32,
    /// Longest time that passes in the cluster, in seconds.
    pub seconds: i64,
}

impl Default for Limit {
    /// 100,000 rounds, an hour.
    fn default() -> Self {
        Self {
            rounds: 100_000,
            seconds: 3_600,
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nobody has anything to do until somebody changes something.
    Yes,
    /// The limit is reached, and it would go on: something is under way, or will be tried again after a wait.
    Waiting {
        /// When it would.
        until: Timestamp,
    },
    /// The rounds were not enough.
    No,
}

/// A cluster in memory.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(super) store: Store,
    pub(super) machines: BTreeMap<String, Machine>,
    pub(super) registry: Registry,
    installation: Installation,
    pub(super) driver: Driver,
    /// How far each watch has come.
    pub(super) watches: BTreeMap<Kind, u64>,
    pub(super) flights: BTreeMap<Key, Flight>,
    pub(super) deeds: Vec<Deed>,
    timeline: Vec<Moment>,
    reasons: BTreeMap<Key, Vec<Reason>>,
    /// A mistake that tests are to find.
    #[cfg(any(test, feature = "faults"))]
    pub(super) mutation: Option<super::fault::Mutation>,
}

impl Cluster {
    /// An empty cluster with an operator that has just started.
    pub fn new(installation: Installation, now: Timestamp) -> Self {
        let mut store = Store::default();
        store.now = now;
        let mut cluster = Self {
            store,
            machines: BTreeMap::new(),
            registry: Registry::default(),
            driver: Driver::new(installation.clone()),
            installation,
            watches: BTreeMap::new(),
            flights: BTreeMap::new(),
            deeds: Vec::new(),
            timeline: Vec::new(),
            reasons: BTreeMap::new(),
            #[cfg(any(test, feature = "faults"))]
            mutation: None,
        };
        cluster.restart_operator();
        cluster
    }

    /// The objects.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A node as it really is.
    pub fn machine(&self, node: &str) -> Option<&Machine> {
        self.machines.get(node)
    }

    /// The same, to be changed: for what is loaded there before the operator comes.
    pub fn machine_mut(&mut self, node: &str) -> Option<&mut Machine> {
        self.machines.get_mut(node)
    }

    /// Which images there are.
    pub fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.store.now
    }

    /// What the operator says of everything that it looked at, as it stands now.
    pub fn reasons(&self) -> impl Iterator<Item = (&Key, &[Reason])> {
        let reasons = self.reasons.iter();
        reasons.map(|(key, reasons)| (key, reasons.as_slice()))
    }

    /// What happened since this was asked the last time.
    pub fn take_timeline(&mut self) -> Vec<Moment> {
        self.date();
        std::mem::take(&mut self.timeline)
    }

    /// Puts what happened into the timeline.
    fn date(&mut self) {
        let at = self.store.now;
        self.timeline
            .extend(self.deeds.drain(..).map(|deed| Moment { at, deed }));
    }

    fn user(&mut self, text: impl Into<String>) {
        self.deeds.push(Deed::User { text: text.into() });
    }

    /// Adds an object, or changes the one that is there into it, as `kubectl apply` does: what it does not say stays, lists
    /// are replaced. Its namespace comes with it; a node brings a machine, which runs the kernel and the boot that it says.
    ///
    /// # Errors
    ///
    /// When it is of no kind that is known, or has fields of the wrong type.
    pub fn apply(&mut self, object: &Value) -> Result<(), Refused> {
        let Some(target) = ObjectRef::of(object) else {
            return Err(crate::driver::ReadError::Kind(object["kind"].to_string()).into());
        };
        if target.kind.is_namespaced() {
            let namespace = ObjectRef::cluster(Kind::Namespace, target.namespace.as_str());
            if self.store.find(&namespace).is_none() {
                self.store.create(&json!({
                    "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": target.namespace},
                }))?;
            }
        }
        let Some(stored) = self.store.find(&target) else {
            if target.kind == Kind::Node {
                self.store.create(&with_kubelet_labels(object))?;
                self.add_machine(&target.name);
            } else {
                self.store.create(object)?;
            }
            self.user(format!("{target} is created"));
            return Ok(());
        };
        let wanted = without_own_fields(object);
        let mut change = patch::difference(&json!({}), &wanted).unwrap_or_default();
        // A mapping that is no longer there is to go, so the specification is replaced whole.
        if let Some(spec) = patch::difference(&stored.value["spec"], &wanted["spec"]) {
            change["spec"] = spec;
        } else if let Value::Object(change) = &mut change {
            change.remove("spec");
        }
        self.store
            .patch(&target, Part::Object, &Precondition::default(), &change)?;
        self.user(format!("{target} is changed"));
        Ok(())
    }

    fn add_machine(&mut self, name: &str) {
        let node = self.store.find(&ObjectRef::cluster(Kind::Node, name));
        if let Some(node) = node.and_then(|stored| stored.seen.node()) {
            let facts = &node.facts;
            let boot = if facts.boot_id.is_empty() {
                format!("{name}-boot-1")
            } else {
                facts.boot_id.clone()
            };
            let machine = Machine::new(name, &facts.kernel_version, &boot);
            self.machines.insert(name.to_owned(), machine);
        }
    }

    /// Changes an object by a merge patch.
    ///
    /// # Errors
    ///
    /// When it is not there, or does not take it.
    pub fn patch(&mut self, target: &ObjectRef, change: &Value) -> Result<(), Refused> {
        self.store
            .patch(target, Part::Object, &Precondition::default(), change)?;
        self.user(format!("{target} is changed"));
        Ok(())
    }

    /// Deletes an object. A node takes its machine with it.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn delete(&mut self, target: &ObjectRef) -> Result<(), Refused> {
        self.store.delete(target, &Precondition::default())?;
        if target.kind == Kind::Node {
            self.machines.remove(&target.name);
        }
        self.user(format!("{target} is deleted"));
        Ok(())
    }

    /// Sets a label, or removes it.
    ///
    /// # Errors
    ///
    /// When the object is not there.
    pub fn label(&mut self, target: &ObjectRef, key: &str, value: Option<&str>) -> Result<(), Refused> {
        let change = json!({"metadata": {"labels": {key: value}}});
        self.store
            .patch(target, Part::Object, &Precondition::default(), &change)?;
        self.user(match value {
            Some(value) => format!("{target} gets the label {key}={value}"),
            None => format!("{target} loses the label {key}"),
        });
        Ok(())
    }

    /// Cordons a node, or lets pods onto it again: the mark, and the taint that Kubernetes makes of it.
    ///
    /// # Errors
    ///
    /// When the node is not there.
    pub fn cordon(&mut self, node: &str, cordoned: bool) -> Result<(), Refused> {
        const TAINT: &str = "node.kubernetes.io/unschedulable";
        let target = ObjectRef::cluster(Kind::Node, node);
        let Some(stored) = self.store.find(&target) else {
            return Err(Refused::NotFound(target));
        };
        let taints = stored.value["spec"]["taints"].as_array();
        let mut taints: Vec<Value> = taints.cloned().unwrap_or_default();
        taints.retain(|taint| taint["key"] != TAINT);
        if cordoned {
            taints.push(json!({"key": TAINT, "effect": "NoSchedule"}));
        }
        let change = json!({"spec": {"unschedulable": cordoned, "taints": taints}});
        self.store
            .patch(&target, Part::Object, &Precondition::default(), &change)?;
        let what = if cordoned { "cordoned" } else { "uncordoned" };
        self.user(format!("Node {node} is {what}"));
        Ok(())
    }

    /// Starts a node anew, with another kernel where one is given. Its kubelet tells of it later.
    ///
    /// # Errors
    ///
    /// When the node is not there.
    pub fn reboot(&mut self, node: &str, kernel: Option<&str>) -> Result<(), Refused> {
        let Some(machine) = self.machines.get_mut(node) else {
            return Err(Refused::NotFound(ObjectRef::cluster(Kind::Node, node)));
        };
        machine.stop();
        machine.start(kernel);
        self.user(match kernel {
            Some(kernel) => format!("Node {node} is started anew with kernel {kernel}"),
            None => format!("Node {node} is started anew"),
        });
        Ok(())
    }

    /// The operator ends, whatever it was at, and another one starts.
    pub fn restart_operator(&mut self) {
        self.driver = Driver::new(self.installation.clone());
        self.reasons.clear();
        self.flights.clear();
        self.watches.clear();
        for kind in WATCHED {
            self.list(kind);
        }
    }

    /// Lists a kind anew: what a watch missed is never seen.
    pub(super) fn list(&mut self, kind: Kind) {
        let now = self.store.now;
        let known: Vec<ObjectRef> = self
            .driver
            .cache()
            .all(kind)
            .map(|seen| seen.target().clone())
            .collect();
        for target in known {
            if self.store.find(&target).is_none() {
                let version = String::new();
                self.driver.observe(&Change::Gone { target, version }, now);
            }
        }
        let stored: Vec<Arc<Stored>> = self.store.all(kind).map(Arc::clone).collect();
        for stored in stored {
            let known = self.driver.cache().find(stored.seen.target());
            if known.is_none_or(|known| known.version() != stored.seen.version()) {
                let change = self.show(&stored);
                self.driver.observe(&change, now);
            }
        }
        self.driver.listed(kind);
        self.watches.insert(kind, self.store.version());
        self.trim();
    }

    /// An object as the operator gets to see it: as it is.
    #[cfg(not(any(test, feature = "faults")))]
    fn show(&self, stored: &Stored) -> Change {
        Change::Put(Arc::clone(&stored.seen))
    }

    /// An object as the operator gets to see it: as it is, unless that is the mistake that is tested.
    #[cfg(any(test, feature = "faults"))]
    fn show(&self, stored: &Stored) -> Change {
        let target = stored.seen.target();
        let before = self.driver.cache().find(target);
        let shown = self
            .mutation
            .and_then(|mutation| mutation.distort(&stored.value, before.map(|seen| &**seen)));
        match shown {
            None => Change::Put(Arc::clone(&stored.seen)),
            Some(value) => match crate::driver::Seen::read(&value, None) {
                Ok(seen) => Change::Put(Arc::new(seen)),
                Err(_) => Change::Gone {
                    target: target.clone(),
                    version: stored.seen.version().to_owned(),
                },
            },
        }
    }

    /// Brings the next change of a kind to the operator; whether there was one.
    pub(super) fn deliver(&mut self, kind: Kind) -> bool {
        let Some(at) = self.watches.get(&kind).copied() else {
            return false;
        };
        let Some(entry) = self.store.after(at).find(|entry| entry.target.kind == kind) else {
            return false;
        };
        let change = match &entry.object {
            Some(stored) => self.show(stored),
            None => Change::Gone {
                target: entry.target.clone(),
                version: entry.version.to_string(),
            },
        };
        let version = entry.version;
        self.watches.insert(kind, version);
        self.driver.observe(&change, self.store.now);
        true
    }

    /// Brings everything to the operator.
    pub(super) fn deliver_all(&mut self) {
        for kind in WATCHED {
            while self.deliver(kind) {}
        }
        for at in self.watches.values_mut() {
            *at = self.store.version();
        }
        self.trim();
    }

    fn trim(&mut self) {
        if let Some(behind) = self.watches.values().min() {
            self.store.forget_before(*behind);
        }
    }

    /// Asks the controller of a key; its plan is under way then.
    pub(super) fn begin(&mut self, key: &Key) {
        let decided = self.driver.begin(key, self.store.now);
        self.deeds
            .extend(decided.news.into_iter().map(|reason| Deed::Reason {
                key: key.clone(),
                reason,
            }));
        if decided.plan.reasons.is_empty() {
            self.reasons.remove(key);
        } else {
            let reasons = decided.plan.reasons.clone();
            self.reasons.insert(key.clone(), reasons);
        }
        if !decided.plan.is_empty() {
            self.launch(key, decided.plan);
        }
    }

    /// What was said of a key is as if it had not been.
    #[cfg(any(test, feature = "faults"))]
    pub(super) fn forget_reasons(&mut self, key: &Key) {
        self.reasons.remove(key);
    }

    /// Puts a plan under way, that was made of what the caches show now.
    pub(super) fn launch(&mut self, key: &Key, plan: Plan) {
        let node = self.driver.rests_on_node(key);
        let flight = Flight {
            plan: Arc::new(plan),
            next: 0,
            node: node.map(|(target, shown)| (target, shown.cloned())),
        };
        self.flights.insert(key.clone(), flight);
    }

    /// Carries out the next action of a key's plan.
    pub(super) fn act(&mut self, key: &Key, reachable: bool) {
        let Some(flight) = self.flights.get_mut(key) else {
            return;
        };
        let (plan, place) = (Arc::clone(&flight.plan), flight.next);
        flight.next += 1;
        let outcome = if place == 0 && !self.is_current(key) {
            Some(Outcome::Behind)
        } else {
            self.carry_out(key, &plan, place, reachable)
        };
        let outcome = outcome.or_else(|| (place + 1 >= plan.actions.len()).then_some(Outcome::Done));
        if let Some(outcome) = outcome {
            self.flights.remove(key);
            self.driver.finish(key, outcome, self.store.now);
        }
    }

    /// Whether what the plan of a key rests on is still so.
    pub(super) fn is_current(&self, key: &Key) -> bool {
        let Some(Flight { plan, node, .. }) = self.flights.get(key) else {
            return false;
        };
        let mut basis = plan.basis.iter();
        let mut node = node.iter();
        let stored = |target| self.store.find(target).and_then(|stored| stored.seen.node());
        basis.all(|seen| self.store.version_of(&seen.target).unwrap_or_default() == seen.resource_version)
            && node.all(|(target, shown)| stored(target) == shown.as_ref())
    }

    /// Carries out one action; `None` where that was well.
    fn carry_out(&mut self, key: &Key, plan: &Arc<Plan>, place: usize, reachable: bool) -> Option<Outcome> {
        let action = plan.actions.get(place)?;
        let (taken, verb) = match action {
            Action::Create { object } => (self.store.create(object).map(Taken::Version), "create"),
            Action::Patch {
                target,
                part,
                precondition,
                patch,
            } => {
                let verb = match part {
                    Part::Object => "patch",
                    Part::Status => "patch status",
                };
                (self.store.patch(target, *part, precondition, patch), verb)
            }
            Action::Delete { target, precondition } => match self.store.delete(target, precondition) {
                Err(Refused::NotFound(_)) => return None,
                taken => (taken, "delete"),
            },
            Action::Event(event) => {
                self.deeds.push(Deed::Told { event: event.clone() });
                return None;
            }
            Action::AskRegistry(question) => {
                let found = reachable.then(|| self.registry.has(&question.image));
                let answer = RegistryAnswer {
                    outcome: match found {
                        Some(true) => RegistryOutcome::Found,
                        Some(false) => RegistryOutcome::Missing,
                        None => RegistryOutcome::Failed {
                            message: "the registry was not reached".to_owned(),
                        },
                    },
                    at: self.store.now,
                    attempts: self
                        .driver
                        .attempts(&question.asker, &question.image)
                        .saturating_add(1),
                    generation: question.generation,
                };
                let question = question.clone();
                self.driver
                    .answered(&question.asker, &question.image, answer, self.store.now);
                self.deeds.push(Deed::Asked { question, found });
                return None;
            }
        };
        let target = action.target()?;
        match taken {
            Ok(taken) => {
                let written = match taken {
                    Taken::Version(version) | Taken::Unchanged(version) => {
                        Written::Version(version.to_string())
                    }
                    Taken::Gone => Written::Gone,
                };
                self.driver.wrote(key, &target, written);
                self.deeds.push(Deed::Wrote {
                    key: key.clone(),
                    plan: Arc::clone(plan),
                    place,
                    target,
                    verb,
                    changed: !matches!(taken, Taken::Unchanged(_)),
                });
                None
            }
            Err(error) => {
                let outcome = match &error {
                    Refused::NotFound(_) | Refused::AlreadyExists(_) | Refused::Conflict(_) => {
                        Outcome::Behind
                    }
                    Refused::Invalid { .. } | Refused::Unreadable(_) => Outcome::Failed,
                };
                self.deeds.push(Deed::Refused {
                    key: key.clone(),
                    target,
                    error: error.to_string(),
                });
                Some(outcome)
            }
        }
    }

    /// Time passes.
    pub(super) fn advance(&mut self, seconds: i64) {
        self.date();
        for machine in self.machines.values_mut() {
            machine.forget(&self.store);
        }
        self.store.now = Timestamp(self.store.now.0.saturating_add(seconds));
    }

    /// Lets everybody do what they have to, until nobody has anything left to do.
    pub fn settle(&mut self, limit: Limit) -> Settled {
        let end = Timestamp(self.store.now.0.saturating_add(limit.seconds));
        for _ in 0..limit.rounds {
            if self.operate() | self.tend() {
                continue;
            }
            if self.kubelets(Luck::Good) {
                if self.store.now >= end {
                    return Settled::Waiting {
                        until: self.store.now,
                    };
                }
                self.advance(1);
                continue;
            }
            let Some(next) = self.next_due() else {
                return Settled::Yes;
            };
            if next > end {
                return Settled::Waiting { until: next };
            }
            self.advance(next.0.saturating_sub(self.store.now.0).max(1));
        }
        Settled::No
    }

    /// When something happens by itself.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let own = self.driver.next_due(self.store.now);
        let theirs = self.machines.values().filter_map(Machine::next_due);
        own.into_iter().chain(theirs).min()
    }

    /// Lets the operator do all that it has to; whether it wrote.
    pub(super) fn operate(&mut self) -> bool {
        let mut wrote = false;
        self.deliver_all();
        while let Some(key) = self.flights.keys().next().cloned().or_else(|| {
            let mut ready = self.driver.ready(self.store.now);
            ready.next().cloned()
        }) {
            if !self.flights.contains_key(&key) {
                self.begin(&key);
            }
            while self.flights.contains_key(&key) {
                wrote = true;
                self.act(&key, true);
            }
            self.deliver_all();
        }
        wrote
    }

    /// Lets Kubernetes itself do all that it has to; whether it did anything.
    pub(super) fn tend(&mut self) -> bool {
        let mut busy = false;
        for target in kubernetes::garbage(&self.store) {
            busy |= kubernetes::collect(&mut self.store, &target, &mut self.deeds);
        }
        let sets: Vec<ObjectRef> = self
            .store
            .all(Kind::DaemonSet)
            .map(|set| set.seen.target().clone())
            .collect();
        for target in sets {
            while kubernetes::daemon_set(&mut self.store, &target, &mut self.deeds) {
                busy = true;
            }
        }
        for target in kubernetes::unscheduled(&self.store) {
            busy |= kubernetes::schedule(&mut self.store, &target, 0, &mut self.deeds);
        }
        busy
    }

    /// Lets every kubelet do one thing about each of its pods; whether there was any.
    pub(super) fn kubelets(&mut self, luck: Luck) -> bool {
        let mut busy = false;
        let pods = self.store.all(Kind::Pod).filter_map(|stored| stored.seen.pod());
        let pods: Vec<(String, ObjectRef)> = pods
            .map(|pod| (pod.node_name().to_owned(), pod.reference()))
            .collect();
        for machine in self.machines.values_mut() {
            busy |= machine.report(&mut self.store);
        }
        for (node, target) in pods {
            if let Some(machine) = self.machines.get_mut(&node) {
                busy |= machine.step(&mut self.store, &self.registry, &target, luck, &mut self.deeds);
            }
        }
        busy
    }
}

/// A node with the labels that its kubelet gives it.
fn with_kubelet_labels(node: &Value) -> Value {
    let mut node = node.clone();
    let architecture = node["status"]["nodeInfo"]["architecture"].clone();
    let name = node["metadata"]["name"].clone();
    if node["metadata"]["labels"].is_null() {
        node["metadata"]["labels"] = json!({});
    }
    let own = [
        ("kubernetes.io/arch", architecture),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", json!("linux")),
    ];
    if let Some(labels) = node["metadata"]["labels"].as_object_mut() {
        for (key, value) in own {
            if value.is_string() {
                labels.entry(key).or_insert(value);
            }
        }
    }
    node
}

/// An object without what only the API server and controllers write.
fn without_own_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Value::Object(map) = &mut object {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "managedFields",
            "finalizers",
            "ownerReferences",
        ] {
            metadata.remove(key);
        }
    }
    object
}
