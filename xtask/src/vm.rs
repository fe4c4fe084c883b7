//! The worker on real kernels: Debian's, in QEMU's emulator.
//!
//! A scenario is a script below `xtask/vm/scenarios`; [`scenario`] says how it is written. All scenarios of one
//! kernel and policy run in one boot, one after the other; what they changed is brought back in between.

mod bench;
mod firmware;
mod images;
pub(crate) mod initramfs;
mod machine;
mod native;
pub(crate) mod parts;
mod scenario;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::kmods;
use crate::steps;
use crate::worker;
pub(crate) use bench::measure;
pub(crate) use images::libraries;
use initramfs::Initramfs;
use machine::End;
use machine::Machine;
use machine::Run;
use parts::Kernel;
use parts::Parts;
pub(crate) use parts::installed;
use scenario::Policy;
use scenario::Scenario;

/// Machines at a time: each keeps one core busy.
const MACHINES: usize = 2;
/// What one machine may take.
const LIMIT: Duration = Duration::from_secs(540);

/// `cargo xtask vm [NAME...]` and `cargo xtask vm --shell [KERNEL]`.
pub(crate) fn command(words: &[&str]) -> Result<()> {
    match words {
        ["--shell", rest @ ..] => shell(rest.first().copied().unwrap_or("cloud")),
        names => run(names),
    }
}

/// Headers of the first of the kernels.
pub(crate) fn headers() -> Result<PathBuf> {
    let parts = parts::set_up()?;
    let first = parts.kernels.into_iter().next();
    Ok(first.context("there are no kernels")?.headers)
}

/// Runs the scenarios named, or all of them.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    let start = Instant::now();
    let fleet = Fleet::set_up()?;
    println!("set up in {:.1} s", start.elapsed().as_secs_f64());
    let mut scenarios = fleet.scenarios()?;
    if let Some(unknown) = names
        .iter()
        .find(|name| !scenarios.iter().any(|scenario| scenario.name == **name))
    {
        let known: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        bail!("there is no scenario `{unknown}`: known are {}", known.join(", "));
    }
    scenarios.retain(|scenario| names.is_empty() || names.contains(&scenario.name.as_str()));
    fleet.run(&scenarios, !names.is_empty())?;
    println!("all as expected, after {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn shell(kernel: &str) -> Result<()> {
    let fleet = Fleet::set_up()?;
    let known: Vec<&str> = fleet.parts.kernels.iter().map(|kernel| kernel.name).collect();
    let index = fleet.parts.kernels.iter().position(|known| known.name == kernel);
    let index =
        index.with_context(|| format!("there is no kernel `{kernel}`: known are {}", known.join(", ")))?;
    let boot = Boot {
        kernel: index,
        policy: Policy::Open,
        scenarios: Vec::new(),
    };
    println!("ctrl-a x ends the machine");
    let mut machine = fleet.machine(&boot)?;
    machine.arguments += " kmm.shell";
    machine.run_here(&fleet.folder(&boot))
}

/// One run of one machine.
#[derive(Debug)]
struct Boot {
    kernel: usize,
    policy: Policy,
    scenarios: Vec<Scenario>,
}

/// All that machines are made of, ready to run.
#[derive(Debug)]
struct Fleet {
    parts: Parts,
    base: Vec<u8>,
    /// The program under test.
    worker: PathBuf,
    /// The files of each kernel.
    files: Vec<Vec<u8>>,
}

impl Fleet {
    fn set_up() -> Result<Self> {
        let parts = parts::set_up()?;
        let worker = worker::build()?;
        let base = images::base(&parts, &worker)?.finish();
        let built: Vec<PathBuf> = parts
            .kernels
            .iter()
            .map(|kernel| kmods::build(&kernel.headers))
            .collect::<Result<_>>()?;
        let files = parts.kernels.iter().enumerate().map(|(at, kernel)| {
            // The modules of the next one are those of another kernel.
            let other = &built[(at + 1) % built.len()];
            Ok(images::files(&parts, kernel, &built[at], other)?.finish())
        });
        let files = files.collect::<Result<_>>()?;
        Ok(Self {
            parts,
            base,
            worker,
            files,
        })
    }

    fn scenarios(&self) -> Result<Vec<Scenario>> {
        let kernels: Vec<&str> = self.parts.kernels.iter().map(|kernel| kernel.name).collect();
        scenario::read(&steps::root().join("xtask/vm/scenarios"), &kernels)
    }

    fn kernel(&self, boot: &Boot) -> &Kernel {
        &self.parts.kernels[boot.kernel]
    }

    /// Where the logs of a boot are.
    fn folder(&self, boot: &Boot) -> PathBuf {
        let mut name = format!("{}-{}", self.kernel(boot).name, boot.policy.name());
        if let Some(panics) = boot.scenarios.iter().find(|scenario| scenario.panics) {
            name = format!("{name}-{}", panics.name);
        }
        self.parts.folder.join("runs").join(name)
    }

    fn machine(&self, boot: &Boot) -> Result<Machine> {
        let kernel = self.kernel(boot);
        let folder = self.folder(boot);
        fs::create_dir_all(&folder)?;
        let mut list = Initramfs::default();
        let names: Vec<&str> = boot
            .scenarios
            .iter()
            .map(|scenario| scenario.name.as_str())
            .collect();
        list.file("scenarios/list", 0o644, names.join("\n").as_bytes());
        let initramfs = folder.join("initramfs");
        // The kernel reads archives that follow one another.
        fs::write(
            &initramfs,
            [&self.base, &self.files[boot.kernel], &list.finish()]
                .map(Vec::as_slice)
                .concat(),
        )?;
        let firmware = (boot.policy == Policy::Firmware)
            .then(|| (self.parts.firmware.clone(), self.parts.variables.clone()));
        Ok(Machine {
            kernel: if firmware.is_some() {
                kernel.image.clone()
            } else {
                kernel.quick.clone()
            },
            initramfs,
            arguments: boot.policy.arguments().to_owned(),
            firmware,
            counted: false,
        })
    }

    /// Runs scenarios, two machines at a time; says how each ended, and fails when one of them did.
    fn run(&self, scenarios: &[Scenario], logs: bool) -> Result<()> {
        let queue = Mutex::new(boots(scenarios, &self.parts.kernels).into_iter());
        let next = || queue.lock().ok().and_then(|mut boots| boots.next());
        let results = std::thread::scope(|scope| {
            let machines: Vec<_> = (0..MACHINES)
                .map(|_| {
                    scope.spawn(|| {
                        let mut failures = 0;
                        while let Some(boot) = next() {
                            failures += self.boot(&boot, logs)?;
                        }
                        Ok(failures)
                    })
                })
                .collect();
            let joined = machines.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.collect::<Vec<_>>()
        });
        let mut failures = 0;
        for result in results {
            failures += result.unwrap_or_else(|_| bail!("a machine's thread ended early"))?;
        }
        match failures {
            0 => Ok(()),
            1 => bail!("one scenario did not end as expected"),
            _ => bail!("{failures} scenarios did not end as expected"),
        }
    }

    /// Runs one machine; returns how many of its scenarios failed.
    fn boot(&self, boot: &Boot, logs: bool) -> Result<usize> {
        let folder = self.folder(boot);
        let run = self.machine(boot)?.run(&folder, LIMIT)?;
        // The files are large, and made again in no time.
        fs::remove_file(folder.join("initramfs"))?;
        let (text, failures) = self.report(boot, &run, &folder, logs);
        print!("{text}");
        Ok(failures)
    }

    fn report(&self, boot: &Boot, run: &Run, folder: &Path, logs: bool) -> (String, usize) {
        let place = format!("{:<6} {:<9}", self.kernel(boot).name, boot.policy.name());
        let outcomes = scenario::outcomes(&run.results);
        let outcomes: BTreeMap<&str, _> = outcomes
            .iter()
            .map(|outcome| (outcome.name.as_str(), outcome))
            .collect();
        let mut text = String::new();
        let mut failures = 0;
        for scenario in &boot.scenarios {
            let outcome = outcomes.get(scenario.name.as_str());
            let code = outcome.and_then(|outcome| outcome.code);
            let right = match (scenario.panics, code) {
                (true, None) => run.end == End::Panic,
                (false, code) => code == Some(0),
                (true, Some(_)) => false,
            };
            let word = match (right, outcome.is_some(), code) {
                (true, _, _) => "ok",
                (false, true, Some(_)) => "FAILED",
                (false, true, None) => "NOT ENDED",
                (false, false, _) => "NOT RUN",
            };
            let seconds = outcome.map_or(0.0, |outcome| outcome.hundredths as f64 / 100.0);
            text += &format!("{place} {seconds:>6.2} s  {word:<7} {}\n", scenario.name);
            failures += usize::from(!right);
            if (!right || logs)
                && let Some(outcome) = outcome
            {
                text += &indented(&outcome.log);
            }
        }
        let ended = match run.end {
            // 1 says that a scenario failed.
            End::Code(code) => code == i32::from(failures > 0),
            End::Off => boot.policy == Policy::Lockdown,
            End::Panic => boot.scenarios.iter().any(|scenario| scenario.panics),
            End::TimeLimit | End::Qemu(_) => false,
        };
        if !ended {
            text += &format!(
                "{place} the machine ended with {:?}; the last of its console:\n",
                run.end
            );
            let lines: Vec<&str> = run.console.lines().collect();
            text += &indented(&lines[lines.len().saturating_sub(40)..].join("\n"));
            failures = failures.max(1);
        }
        text += &format!(
            "{place} {:>6.2} s  whole machine, logs in {}\n",
            run.time.as_secs_f64(),
            folder.display()
        );
        (text, failures)
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// The boots that the scenarios need: one for each kernel and policy, and one for each panic. The longest go first.
fn boots(scenarios: &[Scenario], kernels: &[Kernel]) -> Vec<Boot> {
    let mut shared: BTreeMap<(usize, Policy), Vec<Scenario>> = BTreeMap::new();
    let mut alone = Vec::new();
    for (index, kernel) in kernels.iter().enumerate() {
        let here = |scenario: &&Scenario| scenario.kernels.iter().any(|name| name == kernel.name);
        for scenario in scenarios.iter().filter(here) {
            if scenario.panics {
                alone.push(((index, scenario.policy), vec![scenario.clone()]));
            } else {
                shared
                    .entry((index, scenario.policy))
                    .or_default()
                    .push(scenario.clone());
            }
        }
    }
    let mut boots: Vec<Boot> = shared
        .into_iter()
        .chain(alone)
        .map(|((kernel, policy), scenarios)| Boot {
            kernel,
            policy,
            scenarios,
        })
        .collect();
    boots.sort_by_key(|boot| std::cmp::Reverse(boot.scenarios.len()));
    boots
}
