//! What the engine reads of a Node object.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Deserializer;

use crate::api::Toleration;
use crate::kernel::KernelVersion;

use super::Taint;
use super::tolerates;

/// What the engine reads of a Node object; it deserialises from the whole object and keeps only this.
///
/// # Example: from the JSON of a Node
///
/// ```
/// use kmm_core::node::NodeFacts;
///
/// let node: NodeFacts = serde_json::from_str(r#"{
///   "kind": "Node",
///   "metadata": {"name": "w1", "labels": {"kubernetes.io/arch": "arm64"}},
///   "spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]},
///   "status": {
///     "conditions": [{"type": "Ready", "status": "True"}],
///     "nodeInfo": {"kernelVersion": "6.1.0+", "bootID": "b", "architecture": "arm64"}
///   }
/// }"#)?;
/// assert_eq!(node.kernel().matched(), "6.1.0");
/// assert_eq!(node.ready, Some(true));
/// assert!(!node.is_schedulable(&[]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Wire")]
pub struct NodeFacts {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`: whether the node is cordoned.
    pub unschedulable: bool,
    /// `status.nodeInfo.kernelVersion`, as the node reports it.
    pub kernel_version: String,
    /// `status.nodeInfo.architecture`: `amd64`, `arm64`.
    pub architecture: String,
    /// `status.nodeInfo.bootID`.
    pub boot_id: String,
    /// Whether the condition `Ready` is `True`; `None` where there is no such condition.
    pub ready: Option<bool>,
}

impl NodeFacts {
    /// The kernel that the node runs.
    pub fn kernel(&self) -> KernelVersion {
        KernelVersion::new(self.kernel_version.as_str())
    }

    /// Whether the node has every label of the selector; an empty selector is for every node.
    pub fn is_selected(&self, selector: &BTreeMap<String, String>) -> bool {
        selector
            .iter()
            .all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// Whether every taint that blocks is tolerated.
    pub fn is_schedulable(&self, tolerations: &[Toleration]) -> bool {
        self.untolerated(tolerations).next().is_none()
    }

    /// The taints that block and that nothing tolerates.
    pub fn untolerated<'a>(&'a self, tolerations: &'a [Toleration]) -> impl Iterator<Item = &'a Taint> {
        self.taints.iter().filter(|taint| {
            taint.blocks() && !tolerations.iter().any(|toleration| tolerates(toleration, taint))
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    #[serde(deserialize_with = "or_default")]
    metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    spec: Spec,
    #[serde(deserialize_with = "or_default")]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(deserialize_with = "or_default")]
    taints: Vec<Taint>,
    #[serde(deserialize_with = "or_default")]
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_default")]
    node_info: NodeInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type", deserialize_with = "or_default")]
    kind: String,
    #[serde(deserialize_with = "or_default")]
    status: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeInfo {
    #[serde(deserialize_with = "or_default")]
    kernel_version: String,
    #[serde(deserialize_with = "or_default")]
    architecture: String,
    #[serde(rename = "bootID", deserialize_with = "or_default")]
    boot_id: String,
}

impl From<Wire> for NodeFacts {
    fn from(wire: Wire) -> Self {
        let conditions = wire.status.conditions;
        let ready = conditions.iter().find(|condition| condition.kind == "Ready");
        Self {
            name: wire.metadata.name,
            labels: wire.metadata.labels,
            taints: wire.spec.taints,
            unschedulable: wire.spec.unschedulable,
            kernel_version: wire.status.node_info.kernel_version,
            architecture: wire.status.node_info.architecture,
            boot_id: wire.status.node_info.boot_id,
            ready: ready.map(|condition| condition.status == "True"),
        }
    }
}

/// Reads `null` as absent, as Go does.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
