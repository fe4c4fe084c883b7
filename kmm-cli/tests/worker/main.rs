//! The worker on a node that is a folder, with a modprobe that is this very program: run as `…/modprobe` it loads and
//! unloads modules of that folder. What real kernels and the real modprobe do is tested by `cargo xtask vm`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

#[path = "../../../kmm-core/tests/kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kernel objects make more of it")]
mod builder;
mod faults;
mod firmware;
mod load;
mod modprobe;
mod node;
mod stop;
mod unload;

use std::path::Path;

/// A test and its name.
type Test = (&'static str, fn());

fn main() {
    let own_name = std::env::args().next().unwrap_or_default();
    match Path::new(&own_name).file_name().and_then(|name| name.to_str()) {
        Some("modprobe") => std::process::exit(modprobe::main()),
        Some("dmesg") => std::process::exit(modprobe::dmesg()),
        _ => {}
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let tests: Vec<Test> = [
        load::TESTS,
        unload::TESTS,
        firmware::TESTS,
        faults::TESTS,
        stop::TESTS,
    ]
    .concat();
    let chosen: Vec<&Test> = tests
        .iter()
        .filter(|(name, _)| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())))
        .collect();
    if words.iter().any(|word| word == "--list") {
        for (name, _) in chosen {
            println!("{name}: test");
        }
        return;
    }
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let result = std::panic::catch_unwind(test);
        println!("test {name} ... {}", if result.is_ok() { "ok" } else { "FAILED" });
        if result.is_err() {
            failed.push(*name);
        }
    }
    println!("{} tests, {} failed", chosen.len(), failed.len());
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
        std::process::exit(101);
    }
}
