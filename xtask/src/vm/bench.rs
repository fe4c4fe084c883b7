//! `cargo xtask bench worker`: what the worker's checks and proofs cost beside modprobe alone.
//!
//! Three ways, as none of them says all:
//!
//! - In an emulated machine, both load and unload the same module with its dependency, in turns, for real. The emulator
//!   makes every instruction, page fault and change of process many times as dear as hardware does.
//! - In a second one the clock counts instructions, those of the kernel too: a number that is the same on a busy machine
//!   and on an idle one.
//! - On this machine itself, with a folder in place of the node and a script in place of modprobe: what the worker does
//!   around modprobe, at the speed of hardware. See [`native`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::native;

use crate::vm::Boot;
use crate::vm::Fleet;
use crate::vm::LIMIT;
use crate::vm::Policy;
use crate::vm::machine::End;
use crate::vm::scenario::Scenario;

/// The script in the machine.
const SCRIPT: &str = "measure";
/// Runs of the program on this side.
const RUNS: usize = 201;
/// Rounds in the machine that tells the time, and in the one that counts.
const ROUNDS: [u32; 2] = [31, 5];

/// Measures, and prints what calls take.
pub(crate) fn measure() -> Result<()> {
    let fleet = Fleet::set_up()?;
    let boot = Boot {
        kernel: 0,
        policy: Policy::Open,
        scenarios: vec![Scenario::alone(SCRIPT)],
    };
    let results = results(&fleet, &boot, false)?;
    let times = times(&results)?;
    let time = |name: &str| named(&times, name);
    let slower = time("start")?.best / here(&fleet.worker)?.best;
    println!(
        "\nkernel {}, emulated: what one call takes, median and best",
        fleet.kernel(&boot).version
    );
    for action in ["load", "unload"] {
        let bare = time(&format!("modprobe-{action}"))?;
        let worker = time(&format!("worker-{action}"))?;
        println!("{action:<7} modprobe {bare}, kmm-worker {worker}");
        for (name, bare, worker) in [
            ("median", bare.median, worker.median),
            ("best", bare.best, worker.best),
        ] {
            println!(
                "        {name:<6} {:.2} times, {:.2} ms more",
                worker / bare,
                (worker - bare) / 1000.0
            );
        }
    }
    println!("The start of kmm-worker takes {slower:.1} times as long in the emulator as on this machine.");
    count(&fleet, &boot)?;
    let measured = native::measure(&fleet, &boot)?;
    println!("\nOn this machine, with a script in place of modprobe: what one call takes, median and best");
    for (action, bare, worker) in measured {
        println!(
            "{action:<7} script {bare}, kmm-worker {worker}: {:.2} ms more (median), {:.2} ms more (best)",
            (worker.median - bare.median) / 1000.0,
            (worker.best - bare.best) / 1000.0
        );
    }
    Ok(())
}

/// Measures instructions.
fn count(fleet: &Fleet, boot: &Boot) -> Result<()> {
    let results = results(fleet, boot, true)?;
    let counts = times(&results)?;
    println!("\nInstructions, those of the kernel too, in thousands:");
    let thousands = |name: &str| Ok::<_, anyhow::Error>(named(&counts, name)?.median);
    for action in ["load", "unload"] {
        let bare = thousands(&format!("modprobe-{action}"))?;
        let worker = thousands(&format!("worker-{action}"))?;
        println!(
            "{action:<7} modprobe {bare}, kmm-worker {worker}: {:.2} times; {:.2} ms more at one in a nanosecond",
            worker / bare,
            (worker - bare) / 1000.0
        );
    }
    println!("start   kmm-worker {}", thousands("start")?);
    Ok(())
}

/// What the machine says that measures.
fn results(fleet: &Fleet, boot: &Boot, counted: bool) -> Result<String> {
    let folder = fleet.folder(boot);
    let mut machine = fleet.machine(boot)?;
    machine.counted = counted;
    machine.arguments += &format!(" kmm.rounds={}", ROUNDS[usize::from(counted)]);
    let run = machine.run(&folder, LIMIT)?;
    if run.end != End::Code(0) {
        bail!("the machine ended with {:?}:\n{}", run.end, run.results);
    }
    Ok(run.results)
}

fn named(times: &BTreeMap<&str, Times>, name: &str) -> Result<Times> {
    let time = times.get(name).copied();
    time.with_context(|| format!("the machine measured no `{name}`"))
}

/// What calls take, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Times {
    median: f64,
    /// On a busy machine, the one that says more.
    best: f64,
}

impl Times {
    pub(super) fn of(mut times: Vec<u32>) -> Self {
        times.sort_unstable();
        let at = |index: usize| times.get(index).copied().map_or(0.0, f64::from);
        Self {
            median: at(times.len() / 2),
            best: at(0),
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ms, {:.2} ms", self.median / 1000.0, self.best / 1000.0)
    }
}

/// The times of each name.
fn times(results: &str) -> Result<BTreeMap<&str, Times>> {
    let mut all: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for line in results.lines().filter_map(|line| line.strip_prefix("##time ")) {
        let (name, time) = line.split_once(' ').context("a time has no number")?;
        all.entry(name).or_default().push(time.parse()?);
    }
    Ok(all
        .into_iter()
        .map(|(name, times)| (name, Times::of(times)))
        .collect())
}

/// How long the worker's start takes on this machine.
fn here(worker: &Path) -> Result<Times> {
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
    Ok(Times::of(times))
}

#[cfg(test)]
mod tests {
    use super::Times;
    use super::times;

    #[test]
    fn times_are_per_name() {
        let text = "##start a\n##time x 30\n##time y 1\n##time x 10\n##time x 20\nelse\n";
        let read = times(text).expect("each line has a number");
        let (median, best) = (20.0, 10.0);
        assert_eq!(read["x"], Times { median, best });
        assert_eq!(read["y"].median, 1.0);
        assert!(times("##time x\n").is_err());
    }
}
