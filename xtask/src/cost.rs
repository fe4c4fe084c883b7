//! What a command costs: time, processor time, peak memory.

use std::fs;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    /// Of all processors, in user and system mode.
    pub(crate) processor: f64,
    /// The part of it in system mode.
    pub(crate) system: f64,
    /// Peak memory in KiB, of the process that needed the most.
    pub(crate) memory: f64,
}

/// Runs a command under GNU `time`; what it prints goes nowhere.
pub(crate) fn run(words: &[&str]) -> Result<Cost> {
    let notes = std::env::temp_dir().join(format!(
        "kmm-cost-{}-{:016x}",
        std::process::id(),
        fastrand::u64(..)
    ));
    let mut command = Command::new("/usr/bin/time");
    command
        .args(["-f", "%e %U %S %M", "-o"])
        .arg(&notes)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let out = command
        .output()
        .context("could not start `/usr/bin/time`: install the package `time`")?;
    let seconds = start.elapsed().as_secs_f64();
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let words: Vec<&str> = words.iter().copied().take(12).collect();
        bail!("`{}` ended with {}: {}", words.join(" "), out.status, said.trim());
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
        system,
        memory,
    })
}

/// The median of each.
pub(crate) fn median(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> f64| {
        let mut parts: Vec<f64> = costs.iter().map(part).collect();
        parts.sort_by(f64::total_cmp);
        parts.get(parts.len() / 2).copied().unwrap_or_default()
    };
    Cost {
        seconds: of(|cost| cost.seconds),
        processor: of(|cost| cost.processor),
        system: of(|cost| cost.system),
        memory: of(|cost| cost.memory),
    }
}

/// The head of a table of [`row`]s.
pub(crate) fn head() -> &'static str {
    "| what | beside | beside s | kmm s | kmm is as fast | processor s | memory MiB | kmm is bound by |\n\
     |---|---|---:|---:|---:|---:|---:|---|"
}

/// A row: medians of the other's runs and of ours.
pub(crate) fn row(what: &str, beside: &str, other: &Cost, own: &Cost) -> String {
    format!(
        "| {what} | {beside} | {:.3} | {:.3} | {:.2} x | {:.3} and {:.3} | {:.1} and {:.1} | {} |",
        other.seconds,
        own.seconds,
        other.seconds / own.seconds,
        other.processor,
        own.processor,
        other.memory / 1024.0,
        own.memory / 1024.0,
        bound(own)
    )
}

/// What held it up: processors that are busy, in the program or in the kernel, or the wait for something else.
fn bound(cost: &Cost) -> String {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{:.1} of {processors} processors, {:.0} % of that in the kernel",
        cost.processor / cost.seconds.max(f64::MIN_POSITIVE),
        100.0 * cost.system / cost.processor.max(f64::MIN_POSITIVE)
    )
}
