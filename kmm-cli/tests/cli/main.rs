//! The built `kmm`, from outside.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_input;
#[path = "../../../kmm-core/tests/kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kmm-core make more of it")]
mod builder;
mod contract;
mod fix;
mod images;
mod kernel_objects;
mod preflight;
mod snapshots;
mod terminal;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use snapbox::cmd::Command;

/// Longer than anything here takes on a slow machine.
const BOUND: Duration = Duration::from_secs(120);

/// The folder of the workspace, below which every path in the outputs is.
fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap().to_owned()
}

fn data(name: &str) -> String {
    format!("kmm-cli/tests/cli/data/{name}")
}

/// Runs `kmm` in the folder of the workspace, with no colours asked for.
fn kmm<S: AsRef<str>>(args: &[S]) -> Output {
    command(args).output().unwrap()
}

fn kmm_with_input<S: AsRef<str>>(args: &[S], input: &[u8]) -> Output {
    command(args).stdin(input.to_vec()).output().unwrap()
}

fn command<S: AsRef<str>>(args: &[S]) -> Command {
    Command::new(env!("CARGO_BIN_EXE_kmm"))
        .args(args.iter().map(AsRef::as_ref))
        .current_dir(workspace())
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .timeout(BOUND)
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// The manifests of the examples, and those that the rules are tested with, by path below the workspace.
fn manifests() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join("examples"), workspace().join("kmm-core/tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
