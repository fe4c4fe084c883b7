//! The kinds that have a schema.

use crate::api;
use crate::document::Node;

/// A custom resource of the operator, in one of its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// `Module` of `kmm.sigs.x-k8s.io/v1beta1`.
    Module,
    /// `NodeModulesConfig` of `kmm.sigs.x-k8s.io/v1beta1`.
    NodeModulesConfig,
    /// `ModuleImagesConfig` of `kmm.sigs.x-k8s.io/v1beta1`.
    ModuleImagesConfig,
    /// `ModuleBuildSignConfig` of `kmm.sigs.x-k8s.io/v1beta1`.
    ModuleBuildSignConfig,
    /// `PreflightValidation` of `kmm.sigs.x-k8s.io/v1beta1`, deprecated.
    PreflightValidationV1beta1,
    /// `PreflightValidation` of `kmm.sigs.x-k8s.io/v1beta2`.
    PreflightValidation,
    /// `ManagedClusterModule` of `hub.kmm.sigs.x-k8s.io/v1beta1`.
    ManagedClusterModule,
}

impl Resource {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Module,
        Self::NodeModulesConfig,
        Self::ModuleImagesConfig,
        Self::ModuleBuildSignConfig,
        Self::PreflightValidationV1beta1,
        Self::PreflightValidation,
        Self::ManagedClusterModule,
    ];

    /// The one with this `apiVersion` and `kind`.
    ///
    /// # Example: two versions of one kind
    ///
    /// ```
    /// use kmm_core::schema::Resource;
    ///
    /// let found = Resource::find("kmm.sigs.x-k8s.io/v1beta2", "PreflightValidation");
    /// assert_eq!(found, Some(Resource::PreflightValidation));
    /// assert_eq!(Resource::find("v1", "Pod"), None);
    /// ```
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.api_version() == api_version && resource.kind() == kind)
    }

    /// The one that `node` says it is.
    pub fn of(node: &Node) -> Option<Self> {
        Self::find(node.get("apiVersion")?.as_str()?, node.get("kind")?.as_str()?)
    }

    /// Its `apiVersion`.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Module
            | Self::NodeModulesConfig
            | Self::ModuleImagesConfig
            | Self::ModuleBuildSignConfig
            | Self::PreflightValidationV1beta1 => api::V1BETA1,
            Self::PreflightValidation => api::V1BETA2,
            Self::ManagedClusterModule => api::HUB_V1BETA1,
        }
    }

    /// Its `kind`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Module => "Module",
            Self::NodeModulesConfig => "NodeModulesConfig",
            Self::ModuleImagesConfig => "ModuleImagesConfig",
            Self::ModuleBuildSignConfig => "ModuleBuildSignConfig",
            Self::PreflightValidationV1beta1 | Self::PreflightValidation => "PreflightValidation",
            Self::ManagedClusterModule => "ManagedClusterModule",
        }
    }

    /// Its name in URLs.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Module => "modules",
            Self::NodeModulesConfig => "nodemodulesconfigs",
            Self::ModuleImagesConfig => "moduleimagesconfigs",
            Self::ModuleBuildSignConfig => "modulebuildsignconfigs",
            Self::PreflightValidationV1beta1 | Self::PreflightValidation => "preflightvalidations",
            Self::ManagedClusterModule => "managedclustermodules",
        }
    }

    /// Whether its objects live in a namespace.
    pub fn namespaced(self) -> bool {
        match self {
            Self::Module | Self::ModuleImagesConfig | Self::ModuleBuildSignConfig => true,
            Self::NodeModulesConfig
            | Self::PreflightValidationV1beta1
            | Self::PreflightValidation
            | Self::ManagedClusterModule => false,
        }
    }
}
