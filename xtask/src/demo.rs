//! `cargo xtask demo`: the main job of `kmm` on the examples of the checkout.

use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::generate::target_folder;
use crate::steps;

/// Command lines, and the exit code that each of them has to have.
const LINES: [(&[&str], i32); 3] = [
    (&["validate", "examples/kernel-mappings/module.yaml"], 0),
    (&["validate", "examples/broken/module.yaml"], 1),
    (
        &[
            "explain",
            "-f",
            "examples/kernel-mappings/module.yaml",
            "--nodes",
            "examples/nodes.json",
        ],
        1,
    ),
];

/// Whether what `kmm` prints is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// All of it.
    Shown,
    /// Only of a command line that ends as it should not: findings in a log of tests look like failures of them.
    OfFailures,
}

/// Builds `kmm` and runs it on the examples.
///
/// # Errors
///
/// When it cannot be built, or gives another answer than it should.
pub(crate) fn run(output: Output) -> Result<()> {
    let mut build = vec!["build", "--package", "kmm-cli"];
    // Whoever waits for it sees how far it is.
    if output == Output::OfFailures {
        build.push("--quiet");
    }
    steps::run(&steps::cargo(), &build)?;
    let kmm = target_folder().join("debug/kmm");
    for (arguments, expected) in LINES {
        let line = format!("kmm {}", arguments.join(" "));
        let mut command = Command::new(&kmm);
        command.args(arguments).current_dir(steps::root());
        let start_error = || format!("could not start `{}`", kmm.display());
        println!("\n$ {line}");
        let (status, hidden) = match output {
            Output::Shown => (command.status().with_context(start_error)?, String::new()),
            Output::OfFailures => {
                let out = command.output().with_context(start_error)?;
                let printed = [out.stdout, out.stderr].concat();
                (out.status, String::from_utf8_lossy(&printed).into_owned())
            }
        };
        if status.code() != Some(expected) {
            bail!("`{line}` ended with {status}, not {expected}\n{hidden}");
        }
    }
    Ok(())
}
