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

/// Builds `kmm` and runs it on the examples.
///
/// # Errors
///
/// When it cannot be built, or gives another answer than it should.
pub(crate) fn run() -> Result<()> {
    steps::run(&steps::cargo(), &["build", "--quiet", "--package", "kmm-cli"])?;
    let kmm = target_folder().join("debug/kmm");
    for (arguments, expected) in LINES {
        println!("\n$ kmm {}", arguments.join(" "));
        let status = Command::new(&kmm)
            .args(arguments)
            .current_dir(steps::root())
            .status()
            .with_context(|| format!("could not start `{}`", kmm.display()))?;
        if status.code() != Some(expected) {
            bail!(
                "`kmm {}` ended with {status}, not {expected}",
                arguments.join(" ")
            );
        }
    }
    Ok(())
}
