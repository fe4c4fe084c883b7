//! `kmm simulate`.

mod event;
mod outcome;
mod story;

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::api::Module;
use kmm_core::node::NodeFacts;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::names::NodeLabel;
use kmm_core::resolve::ModuleName;
use kmm_core::sim::Cluster;
use kmm_core::sim::Limit;
use kmm_core::sim::Settled;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::cli::Manifests;
use crate::cli::Simulate;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::printer::Printer;
use crate::render::printable;

use event::Event;
use outcome::Outcome;
use story::Line;

/// Most nodes that are simulated.
const NODES: usize = 5_000;
/// Where Modules without a namespace go, as with `kubectl apply`.
const NAMESPACE: &str = "default";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    version: u32,
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
}

/// The start, or an event, and what came of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    event: String,
    settled: &'static str,
    /// Seconds since the start, when it ended.
    until: u64,
    timeline: Vec<Line>,
}

pub fn run(arguments: &Simulate, printer: &Printer) -> Result<ExitStatus> {
    let mut events = Vec::new();
    for text in &arguments.events {
        events.push((text.trim().to_owned(), Event::parse(text)?));
    }
    if !events.iter().any(|(_, event)| *event == Event::Start) {
        events.insert(0, ("start".to_owned(), Event::Start));
    }
    let limit = limit(&arguments.until)?;
    let mut loaded = manifests::load(&arguments.manifests, printer)?;
    if let Some(path) = &arguments.nodes {
        loaded.nodes.extend(manifests::read_nodes(path)?);
    }
    let mut simulation = Simulation::new(&loaded.nodes, printer)?;
    let mut waiting: Vec<Module> = loaded.objects;
    let mut steps = Vec::new();
    let mut started = false;
    for (text, event) in &events {
        if *event == Event::Start {
            simulation.apply(&std::mem::take(&mut waiting))?;
            started = true;
        } else {
            let happened = simulation.happen(event, &waiting, printer);
            happened.with_context(|| format!("event `{text}`"))?;
        }
        if started {
            steps.push(simulation.step(text, limit)?);
        }
    }
    for image in never_pulled(&events, &steps) {
        printer.notice(&printable(&format!(
            "kmm: nobody pulls `{image}`: that it fails changes nothing"
        )));
    }
    let outcomes = outcome::all(&simulation.cluster);
    let status = if outcomes.iter().all(|outcome| outcome.ok) && simulation.all_released() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    };
    let answer = Answer {
        version: 1,
        steps,
        outcomes,
    };
    match arguments.output.structured() {
        Some(format) => printer.document(format, &answer)?,
        None => printer.data(&text(&answer, arguments.all))?,
    }
    Ok(status)
}

/// Images of events that nothing in the story is about: most likely they are misspelt.
fn never_pulled<'a>(events: &'a [(String, Event)], steps: &[Step]) -> Vec<&'a str> {
    let lines = || steps.iter().flat_map(|step| &step.timeline);
    let is_told = |image: &str| lines().any(|line| line.what.contains(image));
    let images = events.iter().filter_map(|(_, event)| match event {
        Event::Pull { image, works: false } => Some(image.as_str()),
        _ => None,
    });
    images.filter(|image| !is_told(image)).collect()
}

/// How far each step goes.
fn limit(text: &str) -> Result<Limit> {
    if text == "settled" {
        return Ok(Limit::default());
    }
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => 0,
    };
    let number: i64 = number.parse().unwrap_or_default();
    let seconds = number.saturating_mul(seconds);
    if !(1..=31_536_000).contains(&seconds) {
        bail!("--until `{text}`: it is `settled`, or a time such as 90s, 10m or 2h");
    }
    Ok(Limit {
        seconds,
        ..Limit::default()
    })
}

/// A cluster, and when it started.
struct Simulation {
    cluster: Cluster,
    start: Timestamp,
}

impl Simulation {
    fn new(nodes: &[NodeFacts], printer: &Printer) -> Result<Self> {
        if nodes.is_empty() {
            bail!("there is no node to simulate: give --nodes FILE, or Nodes in the manifests");
        }
        if nodes.len() > NODES {
            bail!("{} nodes are too many to simulate: at most {NODES}", nodes.len());
        }
        let start = Timestamp(0);
        let installation = Installation {
            worker_image: "kmm-worker".to_owned(),
            image_volumes: true,
            ..Installation::default()
        };
        let mut cluster = Cluster::new(installation, start);
        let mut names = BTreeSet::new();
        for node in nodes {
            if !names.insert(node.name.as_str()) {
                bail!("there are two nodes `{}`", node.name);
            }
            if node.ready != Some(true) {
                let name = printable(&node.name);
                printer.notice(&format!(
                    "node {name} is not ready: it is simulated as if it were"
                ));
            }
            cluster.apply(&object(node))?;
        }
        Ok(Self { cluster, start })
    }

    fn apply(&mut self, modules: &[Module]) -> Result<()> {
        for module in modules {
            let mut value = serde_json::to_value(module)?;
            value["apiVersion"] = json!(kmm_core::api::V1BETA1);
            value["kind"] = json!("Module");
            if module.metadata.namespace.is_empty() {
                value["metadata"]["namespace"] = json!(NAMESPACE);
            }
            if let Value::Object(value) = &mut value {
                value.remove("status");
            }
            self.cluster.apply(&value)?;
        }
        Ok(())
    }

    /// Lets something happen. Before the start there are no Modules in the cluster yet: those are in `waiting`.
    fn happen(&mut self, event: &Event, waiting: &[Module], printer: &Printer) -> Result<()> {
        match event {
            Event::Start => {}
            Event::Reboot { node, kernel } => self.cluster.reboot(node, kernel.as_deref())?,
            Event::Cordon { node, cordoned } => self.cluster.cordon(node, *cordoned)?,
            Event::Label { node, key, value } => {
                let target = ObjectRef::cluster(Kind::Node, node.as_str());
                self.cluster.label(&target, key, value.as_deref())?;
            }
            Event::Apply { file } => {
                let manifests = Manifests {
                    files: vec![file.clone()],
                    module: None,
                };
                let loaded = manifests::load(&manifests, printer)?;
                self.apply(&loaded.objects)?;
            }
            Event::Delete { module } => {
                let module = self.find(module, waiting)?;
                self.cluster.delete(&ObjectRef::namespaced(
                    Kind::Module,
                    module.namespace,
                    module.name,
                ))?;
            }
            Event::Pull { image, works } => self.cluster.registry().set(image, *works),
            Event::Load { node, module, reason } => {
                let module = self.find(module, waiting)?;
                let machine = self.cluster.machine_mut(node);
                let machine = machine.with_context(|| format!("there is no node `{node}`"))?;
                machine.refuse(&module, reason.as_deref());
            }
        }
        Ok(())
    }

    /// The Module of a name; without a namespace it has to be the only one.
    fn find(&self, wanted: &ModuleName, waiting: &[Module]) -> Result<ModuleName> {
        let stored = self
            .cluster
            .store()
            .all(Kind::Module)
            .filter_map(|stored| stored.seen.module());
        let there = stored.map(|(module, _)| module).chain(waiting).map(|module| {
            let mut name = kmm_core::reconcile::assign::module_name(module);
            if name.namespace.is_empty() {
                NAMESPACE.clone_into(&mut name.namespace);
            }
            name
        });
        let found: Vec<ModuleName> = there
            .filter(|name| name.name == wanted.name)
            .filter(|name| wanted.namespace.is_empty() || name.namespace == wanted.namespace)
            .collect();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => bail!("there is no Module `{}`", wanted.name),
            [first, ..] => bail!(
                "there are several Modules `{}`: say which, such as `{}`",
                wanted.name,
                story::name(first)
            ),
        }
    }

    fn step(&mut self, event: &str, limit: Limit) -> Result<Step> {
        let settled = match self.cluster.settle(limit) {
            Settled::Yes => "yes",
            Settled::Waiting { .. } => "waiting",
            Settled::No => bail!(
                "it did not settle: after {} rounds there was still something to do",
                limit.rounds
            ),
        };
        let moments = self.cluster.take_timeline();
        Ok(Step {
            event: event.to_owned(),
            settled,
            until: self.cluster.now().after(self.start).as_secs(),
            timeline: story::tell(&moments, self.start),
        })
    }

    /// Whether no Module is left that was deleted.
    fn all_released(&self) -> bool {
        let mut modules = self
            .cluster
            .store()
            .all(Kind::Module)
            .filter_map(|stored| stored.seen.module());
        modules.all(|(module, _)| module.metadata.deletion_timestamp.is_none())
    }
}

/// The node as an object, as it was before the operator came: without the labels that only it sets.
fn object(node: &NodeFacts) -> Value {
    let labels = node
        .labels
        .iter()
        .filter(|(key, _)| NodeLabel::parse(key).is_none());
    let labels: serde_json::Map<String, Value> =
        labels.map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": {"taints": node.taints, "unschedulable": node.unschedulable},
        "status": {
            "nodeInfo": {
                "kernelVersion": node.kernel_version,
                "architecture": node.architecture,
                "bootID": node.boot_id,
            },
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn text(answer: &Answer, all: bool) -> String {
    let mut out = String::new();
    let told = |line: &&Line| all || line.is_main;
    let lines = || answer.steps.iter().flat_map(|step| &step.timeline).filter(told);
    let who = lines().map(|line| printable(&line.who).len()).max().unwrap_or(0);
    for step in &answer.steps {
        let _ = writeln!(out, "{}", printable(&step.event));
        for line in step.timeline.iter().filter(told) {
            let why = line
                .why
                .as_ref()
                .map_or_else(String::new, |why| format!(": {why}"));
            let what = printable(&format!("{}{why}", line.what));
            let _ = writeln!(
                out,
                "{:>6}  {:who$}  {what}",
                clock(line.at),
                printable(&line.who)
            );
        }
        if step.settled == "waiting" {
            let _ = writeln!(
                out,
                "{:>6}  the time is up, and it would go on",
                clock(step.until)
            );
        }
        out.push('\n');
    }
    push_outcomes(&mut out, &answer.outcomes);
    out
}

/// `7s`, `3m05s`.
fn clock(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds:02}s"),
    }
}

fn push_outcomes(out: &mut String, outcomes: &[Outcome]) {
    let of_interest = |outcome: &&Outcome| outcome.wanted || !outcome.ok;
    if outcomes.iter().filter(of_interest).count() == 0 {
        out.push_str("no node has or is to have a module\n");
        return;
    }
    for module in outcomes.chunk_by(|a, b| a.module == b.module) {
        let shown: Vec<&Outcome> = module.iter().filter(of_interest).collect();
        let name = printable(&story::name(&module[0].module));
        if shown.is_empty() {
            let _ = writeln!(out, "{name}: no node is to have it");
            continue;
        }
        let fine = shown.iter().filter(|outcome| outcome.ok).count();
        let _ = writeln!(out, "{name}: as wanted on {fine} of {} nodes", shown.len());
        let widest = shown
            .iter()
            .map(|outcome| printable(&outcome.node).len())
            .max()
            .unwrap_or(0);
        for outcome in shown {
            let state = match (&outcome.loaded, outcome.ok) {
                (Some(image), true) => format!("loaded from {image}"),
                (Some(image), false) if outcome.why.is_empty() => {
                    format!("loaded from {image}, not as wanted")
                }
                (Some(image), false) => format!("loaded from {image}, but {}", outcome.why),
                (None, _) => format!("not loaded: {}", outcome.why),
            };
            let _ = writeln!(
                out,
                "  {:widest$}  {}: {}",
                printable(&outcome.node),
                printable(&outcome.kernel),
                printable(&state)
            );
        }
    }
}
