//! The parts of Kubernetes' own types that the engine reads.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::null;

/// Metadata of an object: the fields that the engine reads, the others as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Name of the object.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub name: String,
    /// Prefix from which the API server makes a name.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub generate_name: String,
    /// Namespace of the object; empty for cluster-scoped kinds.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub namespace: String,
    /// Identity of the object in time.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub uid: String,
    /// Opaque version of the stored object.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub resource_version: String,
    /// Number of the desired state, counted up by the API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Time of creation (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<String>,
    /// Time of the request for deletion (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<String>,
    /// Labels.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::blank_strings"
    )]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "null::blank_strings"
    )]
    pub annotations: BTreeMap<String, String>,
    /// Owners, for garbage collection.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub owner_references: Vec<OwnerReference>,
    /// Names of those who must act before the object goes.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null::or_default")]
    pub finalizers: Vec<String>,
    /// Every other field, as it was read.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A reference to an owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// API version of the owner.
    pub api_version: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// Identity of the owner.
    pub uid: String,
    /// Whether the owner is the managing controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Whether the owner waits for this object when it is deleted in the foreground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

/// The name of an object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LocalObjectReference {
    /// Name; the CRD defaults it to the empty string.
    #[serde(
        default,
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub name: String,
}

impl LocalObjectReference {
    /// A reference to the object called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// A toleration of node taints, as in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// Taint key; empty with operator `Exists` tolerates every key.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub key: String,
    /// `Equal` (also when empty) or `Exists`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub operator: String,
    /// Taint value, for `Equal`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; empty tolerates every effect.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "null::or_default"
    )]
    pub effect: String,
    /// Seconds after which a `NoExecute` taint is no longer tolerated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toleration_seconds: Option<i64>,
}
