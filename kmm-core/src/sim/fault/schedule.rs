//! What happens, step by step.

use std::ops::Range;

use crate::driver::WATCHED;
use crate::reconcile::Kind;
use crate::sim::Luck;
use crate::sim::Random;

use super::Scenes;
use super::scene::KERNELS;
use super::scene::MODULES;
use super::scene::NODES;
use super::scene::TAGS;

/// What somebody does to the cluster. Numbers are places in the lists of scenes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edit {
    /// A Module, or its change: another image, or another version.
    Module {
        /// Which.
        module: usize,
        /// Tag of its images.
        tag: usize,
        /// Whether it is for ordered upgrade.
        versioned: bool,
    },
    /// A Module is deleted.
    Delete(usize),
    /// A Module gets a device plugin, or loses it.
    Plugin(usize, bool),
    /// A node is cordoned, or no longer.
    Cordon(usize, bool),
    /// A node gets or loses the label that Modules select.
    Select(usize, bool),
    /// A node gets the label of ordered upgrade, or loses it.
    Version {
        /// The node.
        node: usize,
        /// The Module.
        module: usize,
        /// The version; beyond the last one, none.
        tag: usize,
    },
    /// A node stops.
    Stop(usize),
    /// A node that was stopped starts with a kernel.
    Start(usize, usize),
    /// A node is deleted, with its machine.
    Remove(usize),
    /// A new node.
    Add(usize, usize),
    /// The images of a Module with a tag are there, or not yet.
    Image {
        /// The Module.
        module: usize,
        /// The tag.
        tag: usize,
        /// Whether they are there.
        there: bool,
    },
}

/// One thing that happens. Numbers choose among what there is then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Changes of a kind come to the operator.
    Deliver(usize, usize),
    /// All changes come to the operator.
    DeliverAll,
    /// All changes but those of one kind come to the operator.
    DeliverBut(usize),
    /// A change comes once more, as after a timer.
    Again(usize),
    /// A watch breaks, and a list takes its place.
    List(usize),
    /// A controller decides.
    Begin(usize),
    /// An action of a plan is carried out; the flag says whether registries are reached.
    Act(usize, bool),
    /// The operator does all that it has to.
    Operate,
    /// The same, while no change of one kind comes to it: of its own writes of that kind neither.
    OperateBut(usize),
    /// A kubelet does one thing about one pod.
    Kubelet(usize, Luck),
    /// Every kubelet does one thing about each of its pods.
    Kubelets,
    /// A kubelet tells of its node.
    Report(usize),
    /// Kubernetes does one thing.
    Tend(usize),
    /// Seconds pass.
    Wait(i64),
    /// The operator is killed, and starts again. What it had sent is still on its way.
    Kill,
    /// A write of an operator that was killed arrives.
    Land(usize),
    /// Somebody edits.
    Edit(Edit),
}

/// A scene and what happens there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub(super) scene: usize,
    pub(super) steps: Vec<Step>,
}

impl Schedule {
    /// The schedule of a seed.
    pub fn new(scenes: &Scenes, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let scene = random.below(scenes.count());
        let length = 20 + random.below(100);
        let mut steps: Vec<Step> = (0..length).map(|_| step(&mut random)).collect();
        let kills = (0..length).filter(|place| steps.get(*place) == Some(&Step::Kill));
        for kill in kills.collect::<Vec<_>>() {
            // What was sent comes late, when the next operator has decided.
            let place = (kill + 1 + random.below(40)).min(steps.len());
            steps.insert(place, Step::Land(random.below(64)));
        }
        if random.one_in(2) {
            let begin = if random.one_in(3) { 0 } else { random.below(length) };
            let end = begin + 5 + random.below(50);
            // What nodes are to have is what most decisions rest on.
            let kind = match random.one_in(3) {
                true => WATCHED.iter().position(|kind| *kind == Kind::NodeModulesConfig),
                false => None,
            };
            let kind = kind.unwrap_or_else(|| random.below(WATCHED.len()));
            stall(&mut steps, begin..end, kind);
        }
        if random.one_in(6) {
            replace_node(&mut steps, &mut random);
        }
        Self { scene, steps }
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// A node is deleted, and soon after that another one has its name; often somebody edits before the garbage collector
/// comes. By chance alone that is too rare for what is bound to names.
fn replace_node(steps: &mut Vec<Step>, random: &mut Random) {
    let node = random.below(NODES.len());
    let kernel = random.below(KERNELS.len());
    let module = random.below(MODULES.len());
    let mut new = Vec::new();
    if random.one_in(2) {
        new.push(Step::Operate);
    }
    new.push(Step::Edit(Edit::Remove(node)));
    new.extend((0..random.below(3)).map(|_| step(random)));
    new.push(Step::Edit(Edit::Add(node, kernel)));
    new.extend((0..random.below(3)).map(|_| Step::Kubelets));
    match random.below(4) {
        0 => new.push(Step::Edit(Edit::Delete(module))),
        1 => new.push(Step::Edit(Edit::Module {
            module,
            tag: random.below(TAGS.len()),
            versioned: false,
        })),
        _ => {}
    }
    new.extend((0..random.below(4)).map(|_| Step::Tend(random.below(64))));
    let at = random.below(steps.len().max(1));
    steps.splice(at..at, new);
}

/// One watch stands still for a while.
fn stall(steps: &mut [Step], range: Range<usize>, kind: usize) {
    for step in steps.iter_mut().take(range.end).skip(range.start) {
        match step {
            Step::DeliverAll => *step = Step::DeliverBut(kind),
            Step::Operate => *step = Step::OperateBut(kind),
            Step::Deliver(of, _) if *of == kind => *of = (kind + 1) % WATCHED.len(),
            Step::Deliver(..)
            | Step::DeliverBut(_)
            | Step::Again(_)
            | Step::List(_)
            | Step::Begin(_)
            | Step::Act(..)
            | Step::OperateBut(_)
            | Step::Kubelet(..)
            | Step::Kubelets
            | Step::Report(_)
            | Step::Tend(_)
            | Step::Wait(_)
            | Step::Kill
            | Step::Land(_)
            | Step::Edit(_) => {}
        }
    }
}

fn step(random: &mut Random) -> Step {
    let any = random.below(64);
    match random.below(100) {
        0..16 => Step::Deliver(random.below(WATCHED.len()), 1 + random.below(4)),
        16..21 => Step::DeliverAll,
        21..24 => Step::DeliverBut(random.below(WATCHED.len())),
        24..25 => Step::Again(any),
        25..27 => Step::List(random.below(WATCHED.len())),
        27..42 => Step::Begin(any),
        42..60 => Step::Act(any, !random.one_in(8)),
        60..64 => Step::Operate,
        64..76 => Step::Kubelet(any, luck(random)),
        76..80 => Step::Kubelets,
        80..82 => Step::Report(any),
        82..86 => Step::Tend(any),
        86..88 => Step::Wait([1, 5, 20, 120, 700][random.below(5)]),
        88..90 => Step::Kill,
        90..91 => Step::Land(any),
        _ => Step::Edit(edit(random)),
    }
}

fn luck(random: &mut Random) -> Luck {
    match random.below(12) {
        0 => Luck::Bad,
        1 => Luck::Evicted,
        2 => Luck::Killed,
        _ => Luck::Good,
    }
}

fn edit(random: &mut Random) -> Edit {
    let node = random.below(NODES.len());
    let module = random.below(MODULES.len());
    let tag = random.below(TAGS.len());
    let kernel = random.below(KERNELS.len());
    let flag = random.one_in(2);
    match random.below(32) {
        0..8 => Edit::Module {
            module,
            tag,
            versioned: random.one_in(6),
        },
        8..11 => Edit::Delete(module),
        11..12 => Edit::Plugin(module, flag),
        12..14 => Edit::Cordon(node, flag),
        14..17 => Edit::Select(node, flag),
        17..20 => Edit::Version {
            node,
            module,
            tag: random.below(TAGS.len() + 1),
        },
        20..24 => Edit::Stop(node),
        24..28 => Edit::Start(node, kernel),
        28..29 => Edit::Remove(node),
        29..30 => Edit::Add(node, kernel),
        _ => Edit::Image {
            module,
            tag,
            there: flag,
        },
    }
}
