//! A Module made ready.

use std::collections::BTreeMap;

use crate::api::LocalObjectReference;
use crate::api::ModprobeSpec;
use crate::api::Module;
use crate::api::ModuleLoaderSpec;
use crate::api::Toleration;

use super::Mapping;
use super::origin::Origin;
use super::origin::Origins;
use super::tolerations;

/// A Module made ready to be resolved for many kernels.
///
/// # Example: compile once, resolve for each kernel
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::module::Compiled;
///
/// let module: Module = serde_json::from_str(r#"{
///   "metadata": {"name": "drv", "namespace": "default"},
///   "spec": {"selector": {}, "moduleLoader": {"container": {
///     "modprobe": {"moduleName": "drv"},
///     "kernelMappings": [{"regexp": "^6\\.", "containerImage": "img.example/drv:$KERNEL_FULL_VERSION"}]
///   }}}
/// }"#)?;
/// let compiled = Compiled::new(&module);
/// let resolved = compiled.resolve(&KernelVersion::new("6.1.0-rt5"))?;
/// assert_eq!(resolved.container_image, "img.example/drv:6.1.0-rt5");
/// assert!(compiled.resolve(&KernelVersion::new("5.14.0")).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Compiled {
    name: String,
    namespace: String,
    selector: BTreeMap<String, String>,
    image_repo_secret: Option<LocalObjectReference>,
    tolerations: Vec<Toleration>,
    toleration_origins: Vec<Origin>,
    loader: Option<Loader>,
}

/// What of a Module is about loading.
#[derive(Clone, Debug)]
pub struct Loader {
    /// Service account of the worker pods; empty means `default`.
    pub service_account_name: String,
    /// When to pull the image.
    pub image_pull_policy: String,
    /// Version of the module; empty where ordered upgrade is off.
    pub version: String,
    /// Whether the container names an image for mappings that name none.
    pub has_default_image: bool,
    /// What modprobe is to load, and how.
    pub modprobe: ModprobeSpec,
    /// The kernel mappings, in order.
    pub mappings: Vec<Mapping>,
}

impl Compiled {
    /// Makes a Module ready. What is wrong with it is kept, and counts only where it is reached.
    pub fn new(module: &Module) -> Self {
        let mut origins = Origins::default();
        Self {
            name: module.metadata.name.clone(),
            namespace: module.metadata.namespace.clone(),
            selector: module.spec.selector.clone(),
            image_repo_secret: module.spec.image_repo_secret.clone(),
            tolerations: tolerations::merge(&module.spec.tolerations, &mut origins),
            toleration_origins: origins.into_vec(),
            loader: module.spec.module_loader.as_ref().map(Loader::new),
        }
    }

    /// Name of the Module.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Namespace of the Module.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Labels that a node must have; none means every node.
    pub fn selector(&self) -> &BTreeMap<String, String> {
        &self.selector
    }

    /// Secret with the registry credentials.
    pub fn image_repo_secret(&self) -> Option<&LocalObjectReference> {
        self.image_repo_secret.as_ref()
    }

    /// Tolerations of the Module, then those of the operator.
    pub fn tolerations(&self) -> &[Toleration] {
        &self.tolerations
    }

    /// Where each toleration came from.
    pub fn toleration_origins(&self) -> &[Origin] {
        &self.toleration_origins
    }

    /// What is about loading; `None` where the Module has no `moduleLoader` and so loads nothing.
    pub fn loader(&self) -> Option<&Loader> {
        self.loader.as_ref()
    }

    /// The kernel mappings, in order.
    pub fn mappings(&self) -> &[Mapping] {
        self.loader.as_ref().map_or(&[], |loader| &loader.mappings)
    }
}

impl From<&Module> for Compiled {
    fn from(module: &Module) -> Self {
        Self::new(module)
    }
}

impl Loader {
    fn new(spec: &ModuleLoaderSpec) -> Self {
        let container = &spec.container;
        let mappings = container.kernel_mappings.iter().enumerate();
        Self {
            service_account_name: spec.service_account_name.clone(),
            image_pull_policy: container.image_pull_policy.clone(),
            version: container.version.clone(),
            has_default_image: !container.container_image.is_empty(),
            modprobe: container.modprobe.clone(),
            mappings: mappings
                .map(|(index, mapping)| Mapping::new(index, container, mapping))
                .collect(),
        }
    }
}
