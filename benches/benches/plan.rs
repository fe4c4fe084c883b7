//! Planning a cluster once, in a process of its own: how much processor time it takes, and how much memory at most.
//!
//! It is planned twice: settled, by the decisions alone, and for the first time, by a driver that holds all nodes.
//!
//! `plan NODES` prints one object of JSON; `cargo xtask bench plan` runs it for several sizes and prints the ratios.
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use kmm_core::api::Module;
use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::driver::Change;
use kmm_core::driver::Driver;
use kmm_core::driver::Outcome;
use kmm_core::driver::Seen;
use kmm_core::driver::WATCHED;
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
use serde_json::Value;
use serde_json::json;

/// Changes of one node of which the mean counts.
const CHANGES: usize = 200;

/// A cluster without its nodes.
struct Scene {
    modules: Vec<Arc<Module>>,
    compiled: Vec<Arc<Compiled>>,
    images: Vec<ModuleImagesConfig>,
}

impl Scene {
    fn candidates(&self) -> Vec<Candidate> {
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
                workers: &BTreeSet::new(),
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
    let modules: Vec<Arc<Module>> = modules().into_iter().map(Arc::new).collect();
    let compiled = modules.iter().map(|module| Arc::new(Compiled::new(module)));
    let scene = Scene {
        compiled: compiled.collect(),
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

    let start = Clock::start();
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
    let seconds = start.seconds();
    let after = peak();

    let mut changed = node(0);
    changed.facts.kernel_version = kernel(1);
    let old = assign::plan(&nodes[0], configs.first(), &mut candidates).shares;
    let installation = Installation::default();
    let start = Clock::start();
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
    let change = start.seconds() / CHANGES as f64;
    drop((nodes, candidates, tallies));
    let driven = driven(count);

    let report = json!({
        "nodes": count,
        "modules": MODULES,
        "seconds": seconds,
        "peakKib": after,
        "planningKib": after.saturating_sub(before),
        "oneNodeSeconds": change,
        "nodeWrites": node_writes,
        "moduleWrites": module_writes,
        "driven": driven,
    });
    println!("{report}");
}

/// The first plans of a cluster, by a driver: each node is to have every Module. Then one node starts another kernel.
fn driven(count: usize) -> Value {
    let now = Timestamp(0);
    let mut driver = Driver::new(Installation::default());
    let mut version = 0;
    let mut show = |driver: &mut Driver, mut object: Value| {
        version += 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        if let Ok(seen) = Seen::read(&object, None) {
            driver.observe(&Change::Put(Arc::new(seen)), now);
        }
    };
    for (place, module) in scene::modules().iter().enumerate() {
        let mut object = json!(module);
        object["kind"] = json!("Module");
        show(&mut driver, object);
        let mut object = json!(images(place));
        object["kind"] = json!("ModuleImagesConfig");
        object["metadata"] = json!({"name": module.metadata.name, "namespace": module.metadata.namespace});
        show(&mut driver, object);
    }
    let start = Clock::start();
    for place in 0..count {
        show(&mut driver, node_object(place, place));
    }
    WATCHED.into_iter().for_each(|kind| driver.listed(kind));
    let reading = start.seconds();
    let held = resident();

    let start = Clock::start();
    let (keys, actions) = drain(&mut driver, now);
    let seconds = start.seconds();
    let more = resident().saturating_sub(held);

    let start = Clock::start();
    let mut asked = 0;
    for change in 1..=CHANGES {
        show(&mut driver, node_object(0, change));
        asked += drain(&mut driver, now).0;
    }
    let change = start.seconds() / CHANGES as f64;
    json!({
        "readingSeconds": reading,
        "seconds": seconds,
        "heldKib": held,
        "planningKib": more,
        "keys": keys,
        "actions": actions,
        "oneNodeSeconds": change,
        "oneNodeKeys": asked / CHANGES,
    })
}

/// A node as the API server has it, with a kernel of its own.
fn node_object(place: usize, number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("n{place}"), "uid": place.to_string(), "labels": {"pool": "a"}},
        "status": {
            "nodeInfo": {"kernelVersion": kernel(number), "architecture": "amd64", "bootID": "b"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

/// Decides until nothing is due, and writes nothing; how many were asked, and how many actions they want.
fn drain(driver: &mut Driver, now: Timestamp) -> (usize, usize) {
    let (mut keys, mut actions) = (0, 0);
    loop {
        let next = driver.ready(now).next().cloned();
        let Some(key) = next else {
            return (keys, actions);
        };
        actions += black_box(driver.begin(&key, now)).plan.actions.len();
        keys += 1;
        driver.finish(&key, Outcome::Done, now);
    }
}

/// Time that this thread had a processor, whatever else the machine does; where the system does not tell, time that passed.
struct Clock {
    start: Instant,
    processor: Option<Duration>,
}

impl Clock {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            processor: processor(),
        }
    }

    fn seconds(&self) -> f64 {
        let spent = self.processor.zip(processor()).map(|(before, now)| now - before);
        spent.unwrap_or_else(|| self.start.elapsed()).as_secs_f64()
    }
}

fn processor() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// The most memory that this process had so far, in KiB; 0 where the system does not tell.
fn peak() -> u64 {
    memory("VmHWM:")
}

/// The memory that this process has now, in KiB; 0 where the system does not tell.
fn resident() -> u64 {
    memory("VmRSS:")
}

fn memory(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}
