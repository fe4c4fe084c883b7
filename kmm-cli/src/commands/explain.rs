//! `kmm explain`.

#[cfg(feature = "cluster")]
mod cluster;

use std::fmt::Write;

use anyhow::Result;
use anyhow::bail;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use kmm_core::node::NodeExplanation;
use kmm_core::node::NodeFacts;
use kmm_core::node::Status;
use kmm_core::node::Verdict;
use kmm_core::resolve::Explanation;
use kmm_core::resolve::ModuleName;
use kmm_core::resolve::Resolver;
use serde::Serialize;

use crate::cli::Explain;
use crate::cli::Manifests;
use crate::exit::ExitStatus;
use crate::manifests;
use crate::printer::Printer;
use crate::render::printable;

#[derive(Serialize)]
struct Answer<T> {
    version: u32,
    modules: Vec<T>,
}

#[derive(Serialize)]
struct Explained {
    module: ModuleName,
    kernels: Vec<Explanation>,
    nodes: Vec<NodeExplanation>,
}

pub fn run(arguments: &Explain, printer: &Printer) -> Result<ExitStatus> {
    #[cfg(feature = "cluster")]
    if arguments.live.cluster {
        return cluster::run(arguments, printer);
    }
    let given = Manifests {
        files: arguments.files.clone(),
        module: arguments.wanted_module().map(str::to_owned),
    };
    let mut loaded = manifests::load(&given, printer)?;
    if let Some(path) = &arguments.nodes {
        loaded.nodes.extend(manifests::read_nodes(path)?);
    }
    if let Some(name) = arguments.wanted_node() {
        manifests::keep_node(&mut loaded.nodes, name, "the files")?;
    }
    if loaded.nodes.is_empty() && arguments.kernels.is_empty() {
        bail!("nothing to explain: give --nodes FILE or -k KERNEL");
    }
    let kernels: Vec<KernelVersion> = arguments.kernels.iter().map(KernelVersion::new).collect();
    let modules = loaded.modules.iter();
    let modules = modules.map(|module| explain(module, &kernels, &loaded.nodes));
    answer(arguments, modules.collect(), printer)
}

impl Explain {
    fn wanted_module(&self) -> Option<&str> {
        self.module.as_deref().or(self.only_module.as_deref())
    }

    fn wanted_node(&self) -> Option<&str> {
        self.node.as_deref().or(self.only_node.as_deref())
    }
}

/// What is said of a Module.
trait About: Serialize {
    /// Whether all is as it should be.
    fn is_yes(&self) -> bool;
    fn text(&self) -> String;
}

fn answer<T: About>(arguments: &Explain, modules: Vec<T>, printer: &Printer) -> Result<ExitStatus> {
    let status = if modules.iter().all(About::is_yes) {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    };
    match arguments.output.structured() {
        Some(format) => printer.document(format, &Answer { version: 1, modules })?,
        None => {
            let texts: Vec<String> = modules.iter().map(About::text).collect();
            printer.data(&texts.join("\n"))?;
        }
    }
    Ok(status)
}

fn explain(module: &Compiled, kernels: &[KernelVersion], nodes: &[NodeFacts]) -> Explained {
    let mut resolver = Resolver::new(module);
    Explained {
        module: ModuleName {
            name: module.name().to_owned(),
            namespace: module.namespace().to_owned(),
        },
        kernels: kernels.iter().map(|kernel| module.explain(kernel)).collect(),
        nodes: nodes
            .iter()
            .map(|node| {
                let outcome = resolver
                    .resolve(&node.kernel_version)
                    .cloned()
                    .map_err(Clone::clone);
                NodeExplanation::with_outcome(module, node, outcome)
            })
            .collect(),
    }
}

impl About for Explained {
    fn is_yes(&self) -> bool {
        self.kernels.iter().all(|kernel| kernel.outcome.is_ok())
            && self.nodes.iter().all(|node| node.verdict() != Verdict::Blocked)
    }

    fn text(&self) -> String {
        text(self)
    }
}

fn text(explained: &Explained) -> String {
    let mut out = String::new();
    for kernel in &explained.kernels {
        for line in kernel.to_string().lines() {
            let _ = writeln!(out, "{}", printable(line));
        }
    }
    if explained.nodes.is_empty() {
        return out;
    }
    if !explained.kernels.is_empty() {
        out.push('\n');
    }
    let gets = explained
        .nodes
        .iter()
        .filter(|node| node.verdict() == Verdict::Loads)
        .count();
    let name = printable(&format!(
        "{}/{}",
        explained.module.namespace, explained.module.name
    ));
    // Whether it is loaded, manifests do not tell.
    let _ = writeln!(out, "{name}: {gets} of {} nodes get it", explained.nodes.len());
    for node in &explained.nodes {
        out.push('\n');
        push_node(&mut out, node);
    }
    out
}

/// What becomes of the Module on the node, then the gates that are shut: the first one before the others.
fn push_node(out: &mut String, node: &NodeExplanation) {
    let verdict = match (&node.outcome, node.verdict()) {
        (Ok(resolved), Verdict::Loads) => format!("gets {}", resolved.container_image),
        (_, verdict) => verdict.to_string(),
    };
    let _ = writeln!(
        out,
        "{} ({}): {}",
        printable(&node.node),
        printable(node.kernel()),
        printable(&verdict)
    );
    for gate in node.gates.iter().filter(|gate| gate.status == Status::Fail) {
        let _ = writeln!(
            out,
            "  {} {}: {}",
            gate.status,
            gate.gate,
            printable(&gate.reason)
        );
        for remedy in &gate.remedies {
            let _ = writeln!(out, "    help: {}", printable(&remedy.summary));
            for line in remedy.text.lines() {
                let _ = writeln!(out, "      {}", printable(line));
            }
        }
    }
}
