//! Everything decided for one kernel.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::Build;
use crate::api::BuildArg;
use crate::api::LocalObjectReference;
use crate::api::ModprobeSpec;
use crate::api::ModuleConfig;
use crate::api::Sign;
use crate::api::TlsOptions;
use crate::api::Toleration;
use crate::kernel::KernelVersion;
use crate::modprobe;
use crate::modprobe::Command;
use crate::modprobe::OutsideRoot;
use crate::modprobe::WORKER_ROOT;
use crate::module::Mapped;
use crate::module::Mapping;
use crate::module::build_args;

/// Everything decided for one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The Module.
    pub module: ModuleName,
    /// The kernel.
    pub kernel: KernelVersion,
    /// The mapping that won.
    pub mapping: MappingChoice,
    /// The image, expanded.
    pub container_image: String,
    /// When to pull the image; empty for the cluster's default.
    pub image_pull_policy: String,
    /// How to build the image, where it may be built. Arguments as merged: see [`Resolved::build_args`].
    pub build: Option<Build>,
    /// How to sign, where it is to be signed; templates expanded.
    pub sign: Option<Sign>,
    /// How to talk to the registry.
    pub registry_tls: TlsOptions,
    /// In-tree modules to unload first; `None` where no level says anything.
    pub in_tree_modules_to_remove: Option<Vec<String>>,
    /// Tolerations of the Module, then those of the operator.
    pub tolerations: Vec<Toleration>,
    /// What modprobe is to load, and how.
    pub modprobe: ModprobeSpec,
    /// Version of the module; empty where ordered upgrade is off.
    pub module_version: String,
    /// Service account of the worker pods; empty means `default`.
    pub service_account_name: String,
    /// Secret with the registry credentials.
    pub image_repo_secret: Option<LocalObjectReference>,
    /// Labels that a node must have.
    pub selector: BTreeMap<String, String>,
}

impl Resolved {
    /// The arguments that a build gets: those of `build`, with the operator's own over them; `None` without `build`.
    pub fn build_args(&self) -> Option<Vec<BuildArg>> {
        let build = self.build.as_ref()?;
        let ModuleName { name, namespace } = &self.module;
        Some(build_args::effective(
            &build.build_args,
            &self.kernel,
            name,
            namespace,
        ))
    }

    /// What a node's worker gets: the entry that a `NodeModulesConfig` holds.
    pub fn module_config(&self) -> ModuleConfig {
        ModuleConfig {
            kernel_version: self.kernel.matched().to_owned(),
            container_image: self.container_image.clone(),
            image_pull_policy: self.image_pull_policy.clone(),
            insecure_pull: self.registry_tls.insecure || self.registry_tls.insecure_skip_tls_verify,
            in_tree_module_to_remove: String::new(),
            in_tree_modules_to_remove: self.in_tree_modules_to_remove.clone(),
            modprobe: self.modprobe.clone(),
        }
    }

    /// What a worker runs to load and to unload, when every in-tree module to remove is there.
    ///
    /// # Errors
    ///
    /// When `dirName` leaves the folder of the worker.
    pub fn commands(&self) -> Result<Commands, OutsideRoot> {
        let config = self.module_config();
        Ok(Commands {
            load: modprobe::load(&config, WORKER_ROOT)?,
            unload: vec![modprobe::unload(&config, WORKER_ROOT)?],
        })
    }
}

/// What a worker runs for one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands {
    /// For loading, in order.
    pub load: Vec<Command>,
    /// For unloading, in order.
    pub unload: Vec<Command>,
}

/// Name and namespace of a Module.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ModuleName {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
}

/// A mapping that takes a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MappingChoice {
    /// Its place in `kernelMappings`, counted from 0.
    pub index: usize,
    /// The kernel that it names, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// Its regexp, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regexp: Option<String>,
    /// Which of the two takes the kernel. Admission lets a mapping have one only.
    #[serde(skip)]
    pub by: Mapped,
}

impl MappingChoice {
    pub(super) fn new(mapping: &Mapping, by: Mapped) -> Self {
        Self {
            index: mapping.index(),
            literal: mapping.literal().map(str::to_owned),
            regexp: mapping.regexp().map(str::to_owned),
            by,
        }
    }
}
