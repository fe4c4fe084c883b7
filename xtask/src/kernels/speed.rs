//! How long the real tools and the built `kmm` take, one after the other in one run, and how much memory.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::generate::target_folder;
use crate::kernels::parts::KernelTree;

/// Runs of each.
const RUNS: usize = 5;

/// What one run took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    seconds: f64,
    /// Of all processors, in user and system mode.
    processor: f64,
    /// Peak memory in KiB.
    memory: f64,
}

/// Measures `depmod -n`, `depmod -a` and `modinfo` of all modules on one tree; `copy` may be written.
pub(crate) fn measure(tree: &KernelTree, copy: &Path, files: &[PathBuf]) -> Result<()> {
    let kmm = target_folder().join("release/kmm");
    let kmm = kmm.to_string_lossy();
    let base = copy.to_string_lossy();
    let names: Vec<String> = files
        .iter()
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for mode in ["-n", "-a"] {
        let arguments = ["-b", &base, mode, "-C", "/nonexistent", &tree.version];
        let ours = [&[&*kmm, "depmod"], &arguments[..]].concat();
        report(
            tree,
            &format!("depmod {mode}"),
            &[&["depmod"], &arguments[..]].concat(),
            &ours,
        )?;
    }
    let theirs = [&["modinfo"], &names[..]].concat();
    report(
        tree,
        "modinfo",
        &theirs,
        &[&[&*kmm, "modinfo"], &names[..]].concat(),
    )
}

fn report(tree: &KernelTree, what: &str, theirs: &[&str], ours: &[&str]) -> Result<()> {
    let (mut real, mut own) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        real.push(run(theirs)?);
        own.push(run(ours)?);
    }
    let of = |costs: &[Cost], part: fn(&Cost) -> f64| {
        let mut parts: Vec<f64> = costs.iter().map(part).collect();
        parts.sort_by(f64::total_cmp);
        parts.get(parts.len() / 2).copied().unwrap_or_default()
    };
    let memory = |costs: &[Cost]| of(costs, |cost| cost.memory) / 1024.0;
    println!(
        "{}: {what}: real {:.3} s, kmm {:.3} s, {:.1} times as fast; processor time {:.3} s and {:.3} s; memory {:.0} MiB and {:.0} MiB",
        tree.name,
        of(&real, |cost| cost.seconds),
        of(&own, |cost| cost.seconds),
        of(&real, |cost| cost.seconds) / of(&own, |cost| cost.seconds),
        of(&real, |cost| cost.processor),
        of(&own, |cost| cost.processor),
        memory(&real),
        memory(&own)
    );
    Ok(())
}

/// Runs a command under GNU `time`.
fn run(words: &[&str]) -> Result<Cost> {
    let notes = std::env::temp_dir().join(format!("kmm-cost-{}", std::process::id()));
    let mut command = Command::new("/usr/bin/time");
    command
        .args(["-f", "%e %U %S %M", "-o"])
        .arg(&notes)
        .args(words)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let start = std::time::Instant::now();
    let status = command
        .status()
        .context("could not start `/usr/bin/time`: install the package `time`")?;
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("`{}` fails", words.first().unwrap_or(&""));
    }
    let text = fs::read_to_string(&notes)?;
    fs::remove_file(&notes)?;
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [_, user, system, memory] = numbers[..] else {
        bail!("`time` says `{}`", text.trim_end());
    };
    Ok(Cost {
        seconds,
        processor: user + system,
        memory,
    })
}
