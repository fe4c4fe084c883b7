//! Causes in words.

use std::fmt;

use crate::api::ImageState;

use super::Cause;
use super::LeftOut;
use super::LoadWhy;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoModuleLoader => f.write_str("the Module has no `moduleLoader`: it loads nothing"),
            Self::ModuleDeleting => f.write_str("the Module is being deleted"),
            Self::ModuleGone => f.write_str("the Module is no longer there"),
            Self::WaitingForNodes { count, nodes } => {
                write!(f, "{count} {} may still have it loaded: ", plural(*count, "node"))?;
                some_of(f, nodes, *count)
            }
            Self::ModuleReleased => f.write_str("no node has it any more: it may go"),
            Self::NamespaceReleased { namespace } => {
                write!(
                    f,
                    "namespace `{namespace}` has no Module any more: its mark is removed"
                )
            }
            Self::NamespaceCurrent { namespace } => {
                write!(f, "the mark of namespace `{namespace}` is as it should be")
            }
            Self::NoNodes => f.write_str("the selector matches no node"),
            Self::NodesLeftOut { why, count, nodes } => {
                write!(f, "{count} {} left out, because ", plural(*count, "node"))?;
                f.write_str(match why {
                    LeftOut::Taints => "of taints that nothing tolerates: ",
                    LeftOut::NoMapping => "no mapping takes the kernel: ",
                    LeftOut::Unresolved => "the Module cannot be resolved for the kernel: ",
                    LeftOut::Version => "their version label is missing or names another version: ",
                })?;
                some_of(f, nodes, *count)
            }
            Self::ModuleCurrent => f.write_str("its images and counts are as they should be"),
            Self::ModuleWriting => f.write_str("its images, counts or marks are brought up to date"),
            Self::NotSelected => f.write_str("the labels of the node do not fit the selector"),
            Self::NodeGoing => f.write_str("the node is being deleted"),
            Self::NodeReplaced => {
                f.write_str("its NodeModulesConfig is that of an earlier node of the same name")
            }
            Self::NodeUnschedulable { taints } => {
                f.write_str("nothing tolerates ")?;
                quoted(f, taints)
            }
            Self::NodeIdle => f.write_str("the node neither has nor is to have a module"),
            Self::NoMapping { kernel } => write!(f, "no kernel mapping takes `{kernel}`"),
            Self::Unresolved { kernel, error } => write!(f, "kernel `{kernel}`: {error}"),
            Self::ImageNotReady { image, state } => match state {
                None => write!(f, "`{image}` is being looked for"),
                Some(ImageState::Exists) => write!(f, "`{image}` exists"),
                Some(ImageState::DoesNotExist) => write!(f, "`{image}` does not exist"),
                Some(ImageState::NeedsBuilding) => write!(f, "`{image}` is to be built first"),
                Some(ImageState::NeedsSigning) => write!(f, "`{image}` is to be signed first"),
            },
            Self::VersionHeld { wanted, label } => {
                write!(
                    f,
                    "the node keeps version `{label}` until its label says `{wanted}`"
                )
            }
            Self::VersionLabelMissing { wanted, label } => {
                write!(
                    f,
                    "the node has no label `{label}`; `{wanted}` is loaded where it says so"
                )
            }
            Self::Assigned { image } => write!(f, "the node is to have `{image}`"),
            Self::Assigning { image } => write!(f, "the node gets `{image}`"),
            Self::Withdrawing => f.write_str("the node is no longer to have it"),
            Self::Loaded => f.write_str("loaded"),
            Self::LoadFinished => f.write_str("has been loaded"),
            Self::Loading { why } => f.write_str(match why {
                LoadWhy::New => "is loaded",
                LoadWhy::Reboot => "is loaded again, because the node was started anew",
                LoadWhy::OtherKernel => "is loaded for the new kernel of the node",
            }),
            Self::Unloading { reload: true } => f.write_str("is unloaded, to be loaded as it is wanted now"),
            Self::Unloading { reload: false } => f.write_str("is unloaded"),
            Self::UnloadFinished => f.write_str("has been unloaded"),
            Self::GoneWithReboot => f.write_str("went when the node was started anew"),
            Self::KernelChanged { entry, running } => {
                write!(
                    f,
                    "the node runs `{running}`, and what it is to have is still for `{entry}`"
                )
            }
            Self::RebootNotReady => f.write_str("the node was started anew and is not ready yet"),
            Self::WorkerBusy { pod, action } => write!(f, "pod `{pod}` is to {} it", action.verb()),
            Self::WorkerWaiting {
                pod,
                container,
                reason,
                message,
            } => {
                write!(
                    f,
                    "container `{container}` of pod `{pod}` does not start: {reason}"
                )?;
                said(f, message)
            }
            Self::WorkerFailing {
                pod,
                action,
                restarts,
                message,
            } => {
                let times = plural(usize::try_from(*restarts).unwrap_or(usize::MAX), "time");
                write!(
                    f,
                    "pod `{pod}` could not {} it and was started anew {restarts} {times}",
                    action.verb()
                )?;
                said(f, message)
            }
            Self::WorkerFailed {
                pod,
                attempt,
                message,
                retry_in,
            } => {
                write!(
                    f,
                    "pod `{pod}` failed (attempt {attempt}); the next one comes in {} s",
                    retry_in.as_secs()
                )?;
                said(f, message)
            }
            Self::WorkerOutdated { pod } => {
                write!(f, "pod `{pod}` is not what is wanted now, and is removed")
            }
            Self::WorkerGoing { pod } => write!(f, "pod `{pod}` has to go first"),
            Self::WorkerOrphaned { pod } => {
                write!(f, "pod `{pod}` is for nothing that the node has or is to have")
            }
            Self::WorkerConfigUnreadable { pod, error } => {
                write!(
                    f,
                    "what pod `{pod}` loaded cannot be read from its annotation: {error}"
                )
            }
            Self::WorkerImpossible { error } => f.write_str(error),
            Self::WaitingForUsers { pods } => {
                f.write_str("is unloaded when the pods that use it have left: ")?;
                quoted(f, pods)
            }
            Self::NoImages => f.write_str("no node needs an image"),
            Self::PullPodUnwanted { pod } => {
                write!(
                    f,
                    "pod `{pod}` pulls an image that is not wanted any more, and is removed"
                )
            }
            Self::ImageExists { image } => write!(f, "`{image}` exists"),
            Self::PullStarted { image } => write!(f, "a pod is made that pulls `{image}`"),
            Self::Pulling { image, pod } => write!(f, "pod `{pod}` pulls `{image}`"),
            Self::PullFailed {
                image,
                reason,
                message,
                retry_in,
            } => {
                write!(f, "`{image}` cannot be pulled ({reason}); ")?;
                match retry_in.as_secs() {
                    0 => f.write_str("the kubelet tries again")?,
                    seconds => write!(f, "the next try is in {seconds} s")?,
                }
                said(f, message)
            }
            Self::PullUnschedulable { image, message } => {
                write!(f, "the pod that pulls `{image}` finds no node")?;
                said(f, message)
            }
            Self::ImageMissing { image } => write!(f, "`{image}` does not exist, and nothing makes it"),
            Self::RegistryAsked { image } => write!(f, "the registry is asked for `{image}`"),
            Self::RegistryWaiting {
                image,
                message,
                retry_in,
            } => {
                write!(
                    f,
                    "`{image}` was not found; the registry is asked again in {} s",
                    retry_in.as_secs()
                )?;
                said(f, message)
            }
            Self::ImageToMake { image, action } => {
                write!(f, "`{image}` does not exist, and {action} is not done")
            }
            Self::ImageNotMade { image, action } => write!(f, "`{image}`: {action} failed"),
            Self::ImagesForgotten => {
                f.write_str("`imageRebuildTriggerGeneration` changed: all images are looked for anew")
            }
            Self::NoDevicePlugin => f.write_str("the Module has no device plugin"),
            Self::DevicePluginCurrent { name } => write!(f, "DaemonSet `{name}` is as it should be"),
            Self::DevicePluginWriting { name } => write!(f, "DaemonSet `{name}` is brought up to date"),
            Self::OldDevicePluginKept { name, nodes } => {
                write!(
                    f,
                    "DaemonSet `{name}` of another version stays: {nodes} nodes want it"
                )
            }
            Self::OldDevicePluginUncounted { name } => {
                write!(
                    f,
                    "DaemonSet `{name}` of another version stays until it is known how many nodes want it"
                )
            }
            Self::OldDevicePluginRemoved { name } => write!(f, "DaemonSet `{name}` is removed"),
            Self::DevicePluginReplaced { name } => {
                write!(
                    f,
                    "DaemonSet `{name}` has a selector that cannot be changed: it is made anew"
                )
            }
            Self::PluginLabelsCurrent => f.write_str("the labels say what the plugin pods are"),
            Self::PluginLabelsWriting => f.write_str("the labels follow the plugin pods"),
        }
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

fn some_of(f: &mut fmt::Formatter<'_>, names: &[String], count: usize) -> fmt::Result {
    f.write_str(&names.join(", "))?;
    match count.saturating_sub(names.len()) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    f.write_str(&names.join(", "))
}

fn said(f: &mut fmt::Formatter<'_>, message: &str) -> fmt::Result {
    match message.trim() {
        "" => Ok(()),
        message => write!(f, ": {message}"),
    }
}
