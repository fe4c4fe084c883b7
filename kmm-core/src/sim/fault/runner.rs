//! Carrying schedules out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;
use serde_json::json;

use crate::driver::Key;
use crate::driver::Outcome;
use crate::driver::WATCHED;
use crate::reconcile::Action;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::sim::Cluster;
use crate::sim::Deed;
use crate::sim::Luck;

use super::Edit;
use super::Mutation;
use super::Scenes;
use super::Schedule;
use super::Step;
use super::Violation;
use super::check;
use super::check::Knowledge;
use super::check::broken;
use super::expect;
use super::scene;
use super::scene::KERNELS;
use super::scene::MODULES;
use super::scene::NAMESPACE;
use super::scene::NODES;
use super::scene::TAGS;

/// Rounds in which a cluster has to settle when the faults have stopped.
const ROUNDS: u32 = 400;
/// Seconds that may pass meanwhile.
const SECONDS: i64 = 3_600;

/// A schedule in which everything held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Steps.
    pub steps: usize,
    /// Things that happened, those after the faults had stopped included.
    pub deeds: usize,
}

/// A schedule in which something did not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What.
    pub violation: Violation,
    /// The schedule.
    pub schedule: Schedule,
    /// What happened, line by line; empty unless it was asked for.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.violation)?;
        writeln!(
            f,
            "scene {}, {} steps:",
            self.schedule.scene,
            self.schedule.steps.len()
        )?;
        for step in &self.schedule.steps {
            writeln!(f, "  {step:?}")?;
        }
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Runs a schedule.
///
/// # Errors
///
/// What did not hold.
pub fn run(scenes: &Scenes, schedule: &Schedule, mutation: Option<Mutation>) -> Result<Passed, Box<Failure>> {
    start(scenes, schedule, mutation, false)
}

/// Runs a schedule, and tells what happened where something does not hold.
///
/// # Errors
///
/// What did not hold.
pub fn replay(
    scenes: &Scenes,
    schedule: &Schedule,
    mutation: Option<Mutation>,
) -> Result<Passed, Box<Failure>> {
    start(scenes, schedule, mutation, true)
}

/// Leaves out steps of a schedule that fails, as long as it fails in the same way.
pub fn shrink(scenes: &Scenes, failure: &Failure, mutation: Option<Mutation>) -> Box<Failure> {
    let rule = failure.violation.rule;
    let fails = |schedule: &Schedule| match run(scenes, schedule, mutation) {
        Err(failure) if failure.violation.rule == rule => Some(failure),
        Ok(_) | Err(_) => None,
    };
    let mut shortest = Box::new(failure.clone());
    let mut size = shortest.schedule.steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shorter = false;
        while at < shortest.schedule.steps.len() {
            let mut schedule = shortest.schedule.clone();
            let end = (at + size).min(schedule.steps.len());
            schedule.steps.drain(at..end);
            match fails(&schedule) {
                Some(failure) => {
                    shortest = failure;
                    shorter = true;
                }
                None => at += size,
            }
        }
        if size == 1 && !shorter {
            break;
        }
        size = (size / 2).max(1);
    }
    match replay(scenes, &shortest.schedule, mutation) {
        Err(told) => told,
        Ok(_) => shortest,
    }
}

fn start(
    scenes: &Scenes,
    schedule: &Schedule,
    mutation: Option<Mutation>,
    tell: bool,
) -> Result<Passed, Box<Failure>> {
    let mut passed = Passed::default();
    let failed = |violation, story| {
        Box::new(Failure {
            violation,
            schedule: schedule.clone(),
            story,
        })
    };
    let Some(cluster) = scenes.find(schedule.scene) else {
        let text = format!("{}; there are {}", schedule.scene, scenes.count());
        let rule = "no such scene";
        return Err(failed(Violation { rule, text }, Vec::new()));
    };
    let mut runner = Runner::new(cluster, mutation, tell);
    let mut outcome = Ok(());
    for step in &schedule.steps {
        passed.steps += 1;
        runner.tell(|| format!("-- {step:?}"));
        outcome = runner.step(*step);
        if outcome.is_err() {
            break;
        }
    }
    let outcome = outcome.and_then(|()| runner.converge());
    passed.deeds = runner.deeds;
    match outcome {
        Ok(()) => Ok(passed),
        Err(violation) => Err(failed(violation, runner.story)),
    }
}

struct Runner {
    cluster: Cluster,
    mutation: Option<Mutation>,
    known: BTreeMap<Key, Knowledge>,
    /// Images that some Module has named: these stay.
    named: BTreeSet<(usize, usize)>,
    /// Writes of operators that were killed, which have not arrived yet.
    sent: Vec<Action>,
    deeds: usize,
    tell: bool,
    story: Vec<String>,
}

/// One of several; `None` of none.
fn choose<T>(choice: usize, all: impl IntoIterator<Item = T>) -> Option<T> {
    let mut all: Vec<T> = all.into_iter().collect();
    let place = choice.checked_rem(all.len())?;
    Some(all.swap_remove(place))
}

impl Runner {
    fn new(mut cluster: Cluster, mutation: Option<Mutation>, tell: bool) -> Self {
        cluster.mutation = mutation;
        Self {
            cluster,
            mutation,
            known: BTreeMap::new(),
            named: MODULES
                .iter()
                .enumerate()
                .map(|(module, _)| (module, 0))
                .collect(),
            sent: Vec::new(),
            deeds: 0,
            tell,
            story: Vec::new(),
        }
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.tell {
            self.story.push(line());
        }
    }

    fn step(&mut self, step: Step) -> Result<(), Violation> {
        let cluster = &mut self.cluster;
        match step {
            Step::Deliver(kind, count) => {
                if let Some(kind) = choose(kind, WATCHED) {
                    for _ in 0..count {
                        cluster.deliver(kind);
                    }
                }
            }
            Step::DeliverAll => cluster.deliver_all(),
            Step::DeliverBut(late) => cluster.deliver_all_but(choose(late, WATCHED)),
            Step::Again(choice) => cluster.wake_again(choice),
            Step::List(kind) => {
                if let Some(kind) = choose(kind, WATCHED) {
                    cluster.list(kind);
                }
            }
            Step::Begin(choice) => {
                let key = choose(choice, cluster.driver.ready(cluster.now())).cloned();
                if let Some(key) = key {
                    self.begin(&key)?;
                }
            }
            Step::Act(choice, reachable) => {
                let key = choose(choice, cluster.flights.keys()).cloned();
                if let Some(key) = key {
                    self.act(&key, reachable)?;
                }
            }
            Step::Operate => self.operate(None)?,
            Step::OperateBut(late) => self.operate(choose(late, WATCHED))?,
            Step::Kubelet(choice, luck) => cluster.kubelet(choice, luck),
            Step::Kubelets => {
                cluster.kubelets(Luck::Good);
            }
            Step::Report(choice) => cluster.report(choice),
            Step::Tend(choice) => cluster.tend_one(choice),
            Step::Wait(seconds) => cluster.advance_untold(seconds),
            Step::Kill => {
                self.sent.extend(cluster.in_flight());
                cluster.restart_operator();
                self.known.clear();
            }
            Step::Land(choice) => {
                if let Some(place) = choice.checked_rem(self.sent.len()) {
                    let action = self.sent.swap_remove(place);
                    cluster.land(&action);
                }
            }
            Step::Edit(edit) => self.edit(edit),
        }
        self.look(None)?;
        self.look_if_idle()
    }

    /// Checks all that happened since the last look.
    fn look(&mut self, key: Option<&Key>) -> Result<(), Violation> {
        for deed in self.cluster.take_deeds() {
            self.deeds += 1;
            self.tell(|| format!("{}: {deed}", deed.doer()));
            if self.tell
                && let Deed::Wrote { .. } = deed
            {
                let action = serde_json::to_string(&deed.action()).unwrap_or_default();
                self.tell(|| format!("    {}", action.chars().take(700).collect::<String>()));
            }
            let known = key.and_then(|key| self.known.get(key));
            check::deed(&self.cluster, &deed, known)?;
        }
        Ok(())
    }

    fn look_if_idle(&self) -> Result<(), Violation> {
        let cluster = &self.cluster;
        if cluster.flights.is_empty() && cluster.driver.is_idle(cluster.now()) && cluster.is_up_to_date() {
            check::idle(cluster)?;
        }
        Ok(())
    }

    fn begin(&mut self, key: &Key) -> Result<(), Violation> {
        let cluster = &mut self.cluster;
        self.known.insert(key.clone(), Knowledge::of(cluster, key));
        cluster.begin(key);
        if let Some(mutation) = self.mutation {
            self.spoil(key, mutation);
        }
        check::said(&self.cluster, key)
    }

    fn spoil(&mut self, key: &Key, mutation: Mutation) {
        let cluster = &mut self.cluster;
        let mut plan = cluster
            .flights
            .get(key)
            .map(|flight| (*flight.plan).clone())
            .unwrap_or_default();
        let had = !plan.is_empty();
        mutation.spoil(key, &mut plan, cluster);
        if mutation == Mutation::RetryForgotten && !had {
            cluster.driver.forget_retry(key);
        }
        if mutation == Mutation::IdleIsSilent && !had {
            cluster.forget_reasons(key);
        }
        match (had, plan.is_empty()) {
            (true, true) => {
                cluster.flights.remove(key);
                let now = cluster.now();
                cluster.driver.finish(key, Outcome::Done, now);
            }
            (false, true) => {}
            (true | false, false) => {
                cluster.fly(key, plan);
                if mutation == Mutation::NoPreconditions {
                    cluster.forget_basis(key);
                }
            }
        }
    }

    fn act(&mut self, key: &Key, reachable: bool) -> Result<(), Violation> {
        self.cluster.act(key, reachable);
        if self.mutation == Some(Mutation::OwnWritesForgotten) {
            self.cluster.driver.forget_own_writes();
        }
        self.look(Some(key))
    }

    /// Lets the operator do all that it has to, with no change of a kind that comes late.
    fn operate(&mut self, late: Option<Kind>) -> Result<(), Violation> {
        let deliver = |cluster: &mut Cluster| match late {
            Some(_) => cluster.deliver_all_but(late),
            None => cluster.deliver_all(),
        };
        deliver(&mut self.cluster);
        // Bounded, so that an operator that never comes to rest is found as such.
        for _ in 0..2_000 {
            let cluster = &self.cluster;
            let flying = cluster.flights.keys().next().cloned();
            let ready = cluster.driver.ready(cluster.now()).next().cloned();
            let key = match (flying, ready) {
                (Some(flying), _) => flying,
                (None, Some(ready)) => {
                    self.begin(&ready)?;
                    ready
                }
                (None, None) => return Ok(()),
            };
            while self.cluster.flights.contains_key(&key) {
                self.act(&key, true)?;
            }
            deliver(&mut self.cluster);
        }
        broken("no rest", "the operator writes and writes")
    }

    fn edit(&mut self, edit: Edit) {
        let cluster = &mut self.cluster;
        let node = |place: usize| ObjectRef::cluster(Kind::Node, NODES[place % NODES.len()]);
        let module =
            |place: usize| ObjectRef::namespaced(Kind::Module, NAMESPACE, MODULES[place % MODULES.len()]);
        let name = |place: usize| NODES[place % NODES.len()];
        let kernel = |place: usize| KERNELS[place % KERNELS.len()];
        // What is not there cannot be edited.
        let _done = match edit {
            Edit::Module {
                module: place,
                tag,
                versioned,
            } => {
                self.named.insert((place, tag));
                let object = scene::module(MODULES[place], TAGS[tag], versioned);
                cluster.apply(&object)
            }
            Edit::Delete(place) => cluster.delete(&module(place)),
            Edit::Plugin(place, on) => {
                let plugin = if on { scene::plugin() } else { Value::Null };
                cluster.patch(&module(place), &json!({"spec": {"devicePlugin": plugin}}))
            }
            Edit::Cordon(place, on) => cluster.cordon(name(place), on),
            Edit::Select(place, on) => {
                cluster.label(&node(place), "pool", Some(if on { "acme" } else { "other" }))
            }
            Edit::Version {
                node: place,
                module: of,
                tag,
            } => {
                let module = crate::resolve::ModuleName {
                    name: MODULES[of].to_owned(),
                    namespace: NAMESPACE.to_owned(),
                };
                let label = crate::reconcile::names::version_worker_pod(&module);
                cluster.label(&node(place), &label, TAGS.get(tag).copied())
            }
            Edit::Stop(place) => {
                cluster.stop(name(place));
                Ok(())
            }
            Edit::Start(place, of) => {
                cluster.start(name(place), Some(kernel(of)));
                Ok(())
            }
            Edit::Remove(place) => cluster.delete(&node(place)),
            Edit::Add(place, of) => {
                if cluster.machine(name(place)).is_none() {
                    let object = scene::node(name(place), kernel(of));
                    cluster.add_node(&object)
                } else {
                    Ok(())
                }
            }
            Edit::Image {
                module: place,
                tag,
                there,
            } => {
                if there || !self.named.contains(&(place, tag)) {
                    set_images(cluster, place, tag, there);
                }
                Ok(())
            }
        };
    }

    /// The faults stop: everything has to come to what is wanted.
    fn converge(&mut self) -> Result<(), Violation> {
        self.tell(|| "-- the faults stop".to_owned());
        let cluster = &mut self.cluster;
        // What was still on its way comes after all.
        for action in self.sent.drain(..) {
            cluster.land(&action);
        }
        for node in NODES {
            cluster.start(node, None);
        }
        for module in 0..MODULES.len() {
            for tag in 0..TAGS.len() {
                set_images(cluster, module, tag, true);
            }
        }
        self.settle()?;
        expect::settled(&self.cluster)?;
        self.tell(|| "-- the operator starts anew".to_owned());
        self.cluster.restart_operator();
        let version = self.cluster.store().version();
        self.settle()?;
        if self.cluster.store().version() != version {
            return broken("a settled cluster costs writes", "after a restart");
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Violation> {
        let end = self.cluster.now().0 + SECONDS;
        for _ in 0..ROUNDS {
            self.operate(None)?;
            if self.cluster.tend() {
                self.look(None)?;
                continue;
            }
            self.look_if_idle()?;
            if self.cluster.kubelets(Luck::Good) {
                self.look(None)?;
                self.cluster.advance_untold(1);
                continue;
            }
            match self.cluster.next_due() {
                None => return Ok(()),
                Some(next) if next.0 > end => return broken("no end", format!("something is due at {next}")),
                Some(next) => self
                    .cluster
                    .advance_untold((next.0 - self.cluster.now().0).max(1)),
            }
        }
        broken("no end", format!("{ROUNDS} rounds are not enough"))
    }
}

fn set_images(cluster: &mut Cluster, module: usize, tag: usize, there: bool) {
    let image = scene::image(MODULES[module], TAGS[tag]);
    for kernel in KERNELS {
        cluster
            .registry()
            .set(&image.replace("${KERNEL_FULL_VERSION}", kernel), there);
    }
}
