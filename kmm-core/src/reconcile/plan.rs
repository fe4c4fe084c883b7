//! What a decision says: effects as values, and the reasons for them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::api::LocalObjectReference;
use crate::api::TlsOptions;

use super::Reason;

/// What is to be done now, why, and when to ask again.
///
/// The actions are carried out in order; after the first that fails the rest is dropped and the controller is asked
/// again with what the caches show then. An action that conflicts ([`Precondition`]) or whose object is already there
/// is not an error to be told: it only means that the caches were behind.
///
/// A plan rests on its `basis`: whoever carries it out makes sure, before the first action, that these objects still
/// have these versions (a read of the API server, or the knowledge that the cache has every own write). The actions that
/// create pods and set labels have no precondition of their own, because Kubernetes has none for other objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The effects, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// Why this is done, and why nothing else is: one for each thing that was looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// When to ask again although nothing changes; `None`: only when something changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requeue_after: Option<Duration>,
    /// The objects that the plan rests on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub basis: Vec<ObjectVersion>,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// The actions that write to the cluster's objects: all but events and questions to a registry.
    pub fn writes(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|action| match action {
            Action::Create { .. } | Action::Patch { .. } | Action::Delete { .. } => true,
            Action::Event(_) | Action::AskRegistry(_) => false,
        })
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn because(&mut self, reason: Reason) {
        self.reasons.push(reason);
    }

    /// Asks again after `wait`, or earlier if that was already wanted.
    pub(super) fn ask_again(&mut self, wait: Duration) {
        self.requeue_after = Some(self.requeue_after.map_or(wait, |earlier| earlier.min(wait)));
    }
}

/// One effect; there are no others.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "do")]
pub enum Action {
    /// Create an object. It being there already is a conflict.
    Create {
        /// The whole object, with `apiVersion` and `kind`.
        object: Value,
    },
    /// Change an object by a JSON merge patch (RFC 7386). Lists are replaced whole.
    Patch {
        /// Which object.
        target: ObjectRef,
        /// Which part of it.
        part: Part,
        /// What has to be so for the patch to be taken.
        precondition: Precondition,
        /// The patch, without the precondition.
        patch: Value,
    },
    /// Delete an object, in the background. Its absence is success.
    Delete {
        /// Which object.
        target: ObjectRef,
        /// What has to be so for the deletion to be taken.
        precondition: Precondition,
    },
    /// Tell people.
    Event(Event),
    /// Ask a registry whether an image is there, and remember the answer as
    /// [`RegistryAnswer`](super::images::RegistryAnswer).
    AskRegistry(RegistryQuestion),
}

impl Action {
    /// Sets and removes (`None`) labels of an object, whatever else changes there.
    pub fn labels(
        target: ObjectRef,
        precondition: Precondition,
        labels: &BTreeMap<String, Option<String>>,
    ) -> Self {
        Self::Patch {
            target,
            part: Part::Object,
            precondition,
            patch: serde_json::json!({ "metadata": { "labels": labels } }),
        }
    }

    /// The object that is written; `None` for events and questions.
    pub fn target(&self) -> Option<ObjectRef> {
        match self {
            Self::Create { object } => ObjectRef::of(object),
            Self::Patch { target, .. } | Self::Delete { target, .. } => Some(target.clone()),
            Self::Event(_) | Self::AskRegistry(_) => None,
        }
    }
}

/// What a patch changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// Everything but the status.
    Object,
    /// The status alone (subresource `status`).
    Status,
}

/// What has to be so for a write to be taken; otherwise the API server answers with a conflict.
///
/// In a patch both stand in its `metadata`; in a deletion, in its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Precondition {
    /// The object is still the same one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The object has not changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// The kinds of objects that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Kind {
    /// `apps/v1`.
    DaemonSet,
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    Module,
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    ModuleBuildSignConfig,
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    ModuleImagesConfig,
    /// `v1`.
    Namespace,
    /// `v1`.
    Node,
    /// `kmm.sigs.x-k8s.io/v1beta1`.
    NodeModulesConfig,
    /// `v1`.
    Pod,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::DaemonSet,
        Self::Module,
        Self::ModuleBuildSignConfig,
        Self::ModuleImagesConfig,
        Self::Namespace,
        Self::Node,
        Self::NodeModulesConfig,
        Self::Pod,
    ];

    /// As `kind` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DaemonSet => "DaemonSet",
            Self::Module => "Module",
            Self::ModuleBuildSignConfig => "ModuleBuildSignConfig",
            Self::ModuleImagesConfig => "ModuleImagesConfig",
            Self::Namespace => "Namespace",
            Self::Node => "Node",
            Self::NodeModulesConfig => "NodeModulesConfig",
            Self::Pod => "Pod",
        }
    }

    /// As `apiVersion` has it.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::DaemonSet => "apps/v1",
            Self::Module
            | Self::ModuleBuildSignConfig
            | Self::ModuleImagesConfig
            | Self::NodeModulesConfig => crate::api::V1BETA1,
            Self::Namespace | Self::Node | Self::Pod => "v1",
        }
    }

    /// As it stands in the path of a request.
    pub fn plural(self) -> &'static str {
        match self {
            Self::DaemonSet => "daemonsets",
            Self::Module => "modules",
            Self::ModuleBuildSignConfig => "modulebuildsignconfigs",
            Self::ModuleImagesConfig => "moduleimagesconfigs",
            Self::Namespace => "namespaces",
            Self::Node => "nodes",
            Self::NodeModulesConfig => "nodemodulesconfigs",
            Self::Pod => "pods",
        }
    }

    /// Whether its objects are in namespaces.
    pub fn is_namespaced(self) -> bool {
        match self {
            Self::DaemonSet
            | Self::Module
            | Self::ModuleBuildSignConfig
            | Self::ModuleImagesConfig
            | Self::Pod => true,
            Self::Namespace | Self::Node | Self::NodeModulesConfig => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectRef {
    /// Kind.
    pub kind: Kind,
    /// Namespace; empty for kinds without.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name; empty where the API server is to make one.
    pub name: String,
}

impl ObjectRef {
    /// An object in a namespace.
    pub fn namespaced(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// An object of the whole cluster.
    pub fn cluster(kind: Kind, name: impl Into<String>) -> Self {
        Self::namespaced(kind, "", name)
    }

    /// The object that a whole object is; `None` where it is of no known kind.
    pub fn of(object: &Value) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| object["kind"] == kind.name())?;
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        Some(Self {
            kind,
            namespace: text("namespace"),
            name: text("name"),
        })
    }
}

impl fmt::Display for ObjectRef {
    /// `Pod drivers/name`, `Node name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// An object in the state in which a cache showed it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectVersion {
    /// Which object.
    #[serde(flatten)]
    pub target: ObjectRef,
    /// Its `metadata.resourceVersion`; empty where the cache had no such object.
    pub resource_version: String,
}

/// An event about an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What it is about.
    pub about: ObjectRef,
    /// `metadata.uid` of that object.
    pub uid: String,
    /// How bad it is.
    pub severity: Severity,
    /// One word in CamelCase.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Annotations of the event.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// How bad a reason or an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody has to look.
    Warning,
}

impl Severity {
    /// As `type` of an event has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Whether a registry has an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryQuestion {
    /// The ModuleImagesConfig that asks.
    pub asker: ObjectRef,
    /// The image.
    pub image: String,
    /// Secret with the registry credentials, in the namespace of the asker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<LocalObjectReference>,
    /// How to talk to the registry.
    pub tls: TlsOptions,
    /// Processor architectures of the nodes that are to use it; empty where they are not known.
    pub architectures: Vec<String>,
    /// The rebuild counter of the images, which the answer carries too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}
