//! Kernels in use against mappings: which kernels get nothing, and which mappings are of no use.

mod fleet;
mod reach;
mod text;

use serde::Serialize;

use crate::kernel::KernelVersion;
use crate::module::Compiled;
use crate::node::NodeFacts;

use super::ModuleName;
use super::ResolveError;
use super::record::ErrorFields;

pub use fleet::Fleet;
pub use reach::Reach;

/// What every Module does for every kernel in use.
///
/// # Example: an uncovered kernel and a mapping that can never win
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::module::Compiled;
/// use kmm_core::resolve::{Coverage, Fleet, Reach};
///
/// let module: Module = serde_json::from_str(r#"{"spec": {"moduleLoader": {"container": {
///   "kernelMappings": [
///     {"regexp": "^5\\.14\\.", "containerImage": "img.example/drv:a"},
///     {"literal": "5.14.0-427.el9.x86_64", "containerImage": "img.example/drv:b"}
///   ]
/// }}}}"#)?;
/// let fleet = Fleet::of_kernels(["5.14.0-427.el9.x86_64", "6.1.0-13-amd64"]);
/// let coverage = Coverage::new(&[Compiled::new(&module)], &fleet);
/// let found = &coverage.modules[0];
/// let uncovered: Vec<&str> = found.uncovered().map(|kernel| kernel.kernel.as_str()).collect();
/// assert_eq!(uncovered, ["6.1.0-13-amd64"]);
/// assert_eq!(found.mappings[1].reach, Reach::Shadowed { by: vec![0] });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// One element for each Module, in order.
    pub modules: Vec<ModuleCoverage>,
}

/// What one Module does for every kernel in use.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleCoverage {
    /// The Module.
    pub module: ModuleName,
    /// Whether it loads anything: whether it has a `moduleLoader`.
    pub loads: bool,
    /// How many nodes it targets: by selector and taints.
    pub targeted_nodes: usize,
    /// The kernels that count for it, sorted: those given, and those of the nodes that it targets.
    pub kernels: Vec<KernelCoverage>,
    /// Its mappings, in order.
    pub mappings: Vec<MappingCoverage>,
}

/// What a Module does for one kernel.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KernelCoverage {
    /// The kernel, as nodes report it.
    pub kernel: String,
    /// How many nodes that the Module targets run it.
    pub nodes: usize,
    /// The mapping that wins, if one does.
    pub mapping: Option<usize>,
    /// Names of those nodes, where they get nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node_names: Vec<String>,
    /// Why they get nothing, if they do not.
    #[serde(serialize_with = "as_fields")]
    pub error: Option<ResolveError>,
}

/// What use a mapping is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingCoverage {
    /// Its place in `kernelMappings`, counted from 0.
    pub index: usize,
    /// The kernel that it names, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// Its regexp, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
    /// How many of the kernels it wins.
    pub kernels: usize,
    /// How many of the targeted nodes run them.
    pub nodes: usize,
    /// Whether there is any kernel that it could win.
    pub reach: Reach,
}

impl Coverage {
    /// Looks at every Module and every kernel.
    pub fn new<'m>(modules: impl IntoIterator<Item = &'m Compiled>, fleet: &Fleet<'_>) -> Self {
        let modules = modules.into_iter();
        Self {
            modules: modules
                .map(|compiled| ModuleCoverage::new(compiled, fleet))
                .collect(),
        }
    }

    /// Whether every Module that loads something has something for every kernel that counts for it.
    pub fn is_complete(&self) -> bool {
        self.modules
            .iter()
            .all(|module| module.uncovered().next().is_none())
    }
}

impl ModuleCoverage {
    /// Looks at every kernel.
    pub fn new(compiled: &Compiled, fleet: &Fleet<'_>) -> Self {
        let mut targeted_nodes = 0;
        let mut kernels = Vec::new();
        for (kernel, used) in fleet.uses() {
            let targeted: Vec<&NodeFacts> = used
                .nodes
                .iter()
                .copied()
                .filter(|node| {
                    node.is_selected(compiled.selector()) && node.is_schedulable(compiled.tolerations())
                })
                .collect();
            targeted_nodes += targeted.len();
            if compiled.loader().is_some() && (used.given || !targeted.is_empty()) {
                kernels.push(KernelCoverage::new(compiled, kernel, &targeted));
            }
        }
        let mappings = compiled.mappings().iter();
        let mappings = mappings
            .map(|mapping| {
                let won = || kernels.iter().filter(|k| k.mapping == Some(mapping.index()));
                let example = won().next().map(|k| KernelVersion::new(k.kernel.as_str()));
                MappingCoverage {
                    index: mapping.index(),
                    literal: mapping.literal().map(str::to_owned),
                    regexp: mapping.regexp().map(str::to_owned),
                    kernels: won().count(),
                    nodes: won().map(|kernel| kernel.nodes).sum(),
                    reach: match example {
                        Some(kernel) => Reach::Reachable {
                            witness: kernel.matched().to_owned(),
                        },
                        None => Reach::of(compiled, mapping.index()),
                    },
                }
            })
            .collect();
        Self {
            module: ModuleName {
                name: compiled.name().to_owned(),
                namespace: compiled.namespace().to_owned(),
            },
            loads: compiled.loader().is_some(),
            targeted_nodes,
            kernels,
            mappings,
        }
    }

    /// The kernels that get nothing: no mapping takes them, or what takes them is broken.
    pub fn uncovered(&self) -> impl Iterator<Item = &KernelCoverage> {
        self.kernels.iter().filter(|kernel| kernel.error.is_some())
    }

    /// The mappings that win none of the kernels.
    pub fn unused(&self) -> impl Iterator<Item = &MappingCoverage> {
        self.mappings.iter().filter(|mapping| mapping.kernels == 0)
    }
}

impl KernelCoverage {
    fn new(compiled: &Compiled, kernel: &str, targeted: &[&NodeFacts]) -> Self {
        let outcome = compiled.resolve(&KernelVersion::new(kernel));
        let mapping = match &outcome {
            Ok(resolved) => Some(resolved.mapping.index),
            Err(error) => error.mapping().map(|choice| choice.index),
        };
        let error = outcome.err();
        Self {
            kernel: kernel.to_owned(),
            nodes: targeted.len(),
            mapping,
            node_names: match &error {
                Some(_) => targeted.iter().map(|node| node.name.clone()).collect(),
                None => Vec::new(),
            },
            error,
        }
    }
}

fn as_fields<S: serde::Serializer>(error: &Option<ResolveError>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(ErrorFields::new).serialize(serializer)
}
