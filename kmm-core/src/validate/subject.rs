//! What a rule looks at.

use crate::api::Module;
use crate::document::Node;
use crate::path::FieldPath;

use super::Facts;
use super::Neighbours;

/// Kinds that rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `Module`.
    Module,
    /// `ManagedClusterModule`: a Module spec under `spec.moduleSpec`, without name and namespace.
    ManagedClusterModule,
    /// `PreflightValidation`.
    PreflightValidation,
    /// A ConfigMap, which may hold a Dockerfile.
    ConfigMap,
}

/// What is known of the cluster that the object is for.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Major and minor version of Kubernetes; unknown means new enough for everything.
    pub kubernetes: Option<(u32, u32)>,
}

/// An object under check, and what is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its kind.
    pub kind: Kind,
    /// The object as it was written.
    pub node: &'a Node,
    /// The object as Kubernetes would store it: unknown fields dropped, defaults filled in. For a
    /// `ManagedClusterModule`, an unnamed Module with its module spec. `None` where it could not be read as one.
    pub module: Option<&'a Module>,
    /// The stored Module that this one would replace, where an update is checked.
    pub old: Option<&'a Module>,
    /// The objects of the same files: Modules, ConfigMaps.
    pub neighbours: &'a Neighbours<'a>,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What was worked out once for all rules: compiled regexps, the Dockerfile of a ConfigMap.
    pub facts: &'a Facts,
}

impl Subject<'_> {
    /// The path of a field of the module spec: `tolerations` is `spec.tolerations`, or `spec.moduleSpec.tolerations`.
    pub fn spec(&self, field: &str) -> FieldPath {
        let base = match self.kind {
            Kind::ManagedClusterModule => FieldPath::of("spec.moduleSpec"),
            Kind::Module | Kind::PreflightValidation | Kind::ConfigMap => FieldPath::of("spec"),
        };
        base.join(&FieldPath::of(field))
    }

    /// The path of a field of the module loader's container.
    pub fn container(&self, field: &str) -> FieldPath {
        self.spec("moduleLoader.container").join(&FieldPath::of(field))
    }

    /// The path of the kernel mapping at `index`.
    pub fn mapping(&self, index: usize) -> FieldPath {
        self.container("kernelMappings").index(index)
    }
}
