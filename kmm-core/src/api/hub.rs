//! The `ManagedClusterModule` resource of a hub.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::ModuleSpec;
use super::ObjectMeta;
use super::null;

/// A Module for many clusters: `ManagedClusterModule` of `hub.kmm.sigs.x-k8s.io/v1beta1`, cluster-scoped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedClusterModule {
    /// `hub.kmm.sigs.x-k8s.io/v1beta1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `ManagedClusterModule`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name.
    pub metadata: ObjectMeta,
    /// What is wanted, and where.
    #[serde(deserialize_with = "null::or_default")]
    pub spec: ManagedClusterModuleSpec,
    /// Where it is.
    #[serde(deserialize_with = "null::or_default")]
    pub status: ManagedClusterModuleStatus,
}

/// What is wanted, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedClusterModuleSpec {
    /// The spec of the Module made in each cluster.
    #[serde(deserialize_with = "null::or_default")]
    pub module_spec: ModuleSpec,
    /// Namespace of the Module made in each cluster.
    #[serde(deserialize_with = "null::or_default")]
    pub spoke_namespace: String,
    /// Labels of the clusters.
    #[serde(deserialize_with = "null::or_default")]
    pub selector: BTreeMap<String, String>,
}

/// Where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedClusterModuleStatus {
    /// Clusters that should have it.
    #[serde(skip_serializing_if = "null::is_zero")]
    pub number_desired: i32,
    /// Clusters that have it.
    #[serde(skip_serializing_if = "null::is_zero")]
    pub number_applied: i32,
    /// Clusters where it is degraded.
    #[serde(skip_serializing_if = "null::is_zero")]
    pub number_degraded: i32,
}
