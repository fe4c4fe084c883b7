//! The `NodeModulesConfig` resource: what one node has to have loaded, and has.

use serde::Deserialize;
use serde::Serialize;

use super::LocalObjectReference;
use super::ModprobeSpec;
use super::ObjectMeta;
use super::Toleration;
use super::null;

/// What one node has to have loaded, and has: cluster-scoped, named as the node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeModulesConfig {
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `NodeModulesConfig`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name, labels.
    pub metadata: ObjectMeta,
    /// What the node has to have.
    #[serde(deserialize_with = "null::or_default")]
    pub spec: NodeModulesConfigSpec,
    /// What the node has.
    #[serde(deserialize_with = "null::or_default")]
    pub status: NodeModulesConfigStatus,
}

/// What a node has to have loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeModulesConfigSpec {
    /// One entry for each module.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub modules: Vec<NodeModuleSpec>,
}

/// What a node has loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeModulesConfigStatus {
    /// One entry for each module.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub modules: Vec<NodeModuleStatus>,
}

/// A module that a node has to have loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeModuleSpec {
    /// Secret with the registry credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_repo_secret: Option<LocalObjectReference>,
    /// Name of the Module.
    #[serde(deserialize_with = "null::or_default")]
    pub name: String,
    /// Namespace of the Module.
    #[serde(deserialize_with = "null::or_default")]
    pub namespace: String,
    /// Service account of the worker pods.
    #[serde(deserialize_with = "null::or_default")]
    pub service_account_name: String,
    /// Tolerations of the worker pods.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub tolerations: Vec<Toleration>,
    /// Version of the Module.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub version: String,
    /// What the worker gets.
    #[serde(deserialize_with = "null::or_default")]
    pub config: ModuleConfig,
}

/// A module that a node has loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeModuleStatus {
    /// Secret with the registry credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_repo_secret: Option<LocalObjectReference>,
    /// Name of the Module.
    #[serde(deserialize_with = "null::or_default")]
    pub name: String,
    /// Namespace of the Module.
    #[serde(deserialize_with = "null::or_default")]
    pub namespace: String,
    /// Service account of the worker pods.
    #[serde(deserialize_with = "null::or_default")]
    pub service_account_name: String,
    /// Tolerations of the worker pods.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub tolerations: Vec<Toleration>,
    /// Version of the Module.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub version: String,
    /// What the worker got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ModuleConfig>,
    /// Boot of the node on which it was loaded.
    #[serde(
        rename = "bootId",
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub boot_id: String,
}

/// What a worker loads or unloads: also the worker's configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleConfig {
    /// Kernel version, one trailing `+` dropped.
    #[serde(deserialize_with = "null::or_default")]
    pub kernel_version: String,
    /// The kmod image.
    #[serde(deserialize_with = "null::or_default")]
    pub container_image: String,
    /// When to pull the image.
    #[serde(deserialize_with = "null::or_default")]
    pub image_pull_policy: String,
    /// Whether the image may come over plain HTTP or from an unchecked registry; no longer used.
    #[serde(deserialize_with = "null::or_default")]
    pub insecure_pull: bool,
    /// Deprecated: an in-tree module to unload first.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub in_tree_module_to_remove: String,
    /// In-tree modules to unload first.
    #[serde(skip_serializing_if = "null::is_absent_or_empty")]
    pub in_tree_modules_to_remove: Option<Vec<String>>,
    /// What modprobe is to load, and how.
    #[serde(deserialize_with = "null::or_default")]
    pub modprobe: ModprobeSpec,
}
