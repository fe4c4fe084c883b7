//! What each cause means, and what mends it: for guides and explanations.

use super::Cause;
use super::Progress;

/// What is to be known of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Help {
    /// [`Cause::code`].
    pub code: &'static str,
    /// [`Cause::progress`].
    pub progress: Progress,
    /// What is the case.
    pub means: &'static str,
    /// What a person does; empty where there is nothing to do.
    pub mend: &'static str,
}

impl Cause {
    /// What each cause means and what mends it, in the order of their declaration.
    ///
    /// # Example: what is stuck has a way out
    ///
    /// ```
    /// use kmm_core::reconcile::{Cause, Progress};
    ///
    /// let stuck = Cause::HELP.iter().filter(|help| help.progress == Progress::Stuck);
    /// assert!(stuck.clone().count() > 10);
    /// assert!(stuck.clone().all(|help| !help.mend.is_empty()));
    /// ```
    pub const HELP: &'static [Help] = HELP;

    /// What mends it; empty where there is nothing to do.
    pub fn mend(&self) -> &'static str {
        let help = HELP.iter().find(|help| help.code == self.code());
        help.map_or("", |help| help.mend)
    }
}

const HELP: &[Help] = &[
    done(
        "NoModuleLoader",
        "The Module has no `moduleLoader`, so that nothing is loaded.",
    ),
    acting(
        "ModuleDeleting",
        "The Module is being deleted; its nodes unload it.",
    ),
    acting(
        "ModuleGone",
        "The Module is no longer there; its nodes unload it.",
    ),
    waiting(
        "WaitingForNodes",
        "The Module is being deleted, and nodes may still have it loaded.",
        "Look at the named nodes with `kmm explain --cluster NAMESPACE/MODULE NODE`. A node that will never come back has to be deleted.",
    ),
    done("ModuleReleased", "No node has the Module any more: it may go."),
    acting(
        "NamespaceReleased",
        "The namespace has no Module any more; its mark is removed.",
    ),
    done(
        "NamespaceCurrent",
        "The mark of the namespace is as it should be.",
    ),
    stuck(
        "NoNodes",
        "The selector matches no node.",
        "Label nodes, or change `spec.selector`. A label has to be there even where its value is empty.",
    ),
    stuck(
        "NodesLeftOut",
        "The selector matches nodes that cannot have the module: taints, no mapping, an error in a template, or their version label.",
        "The message says which it is. `kmm explain --cluster NAMESPACE/MODULE NODE` gives the change for one of the nodes.",
    ),
    done(
        "ModuleCurrent",
        "The objects of the Module are as they should be.",
    ),
    acting("ModuleWriting", "The objects of the Module are being written."),
    done("NotSelected", "The labels of the node do not fit the selector."),
    acting("NodeGoing", "The node is being deleted, or has gone."),
    acting(
        "NodeReplaced",
        "Another node has the name now; what was noted of the one before is taken over.",
    ),
    stuck(
        "NodeUnschedulable",
        "The node has taints that neither the Module nor the operator tolerates. A cordon is one.",
        "Add a toleration to `spec.tolerations`, or take the taint off: `kubectl uncordon NODE`, `kubectl taint node NODE KEY:EFFECT-`. Those that begin with `node.kubernetes.io/`, but for the cordon, go by themselves when the node is well: look at `kubectl describe node NODE`.",
    ),
    done("NodeIdle", "The node neither has nor is to have a module."),
    stuck(
        "NoMapping",
        "No kernel mapping takes the kernel of the node.",
        "Add a mapping. `kmm explain --cluster NAMESPACE/MODULE NODE` prints one, `kmm match REGEXP KERNEL` tries a regexp.",
    ),
    stuck(
        "Unresolved",
        "A mapping takes the kernel, but its templates do not expand, or the kernel has too few parts for them; or a regexp is wrong that comes before.",
        "Mend what the message names; `kmm validate FILE` and `kmm resolve -f FILE -k KERNEL` show it before it is applied.",
    ),
    waiting(
        "ImageNotReady",
        "The image is not known to exist yet, so that nothing changes on the node.",
        "Look at the reasons of the image, which `kmm explain --cluster NAMESPACE/MODULE` prints too: `PullFailed`, `PullUnschedulable`, `RegistryWaiting`, `ImageMissing`, `ImageToMake`, `ImageNotMade`.",
    ),
    waiting(
        "VersionHeld",
        "Ordered upgrade: the node keeps the version that its label names, which is not that of the Module.",
        "When its turn has come: `kubectl label node NODE --overwrite beta.kmm.node.kubernetes.io/version-worker-pod.NAMESPACE.MODULE=VERSION`. Nothing moves the labels of versions yet.",
    ),
    stuck(
        "VersionLabelMissing",
        "Ordered upgrade: the node has no label that says which version is loaded on it.",
        "`kubectl label node NODE LABEL=VERSION`, with the label that the message names. Nothing sets it yet; the label `kmm.node.kubernetes.io/version-module.NAMESPACE.MODULE` alone has no effect.",
    ),
    done(
        "Assigned",
        "The NodeModulesConfig of the node says what it is to have.",
    ),
    acting("Assigning", "The NodeModulesConfig of the node is being written."),
    acting(
        "Withdrawing",
        "The Module is taken out of the NodeModulesConfig of the node.",
    ),
    done("Loaded", "The module is loaded as wanted, on this boot."),
    done("LoadFinished", "The module has been loaded."),
    acting("Loading", "A pod that loads the module is made."),
    acting(
        "Unloading",
        "A pod that unloads the module is made; before that the `.ready` label is taken off the node.",
    ),
    done("UnloadFinished", "The module has been unloaded."),
    done(
        "GoneWithReboot",
        "The node was started anew, so that the module is no longer loaded.",
    ),
    waiting(
        "KernelChanged",
        "The node runs another kernel than its entry is for; the entry will follow.",
        "If it stays so, there is no image for the new kernel, or the Module is held back there: another line of `kmm explain --cluster NAMESPACE/MODULE NODE` says which (`ImageNotReady`, `Unresolved`, `VersionHeld`).",
    ),
    waiting(
        "RebootNotReady",
        "The node was started anew and is not ready yet.",
        "Look at `kubectl describe node NODE` if it stays so.",
    ),
    waiting(
        "WorkerBusy",
        "The worker pod has not come to its end.",
        "If it stays so: `kubectl -n NAMESPACE describe pod POD`. A pod that stays `Pending` waits for its image, or for a folder of the node that cannot be mounted; where nothing is said of it, the kubelet does not answer. A worker that runs for long has a modprobe that does not end: see the kernel's log.",
    ),
    stuck(
        "WorkerWaiting",
        "A container of the worker pod cannot be started: its image cannot be pulled, it cannot be made, or the kubelet refuses it.",
        "Mend what the message names: the image, `imageRepoSecret`, or the settings of the node's runtime. A change of the Module makes another pod.",
    ),
    stuck(
        "WorkerFailing",
        "The worker fails, and the kubelet starts it again and again.",
        "The message holds the `reason` of the worker: reasons.md says what mends it. A change of the Module makes another pod. A mended image needs another tag: under the old one the pod keeps the image that it has. Or, with `imagePullPolicy: Always`, delete the pod.",
    ),
    stuck(
        "WorkerFailed",
        "The worker pod has failed for good; another one follows after a wait that doubles. Its worker failed, or the kubelet gave the pod up: evicted, or refused for want of room.",
        "The message holds the `reason` of the worker, and reasons.md says what mends it; or it is the kubelet's (`Evicted`, `OutOfcpu`): make room on the node.",
    ),
    acting(
        "WorkerOutdated",
        "The worker pod is no longer what is wanted, and is removed.",
    ),
    waiting(
        "WorkerGoing",
        "The worker pod is being removed; nothing is done until it has gone.",
        "If it stays so, the kubelet of the node does not answer, or the pod has a finalizer of somebody else's. A node that will never come back has to be deleted.",
    ),
    acting(
        "WorkerOrphaned",
        "The worker pod belongs to no module of the node, and is removed.",
    ),
    stuck(
        "WorkerConfigUnreadable",
        "A worker pod succeeded, and what it did cannot be read: its annotation `kmm.node.kubernetes.io/worker-config` or its label `kmm.node.kubernetes.io/worker-action` (`Load`, `Unload`) was changed.",
        "Put back what was changed. Or give the pod up: `kubectl -n NAMESPACE delete pod POD --wait=false`, then take its finalizer off, `kubectl -n NAMESPACE patch pod POD --type=merge -p '{\"metadata\":{\"finalizers\":null}}'`: what is wanted is loaded anew, and what is not wanted stays loaded until the node is booted again.",
    ),
    stuck(
        "WorkerImpossible",
        "A worker pod cannot be made: the Module has firmware, and the operator knows no folder for it; or a name in its loading order is not one word.",
        "Set `worker.firmwareHostPath` in the configuration of the operator, and start it anew; or correct `modulesLoadingOrder`. The message says which.",
    ),
    waiting(
        "WaitingForUsers",
        "The module is not unloaded before the pods that use it have left.",
        "They leave when the DaemonSet controller has deleted them and their kubelet has stopped them: `kubectl -n NAMESPACE describe pod POD`. A kubelet that does not answer, or a finalizer of somebody else's, keeps them.",
    ),
    done("NoImages", "No node needs an image."),
    acting(
        "PullPodUnwanted",
        "A pod pulls an image that is not listed any more, and is removed.",
    ),
    done("ImageExists", "The image exists."),
    acting(
        "PullStarted",
        "A pod is made that pulls the image, to see whether it exists.",
    ),
    waiting(
        "Pulling",
        "A pod pulls the image.",
        "If it stays so: `kubectl -n NAMESPACE describe pod POD`. The image is large, or the kubelet of the pod's node does not answer.",
    ),
    stuck(
        "PullFailed",
        "The image cannot be pulled, and it is tried again.",
        "Push the image, or mend its name in the mapping or `imageRepoSecret`: it is tried again. `kmm images -f FILE` names every image that is needed. What the message says of certificates and mirrors is set in the runtime of the node: `registryTLS` changes nothing here.",
    ),
    stuck(
        "PullUnschedulable",
        "The pod that pulls the image finds no node.",
        "The message of the scheduler says why; often no node that the selector matches has room, or the Module does not tolerate a taint.",
    ),
    stuck(
        "ImageMissing",
        "The image does not exist, and nothing can make it.",
        "Name another image in the mapping. Or push the image, and change `imageRebuildTriggerGeneration` of the Module: it is not looked for again by itself.",
    ),
    acting("RegistryAsked", "The registry is asked for the image."),
    stuck(
        "RegistryWaiting",
        "The registry does not have the image, or could not tell; it is asked again.",
        "The message is the registry's: push the image, or mend `imageRepoSecret`, `registryTLS` or the way to the registry.",
    ),
    waiting(
        "ImageToMake",
        "The image does not exist, and is to be built, or signed.",
        "Images are not built or signed in the cluster yet. Push the image, then change `imageRebuildTriggerGeneration` of the Module: it is not looked for again by itself.",
    ),
    stuck(
        "ImageNotMade",
        "The Go operator could not build, or sign, the image.",
        "Push the image, then change `imageRebuildTriggerGeneration` of the Module: all images are looked for anew. None is built or signed in the cluster yet.",
    ),
    acting(
        "ImagesForgotten",
        "The rebuild counter changed: all images are looked for anew.",
    ),
    done("NoDevicePlugin", "The Module has no device plugin."),
    done("DevicePluginCurrent", "The DaemonSet is as it should be."),
    acting("DevicePluginWriting", "The DaemonSet is being written."),
    waiting(
        "OldDevicePluginKept",
        "A DaemonSet of another version stays as long as nodes want it.",
        "It goes when no node has the label `beta.kmm.node.kubernetes.io/version-schedule-pod.NAMESPACE.MODULE` with its version any more. Nothing moves the labels of versions yet: `kubectl label node NODE --overwrite` with the version of the Module.",
    ),
    waiting(
        "OldDevicePluginUncounted",
        "A DaemonSet of another version stays until it has been counted how many nodes want it.",
        "If it stays so, the DaemonSet controller of the cluster does not work.",
    ),
    acting(
        "OldDevicePluginRemoved",
        "A DaemonSet that is no longer wanted is removed.",
    ),
    acting(
        "DevicePluginReplaced",
        "The DaemonSet has a selector that can never be changed, and is made anew.",
    ),
    done(
        "PluginLabelsCurrent",
        "The labels of the node say what its plugin pods are.",
    ),
    acting(
        "PluginLabelsWriting",
        "The labels of the node are brought in line with its plugin pods.",
    ),
];

const fn done(code: &'static str, means: &'static str) -> Help {
    help(code, Progress::Done, means, "")
}

const fn acting(code: &'static str, means: &'static str) -> Help {
    help(code, Progress::Acting, means, "")
}

const fn waiting(code: &'static str, means: &'static str, mend: &'static str) -> Help {
    help(code, Progress::Waiting, means, mend)
}

const fn stuck(code: &'static str, means: &'static str, mend: &'static str) -> Help {
    help(code, Progress::Stuck, means, mend)
}

const fn help(code: &'static str, progress: Progress, means: &'static str, mend: &'static str) -> Help {
    Help {
        code,
        progress,
        means,
        mend,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The causes have fields, so that they cannot be listed but in their own text.
    const SOURCE: &str = include_str!("reason.rs");

    fn body(of: &str) -> &'static str {
        let start = SOURCE.find(of).unwrap();
        let end = SOURCE[start..].find("\n    }\n").unwrap();
        &SOURCE[start..start + end]
    }

    fn names(text: &str) -> Vec<&str> {
        let parts = text.split("Self::").skip(1);
        parts
            .map(|part| part.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap())
            .collect()
    }

    #[test]
    fn every_cause_is_there_once_and_in_order() {
        let help: Vec<&str> = HELP.iter().map(|help| help.code).collect();
        assert_eq!(help, names(body("pub fn code")));
    }

    #[test]
    fn progress_is_that_of_the_cause() {
        let mut seen = 0;
        for part in body("pub fn progress")
            .split_inclusive("=> Progress::")
            .collect::<Vec<_>>()
            .windows(2)
        {
            let progress = part[1]
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap();
            for name in names(part[0]) {
                let help = HELP.iter().find(|help| help.code == name).unwrap();
                assert_eq!(format!("{:?}", help.progress), progress, "{name}");
                seen += 1;
            }
        }
        assert_eq!(seen, HELP.len());
    }

    /// Who waits asks what to do, too.
    #[test]
    fn what_stays_can_be_mended() {
        for help in HELP {
            assert!(help.means.ends_with('.'), "{}", help.code);
            let is_mended = help.mend.ends_with(['.', ')']);
            let stays = matches!(help.progress, Progress::Stuck | Progress::Waiting);
            assert_eq!(is_mended, stays, "{}", help.code);
            // They are cells of a table.
            assert!(
                !help.means.contains(['|', '\n']) && !help.mend.contains(['|', '\n']),
                "{}",
                help.code
            );
        }
    }

    /// A reason that nothing gives is none.
    #[test]
    fn every_cause_is_given_by_a_controller() {
        let controllers = [
            include_str!("assign.rs"),
            include_str!("device_plugin.rs"),
            include_str!("images.rs"),
            include_str!("module.rs"),
            include_str!("namespace.rs"),
            include_str!("node_modules/mod.rs"),
            include_str!("node_modules/module.rs"),
            include_str!("node_modules/sync.rs"),
            include_str!("plugin_labels.rs"),
        ]
        .concat();
        let mut given: Vec<&str> = controllers
            .split("Cause::")
            .skip(1)
            .map(|part| part.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap())
            .collect();
        given.sort_unstable();
        given.dedup();
        let mut all: Vec<&str> = HELP.iter().map(|help| help.code).collect();
        all.sort_unstable();
        assert_eq!(given, all);
    }
}
