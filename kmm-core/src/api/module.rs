//! The `Module` resource.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::LocalObjectReference;
use super::ObjectMeta;
use super::Toleration;
use super::null;

/// A kernel module to put onto nodes: `Module` of `kmm.sigs.x-k8s.io/v1beta1`, namespaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Module {
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `Module`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, namespace, labels.
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(deserialize_with = "null::or_default")]
    pub spec: ModuleSpec,
    /// What the operator saw last.
    #[serde(deserialize_with = "null::or_default")]
    pub status: ModuleStatus,
}

/// What a [`Module`] wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleSpec {
    /// The device plugin to run where the module is loaded; excludes `dra`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_plugin: Option<DevicePluginSpec>,
    /// The Dynamic Resource Allocation driver to run where the module is loaded; excludes `device_plugin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dra: Option<DraSpec>,
    /// How to load the kernel module; absent where only a device plugin or DRA driver is run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_loader: Option<ModuleLoaderSpec>,
    /// Secret with the registry credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_repo_secret: Option<LocalObjectReference>,
    /// Labels of the nodes to load on, all of which must be there; empty means every node.
    #[serde(deserialize_with = "null::or_default")]
    pub selector: BTreeMap<String, String>,
    /// Tolerations of every pod made for the module, and of the taints of its nodes.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub tolerations: Vec<Toleration>,
    /// A counter: any change of it has every image checked, and built, again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_rebuild_trigger_generation: Option<i64>,
}

/// How to load the kernel module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleLoaderSpec {
    /// Images, mappings and modprobe settings.
    pub container: ModuleLoaderContainerSpec,
    /// Service account of the worker pods; empty means `default`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub service_account_name: String,
}

/// Images, mappings and modprobe settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleLoaderContainerSpec {
    /// How to build images in the cluster, where a mapping does not say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Image of the mappings that name none; a template.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub container_image: String,
    /// When to pull: `Always`, `Never`, `IfNotPresent`, or empty for the cluster's default.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub image_pull_policy: String,
    /// From kernel versions to images; the first that matches wins.
    #[serde(deserialize_with = "null::or_default")]
    pub kernel_mappings: Vec<KernelMapping>,
    /// What modprobe is to load, and how.
    pub modprobe: ModprobeSpec,
    /// How to talk to the registry, where a mapping does not say otherwise.
    #[serde(rename = "registryTLS", deserialize_with = "null::or_default")]
    pub registry_tls: TlsOptions,
    /// How to sign the modules, where a mapping does not say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign: Option<Sign>,
    /// Version of the module; turns on ordered upgrade.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub version: String,
    /// Deprecated: an in-tree module to unload first. Use `in_tree_modules_to_remove`.
    #[serde(deserialize_with = "null::or_default")]
    pub in_tree_module_to_remove: String,
    /// In-tree modules to unload first.
    pub in_tree_modules_to_remove: Option<Vec<String>>,
}

/// From one or many kernel versions to an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KernelMapping {
    /// How to build the image in the cluster.
    pub build: Option<Build>,
    /// The image, a template; empty for the one of the container.
    #[serde(deserialize_with = "null::or_default")]
    pub container_image: String,
    /// The kernel version, exactly.
    #[serde(deserialize_with = "null::or_default")]
    pub literal: String,
    /// How to talk to the registry.
    #[serde(rename = "registryTLS")]
    pub registry_tls: Option<TlsOptions>,
    /// A regexp in Go's dialect that is searched for in the kernel version, unanchored.
    #[serde(deserialize_with = "null::or_default")]
    pub regexp: String,
    /// How to sign the modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign: Option<Sign>,
    /// Deprecated: an in-tree module to unload first. Use `in_tree_modules_to_remove`.
    #[serde(deserialize_with = "null::or_default")]
    pub in_tree_module_to_remove: String,
    /// In-tree modules to unload first; an empty list means none, whatever the container says.
    pub in_tree_modules_to_remove: Option<Vec<String>>,
}

/// How to build an image in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Build {
    /// Arguments of the Dockerfile.
    #[serde(serialize_with = "null::when_empty", deserialize_with = "null::or_default")]
    pub build_args: Vec<BuildArg>,
    /// ConfigMap that holds the Dockerfile under the key `dockerfile`.
    pub dockerfile_config_map: Option<LocalObjectReference>,
    /// How to talk to the registry of the base images.
    #[serde(rename = "baseImageRegistryTLS", deserialize_with = "null::or_default")]
    pub base_image_registry_tls: TlsOptions,
    /// Secrets that the build sees at `/run/secrets/<name>`.
    #[serde(serialize_with = "null::when_empty", deserialize_with = "null::or_default")]
    pub secrets: Vec<LocalObjectReference>,
    /// Settings of the builder image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kaniko_params: Option<KanikoParams>,
    /// Labels of the nodes to build on.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub selector: BTreeMap<String, String>,
}

/// One argument of a Dockerfile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildArg {
    /// Name.
    #[serde(deserialize_with = "null::or_default")]
    pub name: String,
    /// Value, taken as it is: build arguments are no templates.
    #[serde(deserialize_with = "null::or_default")]
    pub value: String,
}

/// Settings of the builder image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KanikoParams {
    /// Tag of the builder image.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub tag: String,
}

/// How to talk to a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsOptions {
    /// Whether plain HTTP is allowed.
    #[serde(skip_serializing_if = "null::is_false", deserialize_with = "null::or_default")]
    pub insecure: bool,
    /// Whether the certificate of the registry is taken unchecked.
    #[serde(
        rename = "insecureSkipTLSVerify",
        skip_serializing_if = "null::is_false",
        deserialize_with = "null::or_default"
    )]
    pub insecure_skip_tls_verify: bool,
}

/// How to sign the modules of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sign {
    /// The image to sign, a template; used only where nothing is built.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub unsigned_image: String,
    /// How to talk to the registry of the unsigned image.
    #[serde(rename = "unsignedImageRegistryTLS", deserialize_with = "null::or_default")]
    pub unsigned_image_registry_tls: TlsOptions,
    /// Secret with the private key under the key `key`.
    pub key_secret: Option<LocalObjectReference>,
    /// Secret with the certificate under the key `cert`.
    pub cert_secret: Option<LocalObjectReference>,
    /// Files to sign, templates and shell globs, below `dirName`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub files_to_sign: Vec<String>,
}

/// What modprobe is to load, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModprobeSpec {
    /// Name of the module, without path and `.ko`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub module_name: String,
    /// Parameters of the module: `key` or `key=value`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub parameters: Vec<String>,
    /// Folder in the image that holds `lib/modules/<kernel>`; the CRD defaults it to `/opt`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub dir_name: String,
    /// Options of modprobe, put before the module name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<ModprobeArgs>,
    /// The whole command line of modprobe, instead of all else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_args: Option<ModprobeArgs>,
    /// Folder in the image whose content goes to the host's firmware folder.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub firmware_path: String,
    /// Modules in the order in which they depend on each other: the first is `module_name`, the last is loaded first.
    #[serde(skip_serializing_if = "null::is_absent_or_empty")]
    pub modules_loading_order: Option<Vec<String>>,
}

/// Command-line arguments of modprobe for loading and for unloading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModprobeArgs {
    /// For loading.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub load: Vec<String>,
    /// For unloading.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub unload: Vec<String>,
}

/// The device plugin to run where the module is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DevicePluginSpec {
    /// The container.
    pub container: CommonContainerSpec,
    /// A container that runs before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_container: Option<CommonContainerSpec>,
    /// Service account of the pods.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub service_account_name: String,
    /// Volumes of the pods, as in a pod.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub volumes: Vec<Value>,
    /// Whether the token of the service account is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
}

/// A container of a device plugin or DRA driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CommonContainerSpec {
    /// Arguments.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub args: Vec<String>,
    /// Command.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub command: Vec<String>,
    /// Environment, as in a pod.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub env: Vec<Value>,
    /// Image; no template.
    #[serde(deserialize_with = "null::or_default")]
    pub image: String,
    /// When to pull the image.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub image_pull_policy: String,
    /// Resources, as in a pod; written as `{}` where there are none.
    #[serde(
        serialize_with = "null::object_when_none",
        deserialize_with = "null::none_when_empty"
    )]
    pub resources: Option<Value>,
    /// Volume mounts, as in a pod.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub volume_mounts: Vec<Value>,
}

/// The Dynamic Resource Allocation driver to run where the module is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DraSpec {
    /// The container.
    pub container: CommonContainerSpec,
    /// A container that runs before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_container: Option<CommonContainerSpec>,
    /// Service account of the pods.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub service_account_name: String,
    /// Volumes of the pods, as in a pod.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub volumes: Vec<Value>,
    /// Whether the token of the service account is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_service_account_token: Option<bool>,
    /// Name of the DRA driver, a DNS subdomain.
    #[serde(deserialize_with = "null::or_default")]
    pub driver_name: String,
    /// Device classes to create.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub device_classes: Vec<DeviceClassSpec>,
}

/// A device class of a DRA driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeviceClassSpec {
    /// Name, a DNS subdomain.
    #[serde(deserialize_with = "null::or_default")]
    pub name: String,
    /// Device selectors, as in `resource.k8s.io/v1`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub selectors: Vec<Value>,
    /// Device configurations, as in `resource.k8s.io/v1`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub config: Vec<Value>,
}

/// What the operator saw last of a [`Module`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleStatus {
    /// Device plugin.
    #[serde(deserialize_with = "null::or_default")]
    pub device_plugin: DaemonSetStatus,
    /// DRA driver.
    #[serde(deserialize_with = "null::or_default")]
    pub dra: DaemonSetStatus,
    /// Kernel module.
    #[serde(deserialize_with = "null::or_default")]
    pub module_loader: DaemonSetStatus,
    /// The value of the rebuild counter that was applied last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_rebuild_trigger_generation: Option<i64>,
}

/// Counts of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSetStatus {
    /// Nodes that the selector matches.
    #[serde(skip_serializing_if = "null::is_zero")]
    pub nodes_matching_selector_number: i32,
    /// Nodes that should have it.
    #[serde(skip_serializing_if = "null::is_zero")]
    pub desired_number: i32,
    /// Nodes that have it.
    #[serde(skip_serializing_if = "null::is_zero")]
    pub available_number: i32,
}
