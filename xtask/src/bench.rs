//! `cargo xtask bench`: the benchmarks, and what they say as ratios.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;

use crate::cluster;
use crate::generate::target_folder;

use crate::image_speed;
use crate::kernels;
use crate::layers;
use crate::soak;
use crate::steps;

/// Schedules of which the speed is measured.
const SCHEDULES: u64 = 2_000;
/// Times that each command is run; the median counts.
const RUNS: usize = 21;

pub(crate) fn run(words: &[&str]) -> Result<()> {
    let cargo = steps::cargo();
    let mut arguments = vec!["bench", "--package", "kmm-benches", "--benches", "--"];
    arguments.extend(words);
    steps::run(&cargo, &arguments)?;
    steps::run(&cargo, &["build", "--release", "--package", "kmm-cli"])?;
    plan()?;
    let median = criterion_medians(&target_folder().join("criterion"))?;
    println!("\n== ratios");
    let per = |name: &str, elements: f64| median.get(name).map(|nanoseconds| nanoseconds / elements);
    ratio(
        "resolve a node: compile every regexp for every node / kmm (10,000 nodes, 50 mappings)",
        per("resolve/naive/500", 500.0),
        per("resolve/kmm/10000", 10_000.0),
    );
    ratio(
        "1,000,000 nodes / 10,000 nodes",
        per("resolve/kmm/1000000", 1.0),
        per("resolve/kmm/10000", 1.0),
    );
    ratio(
        "check 10,000 manifests / check one",
        per("validate/read and check 10,000 manifests", 1.0),
        per("validate/read and check one manifest", 1.0),
    );
    ratio(
        "match: the regex crate / kmm",
        per("pattern/match with the regex crate", 1.0),
        per("pattern/match", 1.0),
    );
    commands()?;
    let kernels = kernels::set_up()?;
    kernels::measure(&kernels)?;
    layers::set_up()?;
    layers::measure()?;
    image_speed::measure(&kernels.headers, None)?;
    cluster::scale::bench(&[])
}

/// Plans whole clusters of 100 Modules, each in a process of its own: time, peak memory, and how both grow.
pub(crate) fn plan() -> Result<()> {
    /// A cluster of so many nodes, as it was measured.
    struct Measured {
        nodes: f64,
        seconds: f64,
        planning: f64,
        change: f64,
        first: f64,
        first_change: f64,
        first_planning: f64,
    }
    println!("\n== plans of 100 Modules on every node");
    let mut all: Vec<Measured> = Vec::new();
    for nodes in ["1000", "5000", "10000", "100000"] {
        let cargo = steps::cargo();
        let arguments = [
            "bench",
            "--quiet",
            "--package",
            "kmm-benches",
            "--bench",
            "plan",
            "--",
            nodes,
        ];
        let output = Command::new(cargo)
            .args(arguments)
            .current_dir(steps::root())
            .stderr(Stdio::inherit())
            .output()?;
        anyhow::ensure!(output.status.success(), "the benchmark `plan` failed");
        let report: serde_json::Value =
            serde_json::from_slice(&output.stdout).context("the benchmark `plan` printed no report")?;
        let number = |key: &str| {
            report[key]
                .as_f64()
                .with_context(|| format!("the report has no `{key}`"))
        };
        let driven = |key: &str| {
            report["driven"][key]
                .as_f64()
                .with_context(|| format!("the report has no `driven.{key}`"))
        };
        anyhow::ensure!(number("nodeWrites")? == 0.0, "settled nodes were written");
        let measured = Measured {
            nodes: number("nodes")?,
            seconds: number("seconds")?,
            planning: number("planningKib")?,
            change: number("oneNodeSeconds")?,
            first: driven("seconds")?,
            first_change: driven("oneNodeSeconds")?,
            first_planning: driven("planningKib")?,
        };
        println!(
            "{nodes:>7} nodes: {} in all, {} a node; peak {:.0} MiB, {:.1} MiB of it for planning; one node's change {}",
            time(measured.seconds * 1e9),
            time(measured.seconds / measured.nodes * 1e9),
            number("peakKib")? / 1024.0,
            measured.planning / 1024.0,
            time(measured.change * 1e9),
        );
        println!(
            "        for the first time, by a driver: {} in all, {} a node and a Module; {:.0} MiB for what it was shown, {:.1} MiB more \
             for counts and memory of what it said; one node's change {}, {} decisions",
            time(measured.first * 1e9),
            time(measured.first / measured.nodes / 100.0 * 1e9),
            driven("heldKib")? / 1024.0,
            measured.first_planning / 1024.0,
            time(measured.first_change * 1e9),
            driven("oneNodeKeys")?,
        );
        all.push(measured);
    }
    if let [few, .., many] = all.as_slice() {
        let scale = many.nodes / few.nodes;
        let each = |measured: &Measured| Some(measured.seconds / measured.nodes * 1e9);
        ratio(
            "a node among 100,000 / among 1,000 (1.0 is linear)",
            each(many),
            each(few),
        );
        ratio(
            "one node's change among 100,000 / among 1,000 (1.0: it does not matter how many there are)",
            Some(many.change * 1e9),
            Some(few.change * 1e9),
        );
        let each = |measured: &Measured| Some(measured.first / measured.nodes * 1e9);
        ratio("the same for the first time, by a driver", each(many), each(few));
        ratio(
            "one node's change, by a driver",
            Some(many.first_change * 1e9),
            Some(few.first_change * 1e9),
        );
        println!(
            "{:>12.2}  memory of a driver for what it decided, {scale:.0} times as many nodes",
            many.first_planning / few.first_planning.max(1.0)
        );
        println!(
            "{:>12.2}  memory for planning, {scale:.0} times as many nodes",
            many.planning / few.planning.max(1.0)
        );
    }
    println!("\n== schedules of faults, carried out by all processors");
    soak::schedules(SCHEDULES, 0)
}

fn ratio(what: &str, over: Option<f64>, under: Option<f64>) {
    if let (Some(over), Some(under)) = (over, under) {
        println!(
            "{:>12.1}  {what}  ({} / {})",
            over / under,
            time(over),
            time(under)
        );
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n >= 1e9 => format!("{:.2} s", n / 1e9),
        n if n >= 1e6 => format!("{:.2} ms", n / 1e6),
        n if n >= 1e3 => format!("{:.2} µs", n / 1e3),
        n => format!("{n:.0} ns"),
    }
}

/// Medians in nanoseconds, by group and name, as criterion left them.
fn criterion_medians(folder: &Path) -> Result<BTreeMap<String, f64>> {
    let mut medians = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("could not read `{}`", folder.display()))?
        {
            let path = entry?.path();
            if path.ends_with("new") {
                let read = |file: &str| -> Result<serde_json::Value> {
                    Ok(serde_json::from_slice(&fs::read(path.join(file))?)?)
                };
                let name = read("benchmark.json")?["full_id"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let median = read("estimates.json")?["median"]["point_estimate"].as_f64();
                medians.insert(name, median.context("criterion left no median")?);
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(medians)
}

/// Whole commands, side by side: start-up against a program that does nothing, and 10,000 manifests in one file.
fn commands() -> Result<()> {
    let kmm = target_folder().join("release/kmm");
    let kmm = kmm.to_str().context("the target folder is not UTF-8")?;
    let nothing = median_time(RUNS, || Command::new("true"))?;
    let start = median_time(RUNS, || with(kmm, &["--version"]))?;
    ratio("start-up: `kmm --version` / `true`", Some(start), Some(nothing));
    let manifests = steps::cache()?.join("10000-manifests.yaml");
    let one = fs::read_to_string(steps::root().join("examples/kernel-mappings/module.yaml"))?;
    let mut text = String::new();
    for i in 0..10_000 {
        let _ = writeln!(
            text,
            "---\n{}",
            one.replace("name: acme-nic", &format!("name: acme-nic-{i}"))
        );
    }
    fs::write(&manifests, text)?;
    let manifests = manifests.to_str().context("the cache folder is not UTF-8")?;
    let all = median_time(3, || with(kmm, &["validate", "--output", "json", manifests]))?;
    let single = "examples/kernel-mappings/module.yaml";
    let few = median_time(RUNS, || with(kmm, &["validate", "--output", "json", single]))?;
    ratio(
        "`kmm validate`: one file with 10,000 manifests / one manifest",
        Some(all),
        Some(few),
    );
    Ok(())
}

fn with(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(steps::root());
    command
}

fn median_time(runs: usize, command: impl Fn() -> Command) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times
        .get(runs / 2)
        .map_or(0.0, |time: &Duration| time.as_nanos() as f64))
}
