use crate::sim::Luck;

use super::*;

/// Enough to find a mistake of today; `cargo xtask test` runs many more, and `cargo xtask soak` other ones
/// each time.
const SCHEDULES: u64 = 150;

/// In scene 24: a node is deleted and made again, and the new one runs a loader that was made for the one before.
const NAME_OF_ANOTHER: &[Step] = &[
    Step::Operate,
    Step::Edit(super::Edit::Remove(0)),
    Step::Edit(super::Edit::Add(0, 0)),
    Step::Kubelet(24, Luck::Good),
    Step::Edit(super::Edit::Delete(0)),
    Step::Tend(48),
];

/// Schedules that failed once, made short.
#[test]
fn what_failed_once() {
    use Step::*;
    let scenes = Scenes::new();
    let module = |module, tag| {
        Edit(super::Edit::Module {
            module,
            tag,
            versioned: false,
        })
    };
    let schedules = [
        // A loader and its module come and go in one look: that is no change of the status.
        (
            23,
            vec![
                Edit(super::Edit::Add(1, 0)),
                Operate,
                Kubelets,
                Kubelets,
                Edit(super::Edit::Stop(1)),
                Edit(super::Edit::Delete(0)),
            ],
        ),
        // A loader that was made before the node told its boot says nothing of a later boot.
        (24, vec![Operate, Kubelets, Kubelets, Edit(super::Edit::Stop(1))]),
        // A loader that is looked at again while its kubelet lets it go says the same as before.
        (
            24,
            vec![
                Kubelets,
                Operate,
                Edit(super::Edit::Stop(0)),
                Edit(super::Edit::Start(0, 0)),
                Edit(super::Edit::Module {
                    module: 0,
                    tag: 0,
                    versioned: true,
                }),
                Kubelet(58, Luck::Good),
                Operate,
                Kubelet(32, Luck::Good),
                Kubelet(54, Luck::Good),
            ],
        ),
        // A module whose boot was not written down is unloaded, not forgotten.
        (
            33,
            vec![
                Operate,
                Kubelets,
                Kubelets,
                Edit(super::Edit::Delete(1)),
                Operate,
                Kubelets,
            ],
        ),
        // A loader that was made for one boot may have loaded on the next one.
        (
            32,
            vec![
                Edit(super::Edit::Stop(1)),
                Edit(super::Edit::Start(1, 1)),
                module(1, 2),
                Operate,
                Kubelets,
                Edit(super::Edit::Delete(1)),
            ],
        ),
        // A worker is killed when it has loaded its module, and then nobody wants it there.
        (
            21,
            vec![
                Kubelets,
                Operate,
                Kubelet(59, Luck::Good),
                Kubelet(11, Luck::Killed),
                Edit(super::Edit::Select(0, false)),
            ],
        ),
        // The same, and another image is wanted.
        (
            21,
            vec![
                Kubelets,
                Operate,
                Kubelet(59, Luck::Good),
                Kubelet(11, Luck::Killed),
                module(0, 1),
            ],
        ),
        // A Module that goes before it has its finalizer leaves no mark on its namespace.
        (
            0,
            vec![DeliverAll, Begin(40), Begin(12), Edit(super::Edit::Delete(0))],
        ),
        // The same as before that, and another image is wanted meanwhile.
        (
            20,
            vec![
                module(1, 0),
                Operate,
                Kubelets,
                Edit(super::Edit::Stop(0)),
                module(1, 1),
            ],
        ),
        // A pod that uses a module is seen when its unloader is on its way already.
        (
            33,
            vec![
                Kubelets,
                Operate,
                Kubelet(53, Luck::Good),
                Kubelets,
                Kubelet(5, Luck::Good),
                Operate,
                Edit(super::Edit::Delete(0)),
                DeliverAll,
                Begin(12),
                Act(62, true),
                Begin(23),
                Act(27, true),
                Begin(29),
                Act(40, true),
                Tend(51),
                Deliver(5, 4),
                Begin(49),
            ],
        ),
        // A node is deleted, and another one has its name before the garbage collector comes.
        (
            5,
            vec![
                Edit(super::Edit::Module {
                    module: 0,
                    tag: 2,
                    versioned: true,
                }),
                Edit(super::Edit::Remove(0)),
                Edit(super::Edit::Add(0, 0)),
                Edit(super::Edit::Delete(1)),
                DeliverAll,
                Begin(46),
                Act(13, true),
                Report(59),
                Kubelet(42, Luck::Good),
                Tend(30),
                Kubelet(54, Luck::Good),
            ],
        ),
        // A loader is made for the kernel before, which ordered upgrade does not let follow.
        (
            33,
            vec![
                Edit(super::Edit::Stop(1)),
                Operate,
                Edit(super::Edit::Version {
                    node: 1,
                    module: 1,
                    tag: 0,
                }),
                Edit(super::Edit::Module {
                    module: 1,
                    tag: 2,
                    versioned: true,
                }),
                Edit(super::Edit::Start(1, 0)),
            ],
        ),
        // Ordered upgrade keeps an older version, and its node starts another kernel: the entry waits for the old one.
        (
            5,
            vec![
                Edit(super::Edit::Stop(0)),
                Edit(super::Edit::Version {
                    node: 0,
                    module: 1,
                    tag: 1,
                }),
                Edit(super::Edit::Start(0, 1)),
                Edit(super::Edit::Module {
                    module: 1,
                    tag: 2,
                    versioned: true,
                }),
            ],
        ),
        // Two Modules that go at once each see the other one; the mark of their namespace goes all the same.
        (
            4,
            vec![
                Edit(super::Edit::Remove(0)),
                Edit(super::Edit::Delete(0)),
                Tend(43),
                Edit(super::Edit::Delete(1)),
                Operate,
                Tend(5),
                Deliver(5, 3),
                Begin(48),
                Begin(28),
                Begin(56),
                Begin(55),
                Begin(38),
            ],
        ),
        // The same after a restart.
        (
            21,
            vec![
                Edit(super::Edit::Remove(0)),
                Operate,
                Kill,
                Begin(58),
                Edit(super::Edit::Delete(0)),
                Edit(super::Edit::Delete(1)),
                Deliver(1, 1),
                Begin(11),
                DeliverBut(4),
                Begin(0),
            ],
        ),
        // A loader is made for one boot, runs in the next, and is judged when the node has told neither.
        (
            25,
            vec![
                module(1, 1),
                Edit(super::Edit::Stop(1)),
                Operate,
                module(1, 0),
                Edit(super::Edit::Select(1, false)),
                Kubelet(58, Luck::Evicted),
                Edit(super::Edit::Start(1, 1)),
                Again(32),
                DeliverBut(2),
                Kubelets,
                Kubelet(25, Luck::Good),
                Kubelet(25, Luck::Good),
                Deliver(6, 4),
                Begin(4),
                Begin(31),
            ],
        ),
        // A worker is killed when it has loaded its module, fails when it is started again, and then nobody wants it there.
        (
            21,
            vec![
                Operate,
                Kubelets,
                Edit(super::Edit::Delete(1)),
                Kubelet(15, Luck::Killed),
                Operate,
                Kubelets,
                Kubelets,
                Operate,
                Kubelet(36, Luck::Good),
                Edit(super::Edit::Delete(0)),
                Wait(120),
                Kubelet(58, Luck::Good),
                Kubelet(55, Luck::Bad),
            ],
        ),
        // A node is deleted and made again, and the new one runs a loader that was made for the one before.
        (24, NAME_OF_ANOTHER.to_vec()),
        // The same, and another image is wanted.
        (
            30,
            vec![
                Operate,
                Edit(super::Edit::Remove(0)),
                Edit(super::Edit::Add(0, 0)),
                Kubelet(51, Luck::Good),
                module(0, 2),
                Kubelet(3, Luck::Good),
                Kubelet(27, Luck::Good),
                Tend(2),
            ],
        ),
        // A node is deleted and made again between the two halves of a plan: the new one got the label.
        (
            15,
            vec![
                Operate,
                Tend(46),
                Report(25),
                Kubelet(0, Luck::Good),
                Operate,
                Kubelet(55, Luck::Good),
                Kubelet(31, Luck::Good),
                Kubelet(21, Luck::Bad),
                Deliver(6, 3),
                Begin(26),
                Act(37, false),
                Edit(super::Edit::Remove(1)),
                Edit(super::Edit::Add(1, 0)),
                Tend(10),
            ],
        ),
    ];
    for (scene, steps) in schedules {
        let schedule = Schedule { scene, steps };
        if let Err(failure) = replay(&scenes, &schedule, None) {
            panic!("{failure}");
        }
    }
}

/// What the other tests find of it by chance alone is little.
#[test]
fn forgotten_workers_are_found() {
    let scenes = Scenes::new();
    let steps = NAME_OF_ANOTHER.to_vec();
    let schedule = Schedule { scene: 24, steps };
    let failure = run(&scenes, &schedule, Some(Mutation::WorkersForgotten)).unwrap_err();
    assert_eq!(failure.violation.rule, "pod let go before its end");
}

#[test]
fn a_scene_that_is_not_there_holds_nothing() {
    let scenes = Scenes::new();
    let schedule = Schedule {
        scene: scenes.count(),
        steps: Vec::new(),
    };
    let failure = run(&scenes, &schedule, None).unwrap_err();
    assert_eq!(failure.violation.rule, "no such scene");
}

#[test]
fn everything_holds() {
    let scenes = Scenes::new();
    for seed in 0..SCHEDULES {
        let schedule = Schedule::new(&scenes, seed);
        if let Err(failure) = run(&scenes, &schedule, None) {
            panic!("seed {seed}: {}", shrink(&scenes, &failure, None));
        }
    }
}

/// Mistakes that a few schedules find; `cargo xtask soak --mistakes` finds them all.
#[test]
fn common_mistakes_are_found() {
    let scenes = Scenes::new();
    let schedules: Vec<Schedule> = (0..SCHEDULES).map(|seed| Schedule::new(&scenes, seed)).collect();
    let missed: Vec<Mutation> = COMMON
        .into_iter()
        .filter(|mutation| {
            schedules
                .iter()
                .all(|schedule| run(&scenes, schedule, Some(*mutation)).is_ok())
        })
        .collect();
    assert_eq!(missed, []);
}

const COMMON: [Mutation; 17] = [
    Mutation::ReadyStays,
    Mutation::ReadyEarly,
    Mutation::ReadyGoesLate,
    Mutation::PodGoesFirst,
    Mutation::StatusForgotten,
    Mutation::NoUnload,
    Mutation::ModuleGoesFirst,
    Mutation::ModuleStays,
    Mutation::IdleIsSilent,
    Mutation::RestlessStatus,
    Mutation::InUseNotMarked,
    Mutation::NeverWithdrawn,
    Mutation::TargetStays,
    Mutation::PluginReadyStays,
    Mutation::PluginPodStays,
    Mutation::FailedStays,
    Mutation::TerminatingIsGone,
];
