//! `cargo xtask bench worker`: what the worker's checks and proofs cost beside modprobe alone.
//!
//! Both load and unload the same module with its dependency, in turns, in one machine. The machine is emulated, so its
//! times are many times those of hardware: how many, is measured with a program that runs on both sides.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::vm::Boot;
use crate::vm::Fleet;
use crate::vm::LIMIT;
use crate::vm::Policy;
use crate::vm::machine::End;
use crate::vm::scenario::Scenario;
use crate::worker;

/// The script in the machine.
const SCRIPT: &str = "measure";
/// Runs of the program on this side.
const RUNS: usize = 201;

/// Measures, and prints the medians.
pub(crate) fn measure() -> Result<()> {
    let fleet = Fleet::set_up()?;
    let boot = Boot {
        kernel: 0,
        policy: Policy::Open,
        scenarios: vec![Scenario::alone(SCRIPT)],
    };
    let folder = fleet.folder(&boot);
    let run = fleet.machine(&boot)?.run(&folder, LIMIT)?;
    if run.end != End::Code(0) {
        bail!("the machine ended with {:?}:\n{}", run.end, run.results);
    }
    let times = medians(&run.results)?;
    let time = |name: &str| {
        let time = times.get(name).copied();
        time.with_context(|| format!("the machine measured no `{name}`"))
    };
    let slower = time("start")? / here(&worker::build()?)?;
    println!(
        "\nkernel {}, emulated: medians of what one call takes",
        fleet.kernel(&boot).version
    );
    for action in ["load", "unload"] {
        let bare = time(&format!("modprobe-{action}"))?;
        let worker = time(&format!("worker-{action}"))?;
        println!(
            "{action:<7} modprobe {:>7.2} ms, kmm-worker {:>7.2} ms: {:.2} times, {:.2} ms more; about {:.2} ms more without the emulator",
            bare / 1000.0,
            worker / 1000.0,
            worker / bare,
            (worker - bare) / 1000.0,
            (worker - bare) / slower / 1000.0
        );
    }
    println!("The start of kmm-worker takes {slower:.1} times as long in the emulator as on this machine.");
    Ok(())
}

/// The median of each name, in microseconds.
fn medians(results: &str) -> Result<BTreeMap<&str, f64>> {
    let mut all: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for line in results.lines().filter_map(|line| line.strip_prefix("##time ")) {
        let (name, time) = line.split_once(' ').context("a time has no number")?;
        all.entry(name).or_default().push(time.parse()?);
    }
    Ok(all
        .into_iter()
        .map(|(name, times)| (name, median(times)))
        .collect())
}

fn median(mut times: Vec<u32>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().map_or(0.0, f64::from)
}

/// How long the worker's start takes on this machine, in microseconds.
fn here(worker: &Path) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let mut command = Command::new(worker);
        command.arg("--version").stdout(Stdio::null());
        if !command.status()?.success() {
            bail!("`{} --version` failed", worker.display());
        }
        times.push(u32::try_from(start.elapsed().as_micros())?);
    }
    Ok(median(times))
}

#[cfg(test)]
mod tests {
    use super::medians;

    #[test]
    fn medians_are_per_name() {
        let read =
            medians("##start a\n##time x 30\n##time y 1\n##time x 10\n##time x 20\nelse\n").expect("fine");
        assert_eq!((read["x"], read["y"]), (20.0, 1.0));
        assert!(medians("##time x\n").is_err());
    }
}
