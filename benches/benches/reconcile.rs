//! Planning what nodes are to have: whole clusters, and one node's change.

mod scene;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use kmm_core::api::Module;
use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::module::Compiled;
use kmm_core::reconcile::Installation;
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

fn benches(criterion: &mut Criterion) {
    let modules: Vec<Arc<Module>> = modules().into_iter().map(Arc::new).collect();
    let compiled = modules.iter().map(|module| Arc::new(Compiled::new(module)));
    let compiled: Vec<Arc<Compiled>> = compiled.collect();
    let lists: Vec<ModuleImagesConfig> = (0..MODULES).map(images).collect();
    let candidates = || -> Vec<Candidate> {
        let parts = modules.iter().zip(&compiled).zip(&lists);
        parts
            .map(|((module, compiled), list)| Candidate::new(module, compiled, Some(list)))
            .collect()
    };
    let mut ready = candidates();
    let configs: Vec<NodeModulesConfig> = (0..KERNELS)
        .map(|place| config(&node(place), &mut ready))
        .collect();

    let mut group = criterion.benchmark_group("plan 100 modules on settled nodes");
    group.sample_size(10);
    for count in [1_000, 10_000, 100_000] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |bencher, &count| {
            bencher.iter(|| {
                let mut candidates = candidates();
                let mut tallies = vec![Tally::default(); MODULES];
                for place in 0..count {
                    let assignment =
                        assign::plan(&node(place), configs.get(place % KERNELS), &mut candidates);
                    for (tally, share) in tallies.iter_mut().zip(&assignment.shares) {
                        tally.add(share);
                    }
                    black_box(assignment);
                }
                black_box(tallies)
            });
        });
    }
    group.finish();

    let mut tallies = vec![Tally::default(); MODULES];
    for place in 0..5_000 {
        let assignment = assign::plan(&node(place), configs.get(place % KERNELS), &mut ready);
        for (tally, share) in tallies.iter_mut().zip(&assignment.shares) {
            tally.add(share);
        }
    }
    let installation = Installation::default();
    criterion.bench_function("one node's new kernel among 5,000 with 100 modules", |bencher| {
        let mut node = node(0);
        let old = configs.first();
        let before = assign::plan(&node, old, &mut ready).shares;
        node.facts.kernel_version = kernel(1);
        bencher.iter(|| {
            let assignment = assign::plan(&node, old, &mut ready);
            for ((tally, share), before) in tallies.iter_mut().zip(&assignment.shares).zip(&before) {
                tally.remove(before);
                tally.add(share);
            }
            for (place, tally) in tallies.iter().enumerate() {
                black_box(module::plan(&module::View {
                    module: &modules[place],
                    compiled: &compiled[place],
                    tally,
                    workers: &BTreeSet::new(),
                    images: Some(&lists[place]),
                    namespace: None,
                    has_siblings: true,
                }));
            }
            if let Some(config) = old {
                black_box(node_modules::plan(&node_modules::View {
                    config,
                    node: Some(&node),
                    workers: &[],
                    plugins: &[],
                    installation: &installation,
                    now: Timestamp(0),
                }));
            }
            for ((tally, share), before) in tallies.iter_mut().zip(&assignment.shares).zip(&before) {
                tally.remove(share);
                tally.add(before);
            }
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
