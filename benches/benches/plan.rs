//! Planning a cluster once, in a process of its own: how long it takes, and how much memory at most.
//!
//! `plan NODES` prints one object of JSON; `cargo xtask bench plan` runs it for several sizes and prints the ratios.
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod scene;

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use kmm_core::api::Module;
use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::module::Compiled;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::Node;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::assign;
use kmm_core::reconcile::assign::Candidate;
use kmm_core::reconcile::module;
use kmm_core::reconcile::module::Tally;
use kmm_core::reconcile::node_modules;
use scene::KERNELS;
use scene::MODULES;
use scene::config;
use scene::images;
use scene::kernel;
use scene::modules;
use scene::node;
use serde_json::json;

/// Changes of one node of which the mean counts.
const CHANGES: usize = 200;

/// A cluster without its nodes.
struct Scene {
    modules: Vec<Module>,
    compiled: Vec<Compiled>,
    images: Vec<ModuleImagesConfig>,
}

impl Scene {
    fn candidates(&self) -> Vec<Candidate<'_>> {
        let parts = self.modules.iter().zip(&self.compiled).zip(&self.images);
        parts
            .map(|((module, compiled), list)| Candidate::new(module, compiled, Some(list)))
            .collect()
    }

    /// Decides for Modules whose counts changed; how many writes that comes to.
    fn decide(&self, places: impl Iterator<Item = usize>, tallies: &[Tally]) -> usize {
        let plans = places.map(|place| {
            let plan = module::plan(&module::View {
                module: &self.modules[place],
                compiled: &self.compiled[place],
                tally: &tallies[place],
                images: Some(&self.images[place]),
                namespace: None,
                has_siblings: true,
            });
            black_box(plan).actions.len()
        });
        plans.sum()
    }
}

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok());
    let Some(count) = count else {
        // Without a size there is nothing to measure: `cargo bench` runs every benchmark once.
        return;
    };
    let modules = modules();
    let scene = Scene {
        compiled: modules.iter().map(Compiled::new).collect(),
        images: (0..MODULES).map(images).collect(),
        modules,
    };
    let mut candidates = scene.candidates();
    // What a settled node has is the same for all nodes of a kernel.
    let configs: Vec<NodeModulesConfig> = (0..KERNELS)
        .map(|place| config(&node(place), &mut candidates))
        .collect();
    let nodes: Vec<Node> = (0..count).map(node).collect();
    let before = peak();

    let start = Instant::now();
    let mut tallies = vec![Tally::default(); MODULES];
    let mut node_writes = 0;
    for (node, config) in nodes.iter().zip(configs.iter().cycle()) {
        let assignment = assign::plan(node, Some(config), &mut candidates);
        for (tally, share) in tallies.iter_mut().zip(&assignment.shares) {
            tally.add(share);
        }
        node_writes += black_box(assignment).plan.actions.len();
    }
    let module_writes = scene.decide(0..MODULES, &tallies);
    let seconds = start.elapsed().as_secs_f64();
    let after = peak();

    let mut changed = node(0);
    changed.facts.kernel_version = kernel(1);
    let old = assign::plan(&nodes[0], configs.first(), &mut candidates).shares;
    let installation = Installation::default();
    let start = Instant::now();
    for _ in 0..CHANGES {
        let new = assign::plan(&changed, configs.first(), &mut candidates);
        for (place, tally) in tallies.iter_mut().enumerate() {
            tally.remove(&old[place]);
            tally.add(&new.shares[place]);
        }
        let touched = (0..MODULES).filter(|&place| old[place] != new.shares[place]);
        black_box(scene.decide(touched, &tallies));
        black_box(node_modules::plan(&node_modules::View {
            config: &configs[0],
            node: Some(&changed),
            workers: &[],
            plugins: &[],
            installation: &installation,
            now: Timestamp(0),
        }));
        for (place, tally) in tallies.iter_mut().enumerate() {
            tally.remove(&new.shares[place]);
            tally.add(&old[place]);
        }
    }
    let change = start.elapsed().as_secs_f64() / CHANGES as f64;

    let report = json!({
        "nodes": count,
        "modules": MODULES,
        "seconds": seconds,
        "peakKib": after,
        "planningKib": after.saturating_sub(before),
        "oneNodeSeconds": change,
        "nodeWrites": node_writes,
        "moduleWrites": module_writes,
    });
    println!("{report}");
}

/// The most memory that this process had so far, in KiB; 0 where the system does not tell.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}
