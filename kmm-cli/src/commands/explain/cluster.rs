//! `kmm explain --cluster`: the same gates on live objects, and what the operator makes of them now.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::api::Module;
use kmm_core::driver::Key;
use kmm_core::module::Compiled;
use kmm_core::node::Gate;
use kmm_core::node::GateKind;
use kmm_core::node::NodeExplanation;
use kmm_core::node::NodeFacts;
use kmm_core::node::Status;
use kmm_core::reconcile::Cause;
use kmm_core::reconcile::LeftOut;
use kmm_core::reconcile::OperatorConfig;
use kmm_core::reconcile::Progress;
use kmm_core::reconcile::Reason;
use kmm_kube::operator;
use kmm_kube::snapshot;
use kmm_kube::snapshot::Snapshot;
use serde::Serialize;
use serde_json::Value;

use crate::cli::Explain;
use crate::commands::operator::parse_config;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::printer::Printer;
use crate::render::printable;

use super::About;
use super::Explained;
use super::answer;
use super::explain;
use super::push_node;

/// A Module, its gates, and what the operator says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Live {
    #[serde(flatten)]
    explained: Explained,
    /// Nodes that the selector does not take; they are only counted.
    nodes_not_selected: usize,
    reasons: Vec<Said>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    controller: &'static str,
    code: &'static str,
    progress: Progress,
    text: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    mend: &'static str,
    #[serde(flatten)]
    reason: Reason,
}

pub(super) fn run(arguments: &Explain, printer: &Printer) -> Result<ExitStatus> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    let live = &arguments.live;
    let snapshot = runtime.block_on(async {
        let operator::Connection { client, server } =
            operator::connect(live.kubeconfig.as_deref(), live.context.as_deref()).await?;
        let namespace = &live.operator_namespace;
        let config = snapshot::operator_config(&client, namespace).await;
        let config = settings(namespace, config);
        let assumed = config.as_ref().err().map(|error| format!("{error:#}"));
        let snapshot = Snapshot::take(&client, config.unwrap_or_default()).await;
        let snapshot = snapshot.with_context(|| format!("API server `{server}`"))?;
        // Who gets no answer at all need not know that the settings are missing from it.
        if let Some(why) = assumed {
            printer.notice(&printable(&format!(
                "kmm: the operator's settings are not known, and its defaults are assumed: {why}"
            )));
        }
        anyhow::Ok(snapshot)
    })?;
    for target in snapshot.unreadable() {
        printer.notice(&printable(&format!(
            "kmm: {target} cannot be read: the operator does nothing before it can"
        )));
    }
    answer(arguments, all(arguments, &snapshot)?, printer)
}

/// The settings of the operator.
fn settings(namespace: &str, found: Result<String, snapshot::ConfigMapError>) -> Result<OperatorConfig> {
    let name = format!("ConfigMap {namespace}/{}", snapshot::OPERATOR_CONFIG);
    parse_config(&name, &found?)
}

fn all(arguments: &Explain, snapshot: &Snapshot) -> Result<Vec<Live>> {
    let wanted = arguments.wanted_module();
    let modules: Vec<Module> = snapshot
        .modules()
        .iter()
        .map(|object| read::<Module>(object, "Module"))
        .collect::<Result<_>>()?;
    let namespace = arguments.live.namespace.as_deref();
    let (modules, others): (Vec<&Module>, Vec<&Module>) = modules.iter().partition(|module| {
        manifests::is_wanted(wanted, module)
            && namespace.is_none_or(|namespace| module.metadata.namespace == namespace)
    });
    if modules.is_empty() {
        let others: Vec<String> = others.into_iter().map(manifests::full_name).collect();
        let place = match namespace {
            Some(namespace) => format!("the namespace `{namespace}` of the cluster"),
            None => "the cluster".to_owned(),
        };
        match wanted {
            Some(name) if is_node(snapshot, name) => bail!(
                "there is no Module `{name}` in {place}; of the node of this name `--node {name}` tells all Modules"
            ),
            Some(name) => bail!(
                "there is no Module `{name}` in {place}{}",
                manifests::there_is(&others)
            ),
            None => bail!("there is no Module in {place}{}", manifests::there_is(&others)),
        }
    }
    let node = arguments.wanted_node();
    let mut nodes: Vec<NodeFacts> = snapshot
        .nodes()
        .iter()
        .map(|object| read::<NodeFacts>(object, "Node"))
        .collect::<Result<_>>()?;
    if let Some(name) = node {
        manifests::keep_node(&mut nodes, name, "the cluster")?;
    }
    manifests::check_nodes(&nodes, "the cluster")?;
    let live = modules.iter().map(|module| {
        let mut explained = explain(&Compiled::new(module), &[], &nodes);
        explained.nodes.iter_mut().for_each(name_both_labels);
        Live::new(explained, snapshot, node.is_some())
    });
    Ok(live.collect())
}

fn is_node(snapshot: &Snapshot, name: &str) -> bool {
    snapshot
        .nodes()
        .iter()
        .any(|node| node["metadata"]["name"] == name)
}

/// Ordered upgrade: what asks for a version is a label of the administrator, what loads it another one, which nothing sets
/// yet. A command that sets the first alone would change nothing.
fn name_both_labels(node: &mut NodeExplanation) {
    const ASKED: &str = "kmm.node.kubernetes.io/version-module.";
    const OBEYED: &str = "beta.kmm.node.kubernetes.io/version-worker-pod.";
    let versions = node
        .gates
        .iter_mut()
        .filter(|gate| gate.gate == GateKind::Version);
    for remedy in versions.flat_map(|gate| &mut gate.remedies) {
        // The label is the last word, quoted where it has to be.
        if let Some((_, label)) = remedy.text.split_once("--overwrite ") {
            let obeyed = label.replacen(ASKED, OBEYED, 1);
            remedy.text = format!("{} {obeyed}", remedy.text);
        }
    }
}

/// Whether a reason about a Module as a whole tells something of one node: what becomes of others is another question.
/// `own` is what was decided for that node.
fn concerns(node: &NodeExplanation, own: &[&Cause], cause: &Cause) -> bool {
    if let Cause::NodesLeftOut { why, .. } = cause {
        return own.iter().any(|own| left_out(own) == Some(*why));
    }
    let Some(image) = image_of(cause) else {
        return true;
    };
    let resolved = node.outcome.as_ref();
    resolved.is_ok_and(|resolved| resolved.container_image == image)
}

/// Among which nodes that are left out one is counted, by what was decided for it.
fn left_out(cause: &Cause) -> Option<LeftOut> {
    match cause {
        Cause::NodeUnschedulable { .. } => Some(LeftOut::Taints),
        Cause::NoMapping { .. } => Some(LeftOut::NoMapping),
        Cause::Unresolved { .. } => Some(LeftOut::Unresolved),
        Cause::VersionHeld { .. } | Cause::VersionLabelMissing { .. } => Some(LeftOut::Version),
        _ => None,
    }
}

/// The image that a reason is about.
fn image_of(cause: &Cause) -> Option<&str> {
    match cause {
        Cause::ImageExists { image }
        | Cause::ImageNotReady { image, .. }
        | Cause::PullStarted { image }
        | Cause::Pulling { image, .. }
        | Cause::PullFailed { image, .. }
        | Cause::PullUnschedulable { image, .. }
        | Cause::ImageMissing { image }
        | Cause::RegistryAsked { image }
        | Cause::RegistryWaiting { image, .. }
        | Cause::ImageToMake { image, .. }
        | Cause::ImageNotMade { image, .. } => Some(image),
        _ => None,
    }
}

fn read<T: serde::de::DeserializeOwned>(object: &Value, kind: &str) -> Result<T> {
    T::deserialize(object).with_context(|| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        format!("{kind} `{name}` cannot be read")
    })
}

impl Live {
    fn new(mut explained: Explained, snapshot: &Snapshot, every_node: bool) -> Self {
        let before = explained.nodes.len();
        explained.nodes.retain(|node| {
            let is_selected = |gate: &Gate| gate.gate != GateKind::Selector || gate.status != Status::Fail;
            every_node || node.gates.iter().all(is_selected)
        });
        let module = &explained.module;
        let shown: BTreeSet<&str> = explained.nodes.iter().map(|node| node.node.as_str()).collect();
        let one = explained.nodes.first().filter(|_| every_node);
        let of_shown = |key: &Key| matches!(key, Key::Assign(node) if shown.contains(node.as_str()));
        let own: Vec<&Cause> = snapshot
            .reasons()
            .filter(|(key, reason)| of_shown(key) && reason.module.as_ref() == Some(module))
            .map(|(_, reason)| &reason.cause)
            .collect();
        let reasons = snapshot.reasons().filter(|(key, reason)| match key {
            Key::Module(name) | Key::Images(name) | Key::DevicePlugin(name) => {
                name == module && one.is_none_or(|node| concerns(node, &own, &reason.cause))
            }
            // What is still on a node that is not to have it is told too.
            Key::Assign(_) => of_shown(key) && reason.module.as_ref() == Some(module),
            Key::NodeModules(node) => {
                (!every_node || shown.contains(node.as_str())) && reason.module.as_ref() == Some(module)
            }
            Key::PluginLabels(_) | Key::Namespace(_) => false,
        });
        let reasons = reasons.map(|(key, reason)| Said {
            controller: key.controller(),
            code: reason.cause.code(),
            progress: reason.cause.progress(),
            text: reason.cause.to_string(),
            mend: match reason.cause.progress() {
                Progress::Stuck => reason.cause.mend(),
                Progress::Done | Progress::Acting | Progress::Waiting => "",
            },
            reason: reason.clone(),
        });
        Self {
            nodes_not_selected: before - explained.nodes.len(),
            reasons: reasons.collect(),
            explained,
        }
    }
}

impl About for Live {
    /// Whether every node has it, and nobody has to do anything.
    fn is_yes(&self) -> bool {
        let is_there = |node: &str| {
            let has = |cause: &Cause| matches!(cause, Cause::Loaded | Cause::NoModuleLoader);
            let mut said = self.reasons.iter().map(|said| &said.reason);
            said.any(|reason| (reason.node == node || reason.node.is_empty()) && has(&reason.cause))
        };
        self.explained.is_yes()
            && self.explained.nodes.iter().all(|node| is_there(&node.node))
            && self.reasons.iter().all(|said| said.progress != Progress::Stuck)
    }

    fn text(&self) -> String {
        text(self)
    }
}

fn text(live: &Live) -> String {
    let mut out = String::new();
    let Explained { module, nodes, .. } = &live.explained;
    let loaded = nodes.iter().filter(|node| {
        let is_here =
            |said: &&Said| said.reason.node == node.node && matches!(said.reason.cause, Cause::Loaded);
        live.reasons.iter().any(|said| is_here(&said))
    });
    let name = format!("{}/{}", module.namespace, module.name);
    let _ = write!(
        out,
        "{}: loaded on {} of {} nodes",
        printable(&name),
        loaded.count(),
        nodes.len()
    );
    if live.nodes_not_selected > 0 {
        let _ = write!(
            out,
            "; its selector does not take {} more",
            live.nodes_not_selected
        );
    }
    out.push('\n');
    let about = |node: &str| {
        let node = node.to_owned();
        live.reasons.iter().filter(move |said| said.reason.node == node)
    };
    about("").for_each(|said| push_reason(&mut out, said));
    for node in nodes {
        out.push('\n');
        push_node(&mut out, node);
        about(&node.node).for_each(|said| push_reason(&mut out, said));
    }
    let shown: BTreeSet<&str> = nodes.iter().map(|node| node.node.as_str()).collect();
    let others: BTreeSet<&str> = live
        .reasons
        .iter()
        .map(|said| said.reason.node.as_str())
        .collect();
    for node in others.difference(&shown).filter(|node| !node.is_empty()) {
        let _ = writeln!(out, "\n{}: not selected", printable(node));
        about(node).for_each(|said| push_reason(&mut out, said));
    }
    out
}

fn push_reason(out: &mut String, said: &Said) {
    let progress = match said.progress {
        Progress::Done => "done",
        Progress::Acting => "next",
        Progress::Waiting => "wait",
        Progress::Stuck => "STUCK",
    };
    let mut lines = said.text.lines();
    let first = printable(lines.next().unwrap_or_default());
    let _ = writeln!(out, "  {progress} {}: {first}", said.code);
    for line in lines {
        let _ = writeln!(out, "    {}", printable(line));
    }
    if !said.mend.is_empty() {
        let _ = writeln!(out, "    help: {}", said.mend);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn explained(node: &Value) -> NodeExplanation {
        let module = json!({
            "metadata": {"name": "nic", "namespace": "drivers"},
            "spec": {"selector": {"nic": ""}, "moduleLoader": {"container": {
                "version": "2 b", "modprobe": {"moduleName": "nic"},
                "kernelMappings": [{"regexp": "^6", "containerImage": "registry.example.com/nic:${KERNEL_FULL_VERSION}"}],
            }}},
        });
        let module: Module = read(&module, "Module").unwrap();
        let node: NodeFacts = read(node, "Node").unwrap();
        let mut nodes = explain(&Compiled::new(&module), &[], &[node]).nodes;
        nodes.remove(0)
    }

    fn node(labels: &Value) -> Value {
        json!({
            "metadata": {"name": "w1", "labels": labels},
            "status": {
                "conditions": [{"type": "Ready", "status": "False"}],
                "nodeInfo": {"kernelVersion": "6.1.0", "architecture": "amd64"},
            },
        })
    }

    const ASKED: &str = "kmm.node.kubernetes.io/version-module.drivers.nic";

    #[test]
    fn of_one_node_only_what_concerns_it_is_told() {
        let w1 = explained(&node(&json!({"nic": "", ASKED: "2 b"})));
        let is_told = |own: &[&Cause], cause: &Cause| concerns(&w1, own, cause);
        let left_out = |why| Cause::NodesLeftOut {
            why,
            count: 1,
            nodes: vec!["w2".to_owned()],
        };
        let (wanted, label) = ("2 b".to_owned(), "label".to_owned());
        let no_version = Cause::VersionLabelMissing { wanted, label };
        assert!(!is_told(&[], &left_out(LeftOut::Version)));
        // It is one of those that are left out for it, whatever its gates say.
        assert!(is_told(&[&no_version], &left_out(LeftOut::Version)));
        assert!(!is_told(&[&no_version], &left_out(LeftOut::NoMapping)));
        let image = |kernel: &str| format!("registry.example.com/nic:{kernel}");
        let exists = |kernel: &str| Cause::ImageExists { image: image(kernel) };
        let is_awaited = |kernel: &str| Cause::ImageNotReady {
            image: image(kernel),
            state: None,
        };
        for (kernel, told) in [("6.1.0", true), ("6.2.0", false)] {
            assert_eq!(is_told(&[], &exists(kernel)), told);
            assert_eq!(is_told(&[], &is_awaited(kernel)), told);
        }
        assert!(is_told(&[], &Cause::NoNodes));
    }

    #[test]
    fn the_command_of_ordered_upgrade_sets_the_label_that_is_obeyed() {
        let mut shut = explained(&node(&json!({"nic": ""})));
        name_both_labels(&mut shut);
        let version = shut.gates.iter().find(|gate| gate.gate == GateKind::Version);
        assert_eq!(
            version.unwrap().remedies[0].text,
            "kubectl label node w1 --overwrite 'kmm.node.kubernetes.io/version-module.drivers.nic=2 b' \
             'beta.kmm.node.kubernetes.io/version-worker-pod.drivers.nic=2 b'"
        );
    }
}
