//! The core stays lean: who embeds it pays for every crate below it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "asks cargo what the core depends on"
)]

use std::collections::BTreeSet;
use std::process::Command;

fn crates(flags: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "kmm-core",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(flags)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).unwrap();
    let names = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned);
    let crates: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();
    assert!(
        crates.contains("kmm-core") && crates.contains("serde"),
        "cargo tree printed {tree}"
    );
    crates
}

#[test]
fn at_most_36_crates_with_default_features() {
    let crates = crates(&[]);
    assert!(crates.len() <= 36, "{} crates: {crates:?}", crates.len());
}

#[test]
fn at_most_20_crates_without_features() {
    let crates = crates(&["--no-default-features"]);
    assert!(crates.len() <= 20, "{} crates: {crates:?}", crates.len());
}
