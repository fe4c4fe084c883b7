//! Why a controller does what it does, or does nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::api::ImageState;
use crate::resolve::ModuleName;

use super::plan::Event;
use super::plan::ObjectRef;
use super::plan::Severity;

/// Why something is done, or nothing: about a module, a node, an image, or several of them.
///
/// It is printed as a line of an explanation, and becomes an event by [`Reason::event`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// The Module; `None` where the reason is about a node alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleName>,
    /// The node; empty where the reason is about a Module alone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// What is the case.
    #[serde(flatten)]
    pub cause: Cause,
}

impl Reason {
    /// A reason about a Module.
    pub fn of_module(module: &ModuleName, cause: Cause) -> Self {
        Self {
            module: Some(module.clone()),
            node: String::new(),
            cause,
        }
    }

    /// A reason about a Module on a node.
    pub fn on_node(module: &ModuleName, node: &str, cause: Cause) -> Self {
        Self {
            module: Some(module.clone()),
            node: node.to_owned(),
            cause,
        }
    }

    /// A reason about a node.
    pub fn of_node(node: &str, cause: Cause) -> Self {
        Self {
            module: None,
            node: node.to_owned(),
            cause,
        }
    }

    /// A reason about neither: what it is about, its cause says.
    pub(super) fn of_nothing_else(cause: Cause) -> Self {
        Self {
            module: None,
            node: String::new(),
            cause,
        }
    }

    /// The event that tells it. One is sent when the reason is new for its subject, not at every look.
    pub fn event(&self, about: ObjectRef, uid: &str) -> Event {
        let module = self.module.as_ref();
        let name = module.map(|module| {
            (
                "module".to_owned(),
                format!("{}/{}", module.namespace, module.name),
            )
        });
        Event {
            about,
            uid: uid.to_owned(),
            severity: self.cause.severity(),
            reason: self.cause.code().to_owned(),
            message: self.to_string(),
            annotations: name.into_iter().collect::<BTreeMap<_, _>>(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(module) = &self.module {
            write!(f, "{}/{}", module.namespace, module.name)?;
        }
        if !self.node.is_empty() {
            let space = if self.module.is_some() { " on " } else { "" };
            write!(f, "{space}{}", self.node)?;
        }
        if self.module.is_some() || !self.node.is_empty() {
            f.write_str(": ")?;
        }
        write!(f, "{}", self.cause)
    }
}

/// How far things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Progress {
    /// As wanted.
    Done,
    /// Something is being done.
    Acting,
    /// Somebody else has to do something first: a kubelet, a registry, another controller.
    Waiting,
    /// A person has to do something first.
    Stuck,
}

/// What is the case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase", tag = "cause")]
pub enum Cause {
    /// The Module loads nothing: it has no `moduleLoader`.
    NoModuleLoader,
    /// The Module is being deleted.
    ModuleDeleting,
    /// The Module is no longer there.
    ModuleGone,
    /// The Module waits for nodes that may still have it loaded.
    WaitingForNodes {
        /// How many.
        count: usize,
        /// The first of them.
        nodes: Vec<String>,
    },
    /// The Module has gone from every node; its finalizer is removed.
    ModuleReleased,
    /// The namespace has no Module any more; its mark is removed.
    NamespaceReleased {
        /// The namespace.
        namespace: String,
    },
    /// The mark of the namespace is as it should be.
    NamespaceCurrent {
        /// The namespace.
        namespace: String,
    },
    /// The selector matches no node.
    NoNodes,
    /// Nodes that the selector matches, but that cannot have it.
    NodesLeftOut {
        /// What keeps them out.
        why: LeftOut,
        /// How many.
        count: usize,
        /// The first of them.
        nodes: Vec<String>,
    },
    /// The Module's own objects are as they should be.
    ModuleCurrent,
    /// The Module's own objects are being written.
    ModuleWriting,

    /// The labels of the node do not fit the selector.
    NotSelected,
    /// The node is being deleted, or gone.
    NodeGoing,
    /// Another node has the name now; what was noted of the one before is being deleted, or taken over.
    NodeReplaced,
    /// The node has taints that nothing tolerates.
    NodeUnschedulable {
        /// The taints, as `kubectl` writes them.
        taints: Vec<String>,
    },
    /// The node neither has nor is to have a module.
    NodeIdle,
    /// No mapping takes the kernel of the node.
    NoMapping {
        /// The kernel.
        kernel: String,
    },
    /// The Module cannot be resolved for the kernel of the node.
    Unresolved {
        /// The kernel.
        kernel: String,
        /// Why.
        error: String,
    },
    /// The image is not known to exist, so that nothing changes on the node.
    ImageNotReady {
        /// The image.
        image: String,
        /// What is known of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<ImageState>,
    },
    /// Ordered upgrade: the node is to keep the version that it has.
    VersionHeld {
        /// The version of the Module.
        wanted: String,
        /// The version that the label of the node names.
        label: String,
    },
    /// Ordered upgrade: the node has no label with a version.
    VersionLabelMissing {
        /// The version of the Module.
        wanted: String,
        /// The label that is to say it.
        label: String,
    },
    /// The NodeModulesConfig is as it should be.
    Assigned {
        /// The image.
        image: String,
    },
    /// The NodeModulesConfig is being written.
    Assigning {
        /// The image.
        image: String,
    },
    /// The entry is being taken out of the NodeModulesConfig.
    Withdrawing,

    /// The module is loaded as wanted, on this boot.
    Loaded,
    /// The module has been loaded.
    LoadFinished,
    /// A pod that loads the module is made.
    Loading {
        /// Why it is loaded (anew).
        why: LoadWhy,
    },
    /// A pod that unloads the module is made.
    Unloading {
        /// Whether it is loaded again after that.
        reload: bool,
    },
    /// The module has been unloaded.
    UnloadFinished,
    /// The node was started anew, so that the module is no longer loaded.
    GoneWithReboot,
    /// The node runs another kernel than the entry is for; the entry will follow.
    KernelChanged {
        /// The kernel of the entry.
        entry: String,
        /// The kernel that runs.
        running: String,
    },
    /// The node has another boot than the one on which the module was loaded, but is not ready yet.
    RebootNotReady,
    /// The worker pod has not come to its end.
    WorkerBusy {
        /// The pod.
        pod: String,
        /// What it does.
        action: WorkerAction,
    },
    /// A container of the worker pod cannot be started.
    WorkerWaiting {
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// Why, in one word.
        reason: String,
        /// Why, for people.
        message: String,
    },
    /// The worker fails, and the kubelet starts it again and again.
    WorkerFailing {
        /// The pod.
        pod: String,
        /// What it does.
        action: WorkerAction,
        /// How often it was started anew.
        restarts: u64,
        /// What it said last.
        message: String,
    },
    /// The worker pod has failed for good; another one follows.
    WorkerFailed {
        /// The pod.
        pod: String,
        /// Which attempt it was.
        attempt: u32,
        /// What it said last.
        message: String,
        /// When the next one is made.
        retry_in: Duration,
    },
    /// The worker pod is no longer what is wanted, and is removed.
    WorkerOutdated {
        /// The pod.
        pod: String,
    },
    /// The worker pod is being removed; nothing is done until it has gone.
    WorkerGoing {
        /// The pod.
        pod: String,
    },
    /// The worker pod belongs to no module of the node, and is removed.
    WorkerOrphaned {
        /// The pod.
        pod: String,
    },
    /// The annotation of a worker pod that says what was loaded cannot be read.
    WorkerConfigUnreadable {
        /// The pod.
        pod: String,
        /// Why.
        error: String,
    },
    /// A worker pod cannot be made.
    WorkerImpossible {
        /// Why.
        error: String,
    },
    /// The module is not unloaded before the pods that use it have left.
    WaitingForUsers {
        /// The pods.
        pods: Vec<String>,
    },

    /// No node needs an image.
    NoImages,
    /// A pod pulls an image that is not listed any more, and is removed.
    PullPodUnwanted {
        /// The pod.
        pod: String,
    },
    /// The image exists.
    ImageExists {
        /// The image.
        image: String,
    },
    /// A pod is made that pulls the image.
    PullStarted {
        /// The image.
        image: String,
    },
    /// A pod pulls the image.
    Pulling {
        /// The image.
        image: String,
        /// The pod.
        pod: String,
    },
    /// The image cannot be pulled, and it is tried again.
    PullFailed {
        /// The image.
        image: String,
        /// Why, in one word.
        reason: String,
        /// Why, for people.
        message: String,
        /// When it is tried again; zero where the kubelet decides.
        retry_in: Duration,
    },
    /// The pod that pulls the image finds no node.
    PullUnschedulable {
        /// The image.
        image: String,
        /// Why.
        message: String,
    },
    /// The image does not exist, and nothing can make it.
    ImageMissing {
        /// The image.
        image: String,
    },
    /// The registry is asked for the image.
    RegistryAsked {
        /// The image.
        image: String,
    },
    /// The registry does not have the image, or could not tell; it is asked again.
    RegistryWaiting {
        /// The image.
        image: String,
        /// What it said.
        message: String,
        /// When it is asked again.
        retry_in: Duration,
    },
    /// The image is to be built, or signed.
    ImageToMake {
        /// The image.
        image: String,
        /// What is to be done.
        action: &'static str,
    },
    /// The image could not be built, or signed.
    ImageNotMade {
        /// The image.
        image: String,
        /// What was tried.
        action: &'static str,
    },
    /// The rebuild counter changed: all images are looked for anew.
    ImagesForgotten,

    /// The Module has no device plugin.
    NoDevicePlugin,
    /// The DaemonSet is as it should be.
    DevicePluginCurrent {
        /// The DaemonSet.
        name: String,
    },
    /// The DaemonSet is being written.
    DevicePluginWriting {
        /// The DaemonSet.
        name: String,
    },
    /// A DaemonSet of another version stays as long as nodes want it.
    OldDevicePluginKept {
        /// The DaemonSet.
        name: String,
        /// Nodes that should have a pod of it.
        nodes: i32,
    },
    /// A DaemonSet of another version stays until it has been counted how many nodes want it.
    OldDevicePluginUncounted {
        /// The DaemonSet.
        name: String,
    },
    /// A DaemonSet that is no longer wanted is removed.
    OldDevicePluginRemoved {
        /// The DaemonSet.
        name: String,
    },
    /// The DaemonSet has a selector that can never be changed, and is made anew.
    DevicePluginReplaced {
        /// The DaemonSet.
        name: String,
    },
    /// The labels of the node say what its plugin pods are.
    PluginLabelsCurrent,
    /// The labels of the node are being brought in line with its plugin pods.
    PluginLabelsWriting,
}

/// What keeps a node out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LeftOut {
    /// Taints that nothing tolerates.
    Taints,
    /// No mapping takes its kernel.
    NoMapping,
    /// The Module cannot be resolved for its kernel.
    Unresolved,
    /// Ordered upgrade: it has no label with a version, or one with another.
    Version,
}

/// Why a module is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LoadWhy {
    /// It is not loaded.
    New,
    /// The node was started anew.
    Reboot,
    /// The node was started anew, with another kernel.
    OtherKernel,
}

/// What a worker pod does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkerAction {
    /// It loads.
    Load,
    /// It unloads.
    Unload,
}

impl WorkerAction {
    /// As a verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Unload => "unload",
        }
    }
}

impl Cause {
    /// In one word; stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoModuleLoader => "NoModuleLoader",
            Self::ModuleDeleting => "ModuleDeleting",
            Self::ModuleGone => "ModuleGone",
            Self::WaitingForNodes { .. } => "WaitingForNodes",
            Self::ModuleReleased => "ModuleReleased",
            Self::NamespaceReleased { .. } => "NamespaceReleased",
            Self::NamespaceCurrent { .. } => "NamespaceCurrent",
            Self::NoNodes => "NoNodes",
            Self::NodesLeftOut { .. } => "NodesLeftOut",
            Self::ModuleCurrent => "ModuleCurrent",
            Self::ModuleWriting => "ModuleWriting",
            Self::NotSelected => "NotSelected",
            Self::NodeGoing => "NodeGoing",
            Self::NodeReplaced => "NodeReplaced",
            Self::NodeUnschedulable { .. } => "NodeUnschedulable",
            Self::NodeIdle => "NodeIdle",
            Self::NoMapping { .. } => "NoMapping",
            Self::Unresolved { .. } => "Unresolved",
            Self::ImageNotReady { .. } => "ImageNotReady",
            Self::VersionHeld { .. } => "VersionHeld",
            Self::VersionLabelMissing { .. } => "VersionLabelMissing",
            Self::Assigned { .. } => "Assigned",
            Self::Assigning { .. } => "Assigning",
            Self::Withdrawing => "Withdrawing",
            Self::Loaded => "Loaded",
            Self::LoadFinished => "LoadFinished",
            Self::Loading { .. } => "Loading",
            Self::Unloading { .. } => "Unloading",
            Self::UnloadFinished => "UnloadFinished",
            Self::GoneWithReboot => "GoneWithReboot",
            Self::KernelChanged { .. } => "KernelChanged",
            Self::RebootNotReady => "RebootNotReady",
            Self::WorkerBusy { .. } => "WorkerBusy",
            Self::WorkerWaiting { .. } => "WorkerWaiting",
            Self::WorkerFailing { .. } => "WorkerFailing",
            Self::WorkerFailed { .. } => "WorkerFailed",
            Self::WorkerOutdated { .. } => "WorkerOutdated",
            Self::WorkerGoing { .. } => "WorkerGoing",
            Self::WorkerOrphaned { .. } => "WorkerOrphaned",
            Self::WorkerConfigUnreadable { .. } => "WorkerConfigUnreadable",
            Self::WorkerImpossible { .. } => "WorkerImpossible",
            Self::WaitingForUsers { .. } => "WaitingForUsers",
            Self::NoImages => "NoImages",
            Self::PullPodUnwanted { .. } => "PullPodUnwanted",
            Self::ImageExists { .. } => "ImageExists",
            Self::PullStarted { .. } => "PullStarted",
            Self::Pulling { .. } => "Pulling",
            Self::PullFailed { .. } => "PullFailed",
            Self::PullUnschedulable { .. } => "PullUnschedulable",
            Self::ImageMissing { .. } => "ImageMissing",
            Self::RegistryAsked { .. } => "RegistryAsked",
            Self::RegistryWaiting { .. } => "RegistryWaiting",
            Self::ImageToMake { .. } => "ImageToMake",
            Self::ImageNotMade { .. } => "ImageNotMade",
            Self::ImagesForgotten => "ImagesForgotten",
            Self::NoDevicePlugin => "NoDevicePlugin",
            Self::DevicePluginCurrent { .. } => "DevicePluginCurrent",
            Self::DevicePluginWriting { .. } => "DevicePluginWriting",
            Self::OldDevicePluginKept { .. } => "OldDevicePluginKept",
            Self::OldDevicePluginUncounted { .. } => "OldDevicePluginUncounted",
            Self::OldDevicePluginRemoved { .. } => "OldDevicePluginRemoved",
            Self::DevicePluginReplaced { .. } => "DevicePluginReplaced",
            Self::PluginLabelsCurrent => "PluginLabelsCurrent",
            Self::PluginLabelsWriting => "PluginLabelsWriting",
        }
    }

    /// How far things are.
    pub fn progress(&self) -> Progress {
        match self {
            Self::NoModuleLoader
            | Self::ModuleReleased
            | Self::NamespaceCurrent { .. }
            | Self::ModuleCurrent
            | Self::NotSelected
            | Self::NodeIdle
            | Self::Assigned { .. }
            | Self::Loaded
            | Self::GoneWithReboot
            | Self::UnloadFinished
            | Self::LoadFinished
            | Self::NoImages
            | Self::ImageExists { .. }
            | Self::NoDevicePlugin
            | Self::DevicePluginCurrent { .. }
            | Self::PluginLabelsCurrent => Progress::Done,
            Self::ModuleDeleting
            | Self::ModuleGone
            | Self::ModuleWriting
            | Self::NamespaceReleased { .. }
            | Self::NodeGoing
            | Self::NodeReplaced
            | Self::Assigning { .. }
            | Self::Withdrawing
            | Self::Loading { .. }
            | Self::Unloading { .. }
            | Self::WorkerOutdated { .. }
            | Self::WorkerOrphaned { .. }
            | Self::PullPodUnwanted { .. }
            | Self::PullStarted { .. }
            | Self::RegistryAsked { .. }
            | Self::ImagesForgotten
            | Self::DevicePluginWriting { .. }
            | Self::OldDevicePluginRemoved { .. }
            | Self::DevicePluginReplaced { .. }
            | Self::PluginLabelsWriting => Progress::Acting,
            Self::WaitingForNodes { .. }
            | Self::ImageNotReady { .. }
            | Self::VersionHeld { .. }
            | Self::KernelChanged { .. }
            | Self::RebootNotReady
            | Self::WorkerBusy { .. }
            | Self::WorkerGoing { .. }
            | Self::WaitingForUsers { .. }
            | Self::Pulling { .. }
            | Self::ImageToMake { .. }
            | Self::OldDevicePluginKept { .. }
            | Self::OldDevicePluginUncounted { .. } => Progress::Waiting,
            Self::NoNodes
            | Self::NodesLeftOut { .. }
            | Self::NodeUnschedulable { .. }
            | Self::NoMapping { .. }
            | Self::Unresolved { .. }
            | Self::VersionLabelMissing { .. }
            | Self::WorkerWaiting { .. }
            | Self::WorkerFailing { .. }
            | Self::WorkerFailed { .. }
            | Self::WorkerConfigUnreadable { .. }
            | Self::WorkerImpossible { .. }
            | Self::PullFailed { .. }
            | Self::PullUnschedulable { .. }
            | Self::ImageMissing { .. }
            | Self::RegistryWaiting { .. }
            | Self::ImageNotMade { .. } => Progress::Stuck,
        }
    }

    /// How loudly it is told.
    pub fn severity(&self) -> Severity {
        match self.progress() {
            Progress::Done | Progress::Acting | Progress::Waiting => Severity::Normal,
            Progress::Stuck => Severity::Warning,
        }
    }
}

/// How many nodes or pods a reason names.
pub(super) const NAMED: usize = 5;
