//! The kernels in use.

use std::collections::BTreeMap;

use crate::node::NodeFacts;

/// The kernels in use, and the nodes that run them.
///
/// # Example: two nodes and a kernel to come
///
/// ```
/// use kmm_core::node::NodeFacts;
/// use kmm_core::resolve::Fleet;
///
/// let node = |name: &str| NodeFacts {
///     name: name.into(),
///     kernel_version: "6.1.0-13-amd64".into(),
///     ..NodeFacts::default()
/// };
/// let nodes = [node("a"), node("b")];
/// let mut fleet = Fleet::of_nodes(&nodes);
/// fleet.add_kernel("6.1.0-14-amd64");
/// assert_eq!(fleet.kernels().count(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fleet<'a> {
    kernels: BTreeMap<&'a str, Use<'a>>,
}

/// Who runs a kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Use<'a> {
    /// Whether it counts for every Module, whatever nodes run it.
    pub(super) given: bool,
    pub(super) nodes: Vec<&'a NodeFacts>,
}

impl<'a> Fleet<'a> {
    /// Nodes with their kernels. A kernel counts for the Modules that target a node that runs it.
    pub fn of_nodes(nodes: impl IntoIterator<Item = &'a NodeFacts>) -> Self {
        let mut fleet = Self::default();
        for node in nodes {
            let kernel = fleet.kernels.entry(&node.kernel_version).or_default();
            kernel.nodes.push(node);
        }
        fleet
    }

    /// Kernels alone, each of which counts for every Module.
    pub fn of_kernels(kernels: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fleet = Self::default();
        for kernel in kernels {
            fleet.add_kernel(kernel);
        }
        fleet
    }

    /// Adds a kernel that counts for every Module.
    pub fn add_kernel(&mut self, kernel: &'a str) {
        self.kernels.entry(kernel).or_default().given = true;
    }

    /// The distinct kernels as nodes report them, sorted.
    pub fn kernels(&self) -> impl Iterator<Item = &'a str> {
        self.kernels.keys().copied()
    }

    pub(super) fn uses(&self) -> impl Iterator<Item = (&'a str, &Use<'a>)> {
        self.kernels.iter().map(|(kernel, used)| (*kernel, used))
    }
}
