//! What controllers are shown: of each object only what they read.
//!
//! Each of these deserialises from the whole object as the API server gives it, and takes `null` as absent. Modules,
//! NodeModulesConfigs and the like are the wire types of [`api`](crate::api).

use serde::Deserialize;
use serde::Deserializer;
use serde_json::Map;
use serde_json::Value;

use crate::api::ObjectMeta;
use crate::node::NodeFacts;

use super::ObjectVersion;
use super::Timestamp;
use super::names;
use super::plan::Kind;
use super::plan::ObjectRef;
use super::plan::Precondition;

/// A node.
///
/// A change of a Node object matters only if this value changes: heartbeats, images and resource figures are not in it.
/// That is how a new kernel without a new label wakes the plan of its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `metadata.uid`.
    pub uid: String,
    /// Whether the node is being deleted.
    pub deleting: bool,
    /// Labels, taints, kernel, boot.
    pub facts: NodeFacts,
}

impl Node {
    /// Name of the node.
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// Which object it is.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::cluster(Kind::Node, self.name())
    }

    /// That it is still this node: what is true of it is not of the next one of its name.
    pub fn same(&self) -> Precondition {
        Precondition {
            uid: some(&self.uid),
            resource_version: None,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let metadata = &object["metadata"];
        Ok(Self {
            uid: metadata["uid"].as_str().unwrap_or_default().to_owned(),
            deleting: metadata["deletionTimestamp"].is_string(),
            facts: NodeFacts::deserialize(&object).map_err(serde::de::Error::custom)?,
        })
    }
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Name, labels, annotations, owners.
    pub metadata: ObjectMeta,
    /// The specification, as it is.
    #[serde(deserialize_with = "or_default")]
    pub spec: Map<String, Value>,
    /// What became of it.
    #[serde(deserialize_with = "or_default")]
    pub status: PodStatus,
}

impl Pod {
    /// Which object it is.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::namespaced(
            Kind::Pod,
            self.metadata.namespace.as_str(),
            self.metadata.name.as_str(),
        )
    }

    /// The node that it runs on; empty where it has none yet.
    pub fn node_name(&self) -> &str {
        self.spec
            .get("nodeName")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether it is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Seconds that its kubelet still has; `None` where it is not being deleted.
    fn grace(&self) -> Option<i64> {
        let grace = self.metadata.other.get("deletionGracePeriodSeconds");
        grace.and_then(Value::as_i64).filter(|_| self.is_terminating())
    }

    /// Whether nobody is waited for any more, and it is there all the same.
    ///
    /// The API server deletes a pod in two steps, a mark and the removal. Where the one who asked goes away in between, the
    /// second step is left out, until somebody asks again.
    pub fn is_half_deleted(&self) -> bool {
        self.grace() == Some(0) && self.metadata.finalizers.is_empty()
    }

    /// Whether its kubelet, or whose finalizer it has, has to let it go before it can be gone.
    pub fn is_held(&self, but_for: &str) -> bool {
        let mut finalizers = self.metadata.finalizers.iter();
        self.grace().is_some_and(|grace| grace > 0) || finalizers.any(|finalizer| finalizer != but_for)
    }

    /// Whether its condition `Ready` is `True`.
    pub fn is_ready(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|condition| condition.kind == "Ready" && condition.status == "True")
    }

    /// Whether it is one of a device plugin or a DRA driver of a Module.
    pub fn is_plugin(&self) -> bool {
        let owners = &self.metadata.owner_references;
        let of_set = owners.iter().any(|owner| owner.kind == "DaemonSet");
        self.label(names::MODULE_NAME).is_some()
            && self.label(names::WORKER_ACTION).is_none()
            && (of_set || self.label(names::ROLE).is_some())
    }

    /// Value of a label; `None` where it has none.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.get(key).map(String::as_str)
    }

    /// Value of an annotation; `None` where it has none.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.get(key).map(String::as_str)
    }

    /// Name of the Module that it is for.
    pub fn module_name(&self) -> &str {
        self.label(names::MODULE_NAME).unwrap_or_default()
    }

    /// The status of a container, init containers included.
    pub fn container(&self, name: &str) -> Option<&ContainerStatus> {
        self.containers().find(|status| status.name == name)
    }

    /// The statuses of all containers, init containers first.
    pub fn containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        let PodStatus {
            init_container_statuses,
            container_statuses,
            ..
        } = &self.status;
        init_container_statuses.iter().chain(container_statuses)
    }

    /// How often containers were started anew, all together.
    pub fn restarts(&self) -> u64 {
        self.containers()
            .map(|status| u64::from(status.restart_count))
            .sum()
    }

    /// When it came to its end: when the last container ended, else when it was created.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let ends = self.containers().filter_map(|status| {
            let terminated = status.state.terminated.as_ref()?;
            Timestamp::parse(terminated.finished_at.as_deref()?)
        });
        let created = self.metadata.creation_timestamp.as_deref();
        ends.max().or_else(|| created.and_then(Timestamp::parse))
    }

    /// That the pod is still this very one.
    pub fn same(&self) -> Precondition {
        Precondition {
            uid: some(&self.metadata.uid),
            resource_version: None,
        }
    }

    /// That nothing about the pod has changed.
    pub fn unchanged(&self) -> Precondition {
        unchanged(&self.metadata)
    }
}

/// What became of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Where it is in its life.
    #[serde(deserialize_with = "or_default")]
    pub phase: PodPhase,
    /// Why it is there, in one word: `Evicted`, `OutOfcpu`.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
    /// Why it is there, for people.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
    /// Conditions.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Vec<Condition>,
    /// Init containers.
    #[serde(deserialize_with = "or_default")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// Containers.
    #[serde(deserialize_with = "or_default")]
    pub container_statuses: Vec<ContainerStatus>,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "String")]
pub enum PodPhase {
    /// Not all of its containers have been started yet.
    #[default]
    Pending,
    /// Its containers run, or are started anew.
    Running,
    /// All have ended well, and stay so.
    Succeeded,
    /// All have ended, one of them badly, and stay so; or the kubelet refused the pod.
    Failed,
    /// Its node does not tell, or a phase that nobody knows.
    Unknown,
}

impl PodPhase {
    /// Whether the pod has come to its end.
    pub fn is_over(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed => true,
            Self::Pending | Self::Running | Self::Unknown => false,
        }
    }
}

impl From<String> for PodPhase {
    fn from(text: String) -> Self {
        match text.as_str() {
            "" | "Pending" => Self::Pending,
            "Running" => Self::Running,
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// A condition of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// `Ready`, `PodScheduled`, …
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Why, in one word.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
    /// Why, for people.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
}

/// What became of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// Name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// How often it was started anew.
    #[serde(deserialize_with = "or_default")]
    pub restart_count: u32,
    /// The image as the runtime found it; empty where it was not pulled.
    #[serde(rename = "imageID", deserialize_with = "or_default")]
    pub image_id: String,
    /// What it does now.
    #[serde(deserialize_with = "or_default")]
    pub state: ContainerState,
    /// What it did before it was started anew.
    #[serde(deserialize_with = "or_default")]
    pub last_state: ContainerState,
}

/// What a container does: at most one of these is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    /// It is not started yet, or again.
    pub waiting: Option<Waiting>,
    /// It runs.
    #[serde(deserialize_with = "is_there")]
    pub running: bool,
    /// It has ended.
    pub terminated: Option<Terminated>,
}

/// Why a container is not started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Waiting {
    /// In one word: `ContainerCreating`, `ImagePullBackOff`.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
    /// For people.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// Exit code.
    #[serde(deserialize_with = "or_default")]
    pub exit_code: i32,
    /// In one word: `Error`, `OOMKilled`, `StartError`.
    #[serde(deserialize_with = "or_default")]
    pub reason: String,
    /// What it left in its termination log.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
    /// When (RFC 3339).
    pub finished_at: Option<String>,
}

/// A DaemonSet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DaemonSet {
    /// Name, labels, owners.
    pub metadata: ObjectMeta,
    /// The specification, as it is.
    #[serde(deserialize_with = "or_default")]
    pub spec: Value,
    /// Counts of nodes.
    #[serde(deserialize_with = "or_default")]
    pub status: DaemonSetCounts,
}

impl DaemonSet {
    /// Which object it is.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::namespaced(
            Kind::DaemonSet,
            self.metadata.namespace.as_str(),
            self.metadata.name.as_str(),
        )
    }

    /// Whether its counts are about what it says now. Those of a new one are all zero at first.
    pub fn is_counted(&self) -> bool {
        self.status.observed_generation >= self.metadata.generation.unwrap_or_default()
    }
}

/// Counts of nodes of a DaemonSet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DaemonSetCounts {
    /// Nodes that should have a pod.
    #[serde(deserialize_with = "or_default")]
    pub desired_number_scheduled: i32,
    /// Nodes that have one that is available.
    #[serde(deserialize_with = "or_default")]
    pub number_available: i32,
    /// The generation of the specification that was counted.
    #[serde(deserialize_with = "or_default")]
    pub observed_generation: i64,
}

/// That nothing about an object has changed.
pub(super) fn unchanged(metadata: &ObjectMeta) -> Precondition {
    Precondition {
        uid: some(&metadata.uid),
        resource_version: some(&metadata.resource_version),
    }
}

/// An object as it was seen.
pub(super) fn seen(target: ObjectRef, metadata: Option<&ObjectMeta>) -> ObjectVersion {
    ObjectVersion {
        target,
        resource_version: metadata.map_or_else(String::new, |metadata| metadata.resource_version.clone()),
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Reads `null` as absent, as Go does.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<Value>::deserialize(deserializer)?.is_some())
}
