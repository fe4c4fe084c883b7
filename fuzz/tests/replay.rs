//! Runs every fuzz target over its corpus, without the fuzzer.
#![allow(
    clippy::print_stdout,
    reason = "the last path printed is the input that failed"
)]

#[path = "../../kmm-core/tests/kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kmm-core make more of it")]
mod builder;

use std::fs;
use std::path::Path;

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("manifest", kmm_fuzz::manifest),
    ("pattern", kmm_fuzz::pattern),
    ("template", kmm_fuzz::template),
    ("command", kmm_fuzz::command),
    ("dockerfile", kmm_fuzz::dockerfile),
    ("object", kmm_fuzz::object),
    ("signature", kmm_fuzz::signature),
    ("modules_dep", kmm_fuzz::modules_dep),
    ("image_manifest", kmm_fuzz::image_manifest),
    ("tar_stream", kmm_fuzz::tar_stream),
    ("challenge", kmm_fuzz::challenge),
    ("certificate", kmm_fuzz::certificate),
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

/// Objects that are made here rather than kept: of each class and byte order, with everything that is read.
#[test]
fn objects_made_by_hand() {
    for (wide, big_endian) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut object = builder::Object::new(wide, big_endian);
        object.modinfo(&[
            "name=a",
            "alias=x-[a-z]",
            "softdep=pre: b",
            "parm=p:what",
            "parmtype=p:int",
        ]);
        object.exports(&[("one", 1, "", false), ("two", 2, "NS", true)]);
        object.imports(&["three", "?four"]);
        object.versions(&[("three", 3), ("module_layout", 4)]);
        object.extended_versions(&[("three", 3)]);
        object.sign(0, b"me", b"\x01", b"content");
        let bytes = object.build();
        if let Some(folder) = std::env::var_os("WRITE_CORPUS") {
            let name = format!(
                "made-{}{}",
                if wide { 64 } else { 32 },
                if big_endian { "be" } else { "le" }
            );
            fs::write(Path::new(&folder).join("object").join(name), &bytes).unwrap();
        }
        kmm_fuzz::object(&bytes);
        kmm_fuzz::signature(&bytes);
        // Every byte changed, one after the other.
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x81;
            kmm_fuzz::object(&changed);
        }
    }
}
