//! Named steps, how long each took, and the folders they use.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use sha2::Digest;
use sha2::Sha256;

/// The steps that ran, with their times.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
}

impl Steps {
    /// Runs one step; an error ends the run.
    pub(crate) fn step<T>(&mut self, name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("== {name}");
        let start = Instant::now();
        let value = run().with_context(|| name.to_owned())?;
        self.done.push((name.to_owned(), start.elapsed()));
        Ok(value)
    }

    /// Prints what ran and how long it took.
    pub(crate) fn summary(&self) {
        println!("\n== what ran");
        for (name, time) in &self.done {
            println!("{:>8.1} s  {name}", time.as_secs_f64());
        }
    }
}

/// The top of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// The folder for what is built once and kept, outside the checkout: `$KMM_CACHE`, or `kmm-in-rust` in the user's
/// cache folder.
pub(crate) fn cache() -> Result<PathBuf> {
    let folder = match std::env::var_os("KMM_CACHE") {
        Some(folder) => PathBuf::from(folder),
        None => match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
            (Some(cache), _) => PathBuf::from(cache).join("kmm-in-rust"),
            (None, Some(home)) => PathBuf::from(home).join(".cache/kmm-in-rust"),
            (None, None) => bail!("no cache folder: set KMM_CACHE to a folder that may be written"),
        },
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("could not make `{}`", folder.display()))?;
    Ok(folder)
}

/// Runs a program in the checkout; its failure is an error that names the command line.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<()> {
    run_in(root(), program, arguments)
}

/// Runs a program in a folder.
pub(crate) fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    println!("$ {line}");
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status()
        .with_context(|| format!("could not start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// The cargo that runs this.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// A name for what `go.mod` and `go.sum` pin.
pub(crate) fn pinned(source: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in ["go.mod", "go.sum"] {
        let path = source.join(file);
        hash.update(std::fs::read(&path).with_context(|| format!("could not read `{}`", path.display()))?);
    }
    let digest = hash.finalize();
    Ok(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
}
