//! `cargo xtask bench operator`: the built operator and many nodes, on a real API server.
//!
//! The harness plays the kubelets. What the operator wrote is counted in the audit log of the API server, and its time and
//! memory are those that the kernel gives. The same was once recorded for the Go operator, with the same Kubernetes on two
//! cores; those figures are the mark, and are not measured side by side.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use kube::Client;
use kube::api::ListParams;
use serde_json::Value;
use serde_json::json;

use super::access;
use super::check::make_namespace;
use super::control_plane::ControlPlane;
use super::fleet;
use super::fleet::Fleet;
use super::fleet::Work;
use super::life;
use super::objects;
use super::objects::api_of;
use super::objects::list;
use super::objects::until;
use super::objects::until_within;
use super::process::Process;
use super::running;

/// What is measured where nothing is said.
const USUAL: [&str; 2] = ["200x5", "400x5"];

/// How long a cluster may take to settle: 5,000 nodes x 20 Modules are half a million writes of all sides.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// How long nothing may be written until it counts as settled.
const QUIET: Duration = Duration::from_secs(5);

/// How long a settled cluster is watched.
const REST: Duration = Duration::from_secs(60);

/// What the Go operator needed.
struct Mark {
    nodes: usize,
    modules: usize,
    seconds: f64,
    writes: f64,
    cpu: f64,
    megabytes: f64,
}

const MARKS: [Mark; 2] = [
    Mark {
        nodes: 200,
        modules: 5,
        seconds: 158.0,
        writes: 8643.0,
        cpu: 62.0,
        megabytes: 106.0,
    },
    Mark {
        nodes: 400,
        modules: 5,
        seconds: 311.0,
        writes: 17112.0,
        cpu: 154.0,
        megabytes: 139.0,
    },
];

/// One cluster, measured.
struct Measured {
    nodes: usize,
    modules: usize,
    /// From the first Module to the last write.
    seconds: f64,
    requests: Requests,
    cpu: f64,
    /// Most memory until it settled, in megabytes of a million bytes, as the mark.
    megabytes: f64,
    /// Memory of the operator that knows all nodes and no Module.
    idle: f64,
    /// CPU seconds of the other parts, and of all of the machine.
    others: Vec<(String, f64)>,
    busy: f64,
    kubelets: Work,
    rest: Rest,
}

/// A settled minute.
struct Rest {
    /// Memory at the end of it.
    megabytes: f64,
    writes: usize,
    cpu: f64,
    renewals: usize,
    reports: usize,
}

/// What the operator asked for, by verb and resource.
#[derive(Clone, Debug, Default)]
struct Requests {
    counts: BTreeMap<String, usize>,
    writes: usize,
    events: usize,
    reads: usize,
    /// When the last write had its answer, as the API server says.
    last_write: String,
}

/// Measures clusters of these sizes, with the binary whose path is among the words, or else with one that is built.
pub(crate) fn bench(words: &[&str]) -> Result<()> {
    let (paths, sizes): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| word.contains('/'));
    let sizes = if sizes.is_empty() { USUAL.to_vec() } else { sizes };
    let sizes: Vec<(usize, usize)> = sizes.iter().map(|text| size(text)).collect::<Result<_>>()?;
    let kmm = match paths.first() {
        Some(path) => std::path::absolute(path)?,
        None => running::build_release()?,
    };
    println!("\n== the operator on an API server");
    let mut all = Vec::new();
    for (nodes, modules) in sizes {
        let measured = super::run(measure(&kmm, nodes, modules))
            .with_context(|| format!("{nodes} nodes and {modules} Modules"))?;
        measured.print();
        all.push(measured);
    }
    compare(&all);
    Ok(())
}

fn size(text: &str) -> Result<(usize, usize)> {
    let parts = text.split_once('x');
    let parts = parts.and_then(|(nodes, modules)| Some((nodes.parse().ok()?, modules.parse().ok()?)));
    match parts {
        Some((nodes @ 1.., modules @ 1..)) => Ok((nodes, modules)),
        _ => bail!("`{text}` is no size: nodes and Modules are given as 200x5"),
    }
}

async fn measure(kmm: &Path, nodes: usize, modules: usize) -> Result<Measured> {
    let mut plane = ControlPlane::start().await?;
    let outcome = measure_on(&mut plane, kmm, nodes, modules).await;
    if outcome.is_err() {
        println!("the control plane's logs end with\n{}", plane.logs());
    }
    outcome
}

async fn measure_on(plane: &mut ControlPlane, kmm: &Path, nodes: usize, modules: usize) -> Result<Measured> {
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    access::install(plane, &client).await?;
    plane.start_controllers().await?;
    make_namespace(&client, "drivers").await?;
    let names: Vec<String> = (0..nodes).map(|node| format!("n{node:05}")).collect();
    make_nodes(&client, &names).await?;
    let fleet = Fleet::start(&client);
    let mut operator = start(plane, kmm)?;
    let id = operator.id();
    let listed = " listed ";
    until("the operator has listed everything", async || {
        operator.check()?;
        Ok(operator
            .printed()
            .lines()
            .filter(|line| line.contains(listed))
            .count()
            >= 8)
    })
    .await?;
    let idle = megabytes(id, "VmHWM:")?;
    let before = cpu_of_all(plane)?;
    let (machine, own) = (busy()?, cpu(id)?);
    let (begun, begun_at) = (Instant::now(), k8s_openapi::jiff::Timestamp::now());
    for module in 0..modules {
        objects::apply(&client, &a_module(module)).await?;
    }
    wait_until_loaded(&client, &mut operator, nodes, begun).await?;
    let requests = quiet(plane.folder()).await?;
    let last: k8s_openapi::jiff::Timestamp = requests.last_write.parse().context("the last write")?;
    let after = cpu_of_all(plane)?;
    let mut measured = Measured {
        nodes,
        modules,
        seconds: last.duration_since(begun_at).as_secs_f64(),
        cpu: cpu(id)? - own,
        megabytes: megabytes(id, "VmHWM:")?,
        idle,
        others: before
            .into_iter()
            .zip(after)
            .map(|((name, before), (_, after))| (name, after - before))
            .collect(),
        busy: busy()? - machine,
        kubelets: fleet.work(),
        rest: Rest {
            megabytes: 0.0,
            writes: 0,
            cpu: 0.0,
            renewals: 0,
            reports: 0,
        },
        requests,
    };
    // The first renewal makes the Leases.
    fleet::heartbeats(&client, &names, Duration::from_secs(10)).await?;
    let (written, own) = (requests_of(plane.folder())?, cpu(id)?);
    let (renewals, reports) = fleet::heartbeats(&client, &names, REST).await?;
    let after = requests_of(plane.folder())?;
    measured.rest = Rest {
        megabytes: megabytes(id, "VmRSS:")?,
        writes: after.writes + after.events - written.writes - written.events,
        cpu: cpu(id)? - own,
        renewals,
        reports,
    };
    operator.check()?;
    ensure!(
        operator.stop() == Some(0),
        "the operator ended badly:\n{}",
        operator.last_lines()
    );
    Ok(measured)
}

/// Starts the operator as it is installed: with its own account and an election.
fn start(plane: &ControlPlane, kmm: &Path) -> Result<Process> {
    let config = plane.folder().join("operator.yaml");
    let text = json!({
        "leaderElection": {"enabled": true}, "healthProbeBindAddress": "0", "metrics": {"bindAddress": "0"},
    });
    std::fs::write(&config, text.to_string()).context("could not write operator.yaml")?;
    let arguments = [
        "operator".to_owned(),
        format!("--config={}", config.display()),
        format!("--kubeconfig={}", access::kubeconfig(plane.folder()).display()),
    ];
    let environment = [
        ("RELATED_IMAGE_WORKER", "registry.example.com/kmm-worker:1"),
        ("OPERATOR_NAMESPACE", access::NAMESPACE),
    ];
    Process::start("operator", kmm, &arguments, &environment, plane.folder())
}

/// Makes nodes, and waits until they may be used.
async fn make_nodes(client: &Client, names: &[String]) -> Result<()> {
    fleet::each(names.iter().cloned(), |name| {
        let (client, node) = (client.clone(), life::node(&name, "acme"));
        async move { objects::create(&client, &node).await.map(drop) }
    })
    .await?;
    let usable = |node: &Value| node["spec"]["taints"].as_array().is_none_or(Vec::is_empty);
    until_within(PATIENCE, "the nodes have lost their taints", async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(list(client, "v1", "Node").await?.iter().all(usable))
    })
    .await
}

fn a_module(number: usize) -> Value {
    let mut module = life::modules()[0].clone();
    let container = &mut module["spec"]["moduleLoader"]["container"];
    container["modprobe"] = json!({"moduleName": format!("acme_{number}"), "parameters": ["queues=4"]});
    container["kernelMappings"][0]["containerImage"] = json!(format!(
        "registry.example.com/acme-{number}:${{KERNEL_FULL_VERSION}}"
    ));
    module["metadata"]["name"] = json!(format!("acme-{number}"));
    if let Some(spec) = module["spec"].as_object_mut() {
        spec.remove("devicePlugin");
    }
    module
}

/// Waits until every Module counts all nodes as those that have it, and all pods are gone.
async fn wait_until_loaded(
    client: &Client,
    operator: &mut Process,
    nodes: usize,
    begun: Instant,
) -> Result<()> {
    let mut told = Instant::now();
    until_within(PATIENCE, "all nodes have all Modules", async || {
        operator.check()?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let modules = list(client, life::BETA, "Module").await?;
        let available = |module: &Value| {
            let count = module["status"]["moduleLoader"]["availableNumber"].as_u64();
            count.unwrap_or(0)
        };
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            let available: u64 = modules.iter().map(available).sum();
            println!(
                "  after {:.0} s: {available} Modules of nodes are there",
                begun.elapsed().as_secs_f64()
            );
        }
        if !modules.iter().all(|module| available(module) == nodes as u64) {
            return Ok(false);
        }
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "drivers"}});
        let pods = api_of(client, &pod)?;
        let one = ListParams::default().limit(1);
        Ok(pods.list_metadata(&one).await?.items.is_empty())
    })
    .await
    .with_context(|| operator.last_lines())
}

/// Waits until the operator writes no more; what it asked for until then.
async fn quiet(folder: &Path) -> Result<Requests> {
    let mut last = requests_of(folder)?;
    let begun = Instant::now();
    loop {
        tokio::time::sleep(QUIET).await;
        let now = requests_of(folder)?;
        if (now.writes, now.events) == (last.writes, last.events) {
            return Ok(now);
        }
        ensure!(begun.elapsed() < PATIENCE, "the operator goes on writing");
        last = now;
    }
}

/// What the operator asked for so far, from all files of the audit log: the API server begins a new one at 100 MB.
fn requests_of(folder: &Path) -> Result<Requests> {
    let mut requests = Requests::default();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !name.starts_with("audit") || path.extension().is_none_or(|ending| ending != "log") {
            continue;
        }
        let mut lines = BufReader::new(std::fs::File::open(&path)?);
        let mut line = String::new();
        // The last line may be half written.
        while lines.read_line(&mut line)? > 0 && line.ends_with('\n') {
            requests.count(&serde_json::from_str(&line).context("a line of the audit log")?);
            line.clear();
        }
    }
    Ok(requests)
}

impl Requests {
    fn count(&mut self, record: &Value) {
        let object = &record["objectRef"];
        let Some(resource) = object["resource"]
            .as_str()
            .filter(|resource| *resource != "leases")
        else {
            return;
        };
        let verb = record["verb"].as_str().unwrap_or_default();
        let part = object["subresource"].as_str().map(|part| format!("/{part}"));
        let name = format!("{verb} {resource}{}", part.unwrap_or_default());
        *self.counts.entry(name).or_default() += 1;
        if matches!(verb, "get" | "list" | "watch") {
            self.reads += 1;
            return;
        }
        if resource == "events" {
            self.events += 1;
        } else {
            self.writes += 1;
        }
        let at = record["stageTimestamp"].as_str().unwrap_or_default();
        if at > self.last_write.as_str() {
            at.clone_into(&mut self.last_write);
        }
    }
}

impl Measured {
    fn print(&self) {
        println!(
            "{} nodes x {} Modules: settled in {:.1} s, {} writes and {} events, {:.2} s of CPU, {:.1} MB ({:.1} MB with the nodes alone)",
            self.nodes,
            self.modules,
            self.seconds,
            self.requests.writes,
            self.requests.events,
            self.cpu,
            self.megabytes,
            self.idle,
        );
        let counts = self.requests.counts.iter();
        let counts: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
        println!("  asked for: {}", counts.join(", "));
        let mut known = self.cpu;
        let others = self.others.iter().map(|(name, cpu)| {
            known += cpu;
            format!("{name} {cpu:.1}")
        });
        let others: Vec<String> = others.collect();
        println!(
            "  CPU seconds of the others: {}; of processes that have nothing to do with it {:.1}",
            others.join(", "),
            (self.busy - known).max(0.0)
        );
        let Work {
            pods,
            time,
            waited,
            failed,
        } = self.kubelets;
        println!(
            "  the harness's kubelets: {pods} pods, {:.0} ms each from the news to the API server's answer, {:.1} ms of it until a hand \
             was free; {failed} failed",
            time.as_secs_f64() * 1e3 / f64::from(pods.max(1)),
            waited.as_secs_f64() * 1e3 / f64::from(pods.max(1)),
        );
        println!(
            "  settled, a minute with {} renewals and {} reports of nodes: {} writes, {:.2} s of CPU; then {:.1} MB",
            self.rest.renewals, self.rest.reports, self.rest.writes, self.rest.cpu, self.rest.megabytes
        );
    }
}

/// The table of ratios, and the growth.
fn compare(all: &[Measured]) {
    println!(
        "\n== against the Go operator, as it was recorded on this Kubernetes and two cores (not side by side)"
    );
    println!(
        "{:>12}  {:>22} {:>22} {:>22} {:>22}",
        "", "seconds", "writes (+ events)", "CPU seconds", "MB"
    );
    for found in all {
        let mark = MARKS
            .iter()
            .find(|mark| (mark.nodes, mark.modules) == (found.nodes, found.modules));
        let cell = |ours: f64, theirs: Option<f64>| match theirs {
            Some(theirs) => format!("{ours:.1} / {theirs} = {:.3}", ours / theirs),
            None => format!("{ours:.1}"),
        };
        let writes = found.requests.writes as f64;
        let with_events = writes + found.requests.events as f64;
        let against =
            mark.map(|mark| format!("{:.3} ({:.3})", writes / mark.writes, with_events / mark.writes));
        println!(
            "{:>12}  {:>22} {:>22} {:>22} {:>22}",
            format!("{}x{}", found.nodes, found.modules),
            cell(found.seconds, mark.map(|mark| mark.seconds)),
            match against {
                Some(against) => format!("{writes} = {against}"),
                None => format!("{writes} ({with_events})"),
            },
            cell(found.cpu, mark.map(|mark| mark.cpu)),
            cell(found.megabytes, mark.map(|mark| mark.megabytes)),
        );
    }
    println!("\n== for each Module on each node");
    for found in all {
        let each = (found.nodes * found.modules) as f64;
        println!(
            "{:>12}  {:.2} writes, {:.2} events, {:.2} reads, {:.2} ms of CPU, {:.2} ms of time, {:.2} kB above the nodes' {:.2} kB each",
            format!("{}x{}", found.nodes, found.modules),
            found.requests.writes as f64 / each,
            found.requests.events as f64 / each,
            found.requests.reads as f64 / each,
            found.cpu * 1e3 / each,
            found.seconds * 1e3 / each,
            (found.megabytes - found.idle) * 1e3 / each,
            found.idle * 1e3 / found.nodes as f64,
        );
    }
}

/// CPU seconds of the parts of the control plane and of this process.
fn cpu_of_all(plane: &ControlPlane) -> Result<Vec<(String, f64)>> {
    let mut all = Vec::new();
    for (name, id) in plane.processes() {
        all.push((name, cpu(id)?));
    }
    all.push(("harness".to_owned(), cpu(std::process::id())?));
    Ok(all)
}

/// What a tick of the kernel's accounts lasts.
fn tick() -> f64 {
    1.0 / rustix::param::clock_ticks_per_second() as f64
}

/// CPU seconds of a process, its own and the kernel's for it.
fn cpu(id: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in parentheses, may have anything in it.
    let (_, fields) = text.rsplit_once(')').context("no name in /proc/PID/stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || -> Result<f64> { Ok(fields.next().context("a short /proc/PID/stat")?.parse()?) };
    Ok((next()? + next()?) * tick())
}

/// CPU seconds that all processes of the machine had.
fn busy() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system; idle and waiting are left out; interrupts
    let counted = [0, 1, 2, 5, 6].iter().filter_map(|place| fields.get(*place));
    Ok(counted.sum::<f64>() * tick())
}

/// Memory of a process, in a million bytes: `VmHWM:` is the most that it had, `VmRSS:` what it has.
fn megabytes(id: u32, what: &str) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.with_context(|| format!("no {what}"))?.parse::<f64>()? * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("200x5").unwrap(), (200, 5));
        for wrong in ["200", "x5", "0x5", "5x0", "5x-1", "axb"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn writes_are_told_from_reads_events_and_leases() {
        let mut requests = Requests::default();
        for (verb, resource, part, at) in [
            ("list", "pods", None, "3"),
            ("create", "pods", None, "1"),
            ("patch", "modules", Some("status"), "2"),
            ("create", "events", None, "1"),
            ("update", "leases", None, "9"),
        ] {
            let mut object = json!({"resource": resource});
            if let Some(part) = part {
                object["subresource"] = json!(part);
            }
            requests.count(&json!({"verb": verb, "objectRef": object, "stageTimestamp": at}));
        }
        assert_eq!((requests.writes, requests.events, requests.reads), (2, 1, 1));
        assert_eq!(requests.last_write, "2");
        assert_eq!(requests.counts["patch modules/status"], 1);
        assert!(!requests.counts.keys().any(|name| name.contains("leases")));
    }

    #[test]
    fn this_process_is_measured() {
        let id = std::process::id();
        assert!(megabytes(id, "VmHWM:").unwrap() > 0.5);
        assert!(cpu(id).unwrap() >= 0.0);
        assert!(busy().unwrap() > 0.0);
    }
}
