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
#[cfg(feature = "cluster")]
mod guide;
mod hostile;
mod load;
mod modprobe;
mod node;
mod stop;
mod unload;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::Arguments;
use libtest_mimic::Trial;

/// A test and its name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    let own_name = std::env::args().next().unwrap_or_default();
    match Path::new(&own_name).file_name().and_then(|name| name.to_str()) {
        Some("modprobe") => std::process::exit(modprobe::main()),
        Some("dmesg") => std::process::exit(modprobe::dmesg()),
        _ => {}
    }
    let tests = [
        load::TESTS,
        unload::TESTS,
        firmware::TESTS,
        faults::TESTS,
        hostile::TESTS,
        stop::TESTS,
        #[cfg(feature = "cluster")]
        guide::TESTS,
    ];
    let trial = |(name, test): Test| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let trials = tests.concat().into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
