//! Runs every fuzz target over its corpus, without the fuzzer.
#![allow(
    clippy::print_stdout,
    reason = "the last path printed is the input that failed"
)]

use std::fs;
use std::path::Path;

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("manifest", kmm_fuzz::manifest),
    ("pattern", kmm_fuzz::pattern),
    ("template", kmm_fuzz::template),
    ("command", kmm_fuzz::command),
    ("dockerfile", kmm_fuzz::dockerfile),
    ("image_manifest", kmm_fuzz::image_manifest),
    ("tar_stream", kmm_fuzz::tar_stream),
];

#[test]
fn every_input_of_every_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(corpora.join(name)).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "the corpus of `{name}` is empty");
    }
}

#[test]
fn every_corpus_has_a_target() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            TARGETS.iter().any(|(target, _)| *target == name),
            "no target for the corpus `{name}`"
        );
    }
}
