//! Reading and checking manifests, and the parts that it is made of.

use std::hint::black_box;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use kmm_core::document::Limits;
use kmm_core::document::read;
use kmm_core::pattern::Pattern;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Surroundings;
use kmm_core::validate::examine;

const MANIFEST: &str = include_str!("../../examples/kernel-mappings/module.yaml");

/// As many manifests as one run of `kmm validate` may get.
const MANIFESTS: usize = 10_000;

fn findings(text: &str) -> usize {
    let stream = read(text, &Limits::default());
    let neighbours = Neighbours::new(stream.objects().map(|object| object.node));
    let around = Surroundings {
        neighbours: Some(&neighbours),
        ..Surroundings::default()
    };
    stream
        .objects()
        .map(|object| examine(object.node, &around).len())
        .sum()
}

fn validate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("validate");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1));
    group.bench_function("read one manifest", |b| {
        b.iter(|| read(black_box(MANIFEST), &Limits::default()));
    });
    group.bench_function("read and check one manifest", |b| {
        b.iter(|| findings(black_box(MANIFEST)));
    });
    group.throughput(Throughput::Elements(MANIFESTS as u64));
    group.bench_function("read and check 10,000 manifests", |b| {
        b.iter(|| {
            (0..MANIFESTS)
                .map(|_| findings(black_box(MANIFEST)))
                .sum::<usize>()
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("pattern");
    let regexp = r"^5\.14\.0-.+\.el9_[0-9]+\.x86_64$";
    let kernel = "5.14.0-570.12.1.el9_6.x86_64";
    group.bench_function("parse", |b| {
        b.iter(|| Pattern::parse(black_box(regexp)));
    });
    group.bench_function("parse with the regex crate", |b| {
        b.iter(|| regex::Regex::new(black_box(regexp)));
    });
    let (ours, theirs) = (
        Pattern::parse(regexp).expect("a regexp"),
        regex::Regex::new(regexp).expect("a regexp"),
    );
    group.bench_function("match", |b| {
        b.iter(|| ours.is_match(black_box(kernel)));
    });
    group.bench_function("match with the regex crate", |b| {
        b.iter(|| theirs.is_match(black_box(kernel)));
    });
    group.finish();
}

criterion_group!(benches, validate);
criterion_main!(benches);
