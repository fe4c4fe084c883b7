//! Compiling a Module and resolving it for many nodes, against the naive way: compile every regexp for every node.
//!
//! 10,000 nodes and 1,000,000 nodes with 100 kernels, a Module with 50 mappings.

use std::hint::black_box;

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use kmm_core::api::Module;
use kmm_core::module::Compiled;
use kmm_core::resolve::Resolver;
use serde_json::json;

const MAPPINGS: usize = 50;
const KERNELS: usize = 100;

fn module() -> Module {
    let mappings: Vec<_> = (0..MAPPINGS)
        .map(|i| {
            json!({
                "regexp": format!(r"^6\.{i}\.0-[0-9]+(\.[0-9]+)*-(generic|amd64|cloud-amd64)$"),
                "containerImage": "registry.example.com/kmod:${KERNEL_FULL_VERSION}",
            })
        })
        .collect();
    serde_json::from_value(json!({
        "metadata": {"name": "bench", "namespace": "default"},
        "spec": {
            "selector": {},
            "moduleLoader": {"container": {
                "modprobe": {"moduleName": "bench", "dirName": "/opt"},
                "kernelMappings": mappings,
            }},
        },
    }))
    .expect("a Module")
}

/// Kernels of all nodes: 100 different ones, each as often as the others, some that no mapping takes.
fn kernels(nodes: usize) -> Vec<String> {
    (0..nodes)
        .map(|i| i % KERNELS)
        .map(|i| format!("6.{}.0-{}-amd64", i % (MAPPINGS + 5), 30 + i))
        .collect()
}

fn ours(module: &Module, kernels: &[String]) -> usize {
    let compiled = Compiled::new(module);
    let mut resolver = Resolver::new(&compiled);
    kernels
        .iter()
        .filter(|kernel| resolver.resolve(kernel).is_ok())
        .count()
}

fn naive(module: &Module, kernels: &[String]) -> usize {
    let loader = module.spec.module_loader.as_ref().expect("a loader");
    let covered = |kernel: &&String| {
        loader.container.kernel_mappings.iter().any(|mapping| {
            regex::Regex::new(&mapping.regexp)
                .expect("a regexp")
                .is_match(kernel)
        })
    };
    kernels.iter().filter(covered).count()
}

fn resolve(criterion: &mut Criterion) {
    let module = module();
    let mut group = criterion.benchmark_group("resolve");
    group.sample_size(10);
    for nodes in [10_000, 1_000_000] {
        let kernels = kernels(nodes);
        assert_eq!(ours(&module, &kernels[..1000]), naive(&module, &kernels[..1000]));
        group.throughput(Throughput::Elements(nodes as u64));
        group.bench_with_input(BenchmarkId::new("kmm", nodes), &kernels, |b, kernels| {
            b.iter(|| ours(black_box(&module), black_box(kernels)));
        });
    }
    // The naive way takes minutes for all nodes: a part of them tells its rate.
    let kernels = kernels(500);
    group.throughput(Throughput::Elements(kernels.len() as u64));
    group.bench_with_input(
        BenchmarkId::new("naive", kernels.len()),
        &kernels,
        |b, kernels| {
            b.iter(|| naive(black_box(&module), black_box(kernels)));
        },
    );
    group.finish();
}

criterion_group!(benches, resolve);
criterion_main!(benches);
