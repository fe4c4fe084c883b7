//! Why a node gets a Module, or does not.

use std::fmt;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeStruct;

use crate::module::Compiled;
use crate::resolve::KernelForms;
use crate::resolve::ModuleName;
use crate::resolve::ResolveError;
use crate::resolve::Resolved;

use super::NodeFacts;
use super::gate::Gate;
use super::gate::GateKind;
use super::gate::Status;
use super::gates;
use super::version;

/// Why a node gets a Module, or does not: every gate between them.
///
/// # Example: a taint stands in the way
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::module::Compiled;
/// use kmm_core::node::{GateKind, NodeExplanation, NodeFacts};
///
/// let module: Module = serde_json::from_str(r#"{
///   "metadata": {"name": "drv", "namespace": "default"},
///   "spec": {"selector": {}, "moduleLoader": {"container": {
///     "kernelMappings": [{"regexp": "^6\\.", "containerImage": "img.example/drv:$KERNEL_XYZ"}]
///   }}}
/// }"#)?;
/// let node: NodeFacts = serde_json::from_str(r#"{
///   "metadata": {"name": "gpu-1"},
///   "spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]},
///   "status": {"nodeInfo": {"kernelVersion": "6.1.0-13-amd64"}}
/// }"#)?;
/// let explanation = NodeExplanation::new(&Compiled::new(&module), &node);
/// let gate = explanation.first_failing().unwrap();
/// assert_eq!(gate.gate, GateKind::Taints);
/// assert_eq!(gate.remedies[1].text, "kubectl taint node gpu-1 gpu:NoSchedule-");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NodeExplanation {
    /// The Module.
    pub module: ModuleName,
    /// Name of the node.
    pub node: String,
    /// What the Module means for the kernel of the node.
    pub outcome: Result<Resolved, ResolveError>,
    /// The gates, in the order in which they are looked at.
    pub gates: Vec<Gate>,
    kernel: KernelForms,
}

/// What becomes of a Module on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// No gate is shut: it is loaded, if the image exists and fits.
    Loads,
    /// A gate is shut.
    Blocked,
    /// The Module has no `moduleLoader`.
    NothingToLoad,
}

impl NodeExplanation {
    /// Looks at every gate between the Module and the node.
    pub fn new(compiled: &Compiled, node: &NodeFacts) -> Self {
        let kernel = node.kernel();
        Self::with_outcome(compiled, node, compiled.resolve(&kernel))
    }

    /// As [`NodeExplanation::new`], with what the Module means for the node's kernel found before: by a
    /// [`Resolver`](crate::resolve::Resolver).
    pub fn with_outcome(
        compiled: &Compiled,
        node: &NodeFacts,
        outcome: Result<Resolved, ResolveError>,
    ) -> Self {
        let kernel = node.kernel();
        let wanted = compiled.loader().map_or("", |loader| loader.version.as_str());
        let gates = vec![
            gates::selector(compiled, node),
            gates::taints(compiled, node),
            gates::readiness(node),
            gates::mapping(compiled, &kernel, &outcome),
            gates::template(&kernel, &outcome),
            gates::image(&outcome),
            version::gate(
                wanted,
                &node.name,
                &node.labels,
                compiled.namespace(),
                compiled.name(),
            ),
            gates::architecture(node),
        ];
        Self {
            module: ModuleName {
                name: compiled.name().to_owned(),
                namespace: compiled.namespace().to_owned(),
            },
            node: node.name.clone(),
            outcome,
            gates,
            kernel: KernelForms::new(&kernel),
        }
    }

    /// The kernel of the node, as it reports it.
    pub fn kernel(&self) -> &str {
        &self.kernel.raw
    }

    /// The first gate that is shut.
    pub fn first_failing(&self) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.status == Status::Fail)
    }

    /// Whether the operator targets the node: selector and taints.
    pub fn is_targeted(&self) -> bool {
        !self
            .gates
            .iter()
            .filter(|gate| matches!(gate.gate, GateKind::Selector | GateKind::Taints))
            .any(|gate| gate.status == Status::Fail)
    }

    /// What becomes of the Module on the node.
    pub fn verdict(&self) -> Verdict {
        if self.outcome == Err(ResolveError::NoModuleLoader) {
            Verdict::NothingToLoad
        } else if self.outcome.is_err() || self.first_failing().is_some() {
            Verdict::Blocked
        } else {
            Verdict::Loads
        }
    }
}

impl Serialize for NodeExplanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("NodeExplanation", 6)?;
        fields.serialize_field("module", &self.module)?;
        fields.serialize_field("node", &self.node)?;
        fields.serialize_field("kernel", &self.kernel)?;
        fields.serialize_field("verdict", &self.verdict())?;
        fields.serialize_field("firstFailing", &self.first_failing().map(|gate| gate.gate))?;
        fields.serialize_field("gates", &self.gates)?;
        fields.end()
    }
}

impl fmt::Display for NodeExplanation {
    /// The verdict, the first gate that is shut, then the others in order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ModuleName { name, namespace } = &self.module;
        let kernel = &self.kernel.raw;
        write!(
            f,
            "{namespace}/{name} on {} ({kernel}): {}",
            self.node,
            self.verdict()
        )?;
        let first = self.first_failing();
        let others = self.gates.iter().filter(|gate| first != Some(gate));
        for gate in first.into_iter().chain(others) {
            write!(f, "\n{gate}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loads => "nothing stands in the way",
            Self::Blocked => "not loaded",
            Self::NothingToLoad => "nothing to load",
        })
    }
}
