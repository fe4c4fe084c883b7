//! Labels, annotations, finalizers and names of objects: all of them the Go operator's.

use crate::resolve::ModuleName;

const DOMAIN: &str = "kmm.node.kubernetes.io/";
const BETA: &str = "beta.kmm.node.kubernetes.io/";

/// Label of pods and DaemonSets: the Module.
pub const MODULE_NAME: &str = "kmm.node.kubernetes.io/module.name";
/// Label of worker pods: [`LOAD`] or [`UNLOAD`].
pub const WORKER_ACTION: &str = "kmm.node.kubernetes.io/worker-action";
/// [`WORKER_ACTION`] of a pod that loads.
pub const LOAD: &str = "Load";
/// [`WORKER_ACTION`] of a pod that unloads.
pub const UNLOAD: &str = "Unload";
/// Label of DaemonSets and their pods: [`DEVICE_PLUGIN`] or [`DRA`].
pub const ROLE: &str = "kmm.node.kubernetes.io/role";
/// [`ROLE`] of a device plugin.
pub const DEVICE_PLUGIN: &str = "device-plugin";
/// [`ROLE`] of a DRA driver.
pub const DRA: &str = "dra";
/// [`ROLE`] that old releases gave to DaemonSets that loaded modules.
pub const MODULE_LOADER: &str = "module-loader";
/// Label of pull pods: the ModuleImagesConfig.
pub const IMAGE_OWNER: &str = "kmm.node.kubernetes.io/image-owner";
/// Label of pull pods: [`ONE_TIME_PULL`] or [`UNTIL_SUCCESS`].
pub const PULL_POD_TYPE: &str = "kmm.node.kubernetes.io/pull-pod-type";
/// [`PULL_POD_TYPE`] of a pod whose failure is an answer.
pub const ONE_TIME_PULL: &str = "one-time-pull";
/// [`PULL_POD_TYPE`] of a pod that waits for the image.
pub const UNTIL_SUCCESS: &str = "until-success";
/// Label of a namespace with Modules, on which the deletion webhook stands.
pub const CONTAINS_MODULES: &str = "kmm.node.k8s.io/contains-modules";

/// Annotation of worker pods: what the worker gets, as YAML.
pub const WORKER_CONFIG: &str = "kmm.node.kubernetes.io/worker-config";
/// Annotation of worker pods: the tolerations, as YAML.
pub const WORKER_TOLERATIONS: &str = "kmm.node.kubernetes.io/worker-tolerations";
/// Annotation of loaders: the version of the Module.
pub const WORKER_MODULE_VERSION: &str = "kmm.node.kubernetes.io/worker-module-version";
/// Annotation of worker pods: what the pod was made from, as one number.
pub const WORKER_HASH: &str = "kmm.node.kubernetes.io/worker-hash";
/// Annotation of loaders: the loading order, as lines for modprobe.
pub const MODULES_ORDER: &str = "kmm.node.kubernetes.io/modules-order";
/// Annotation of loaders: the boot of the node for which it was made. The Go operator has none such.
pub const WORKER_BOOT_ID: &str = "kmm.node.kubernetes.io/worker-boot-id";
/// Annotation of worker and pull pods: how many were made before it for the same purpose, plus one. A loader of what is
/// loaded already, on a boot that nobody knows, is a second one. The Go operator has none such.
pub const ATTEMPT: &str = "kmm.node.kubernetes.io/attempt";

/// Finalizer of Modules.
pub const MODULE_FINALIZER: &str = "kmm.node.kubernetes.io/module-finalizer";
/// Finalizer of worker pods.
pub const WORKER_FINALIZER: &str = "kmm.node.kubernetes.io/nodemodulesconfig-reconciler";
/// Finalizer of the pods of device plugins and DRA drivers.
pub const NODE_LABELER_FINALIZER: &str = "kmm.node.kubernetes.io/node-labeler";

/// Container of worker pods that works.
pub const WORKER_CONTAINER: &str = "worker";
/// Init container of worker pods that copies out of the kmod image.
pub const EXTRACTOR_CONTAINER: &str = "image-extractor";

/// Label of nodes on which the module is loaded.
pub fn ready(module: &ModuleName) -> String {
    of(DOMAIN, module, ".ready")
}

/// Label of nodes on which the module is loaded: which version.
pub fn version_ready(module: &ModuleName) -> String {
    of(DOMAIN, module, ".version.ready")
}

/// Label of nodes that the device plugin is for.
pub fn device_plugin_target(module: &ModuleName) -> String {
    of(DOMAIN, module, ".device-plugin-target")
}

/// Label of nodes whose device plugin is ready.
pub fn device_plugin_ready(module: &ModuleName) -> String {
    of(DOMAIN, module, ".device-plugin-ready")
}

/// Label of nodes whose DRA driver is ready.
pub fn dra_ready(module: &ModuleName) -> String {
    of(DOMAIN, module, ".dra-ready")
}

/// Label of NodeModulesConfigs: the module is to be there.
pub fn configured(module: &ModuleName) -> String {
    of(BETA, module, ".module-configured")
}

/// Label of NodeModulesConfigs: the module may be there.
pub fn in_use(module: &ModuleName) -> String {
    of(BETA, module, ".module-in-use")
}

/// Label that an administrator gives to nodes: the version that they are to have.
pub fn version_module(module: &ModuleName) -> String {
    of("kmm.node.kubernetes.io/version-module.", module, "")
}

/// Label of nodes: the version that worker pods are to load there.
pub fn version_worker_pod(module: &ModuleName) -> String {
    of("beta.kmm.node.kubernetes.io/version-worker-pod.", module, "")
}

/// Label of nodes, DaemonSets and their pods: the version whose device plugin is to run there.
pub fn version_schedule_pod(module: &ModuleName) -> String {
    of("beta.kmm.node.kubernetes.io/version-schedule-pod.", module, "")
}

fn of(prefix: &str, module: &ModuleName, suffix: &str) -> String {
    let ModuleName { name, namespace } = module;
    let mut text = String::with_capacity(prefix.len() + namespace.len() + name.len() + suffix.len() + 1);
    text.push_str(prefix);
    text.push_str(namespace);
    text.push('.');
    text.push_str(name);
    text.push_str(suffix);
    text
}

/// What a label of a node says, of those that are made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeLabel {
    /// [`ready`].
    Ready(ModuleName),
    /// [`version_ready`].
    VersionReady(ModuleName),
    /// [`device_plugin_target`].
    DevicePluginTarget(ModuleName),
    /// [`device_plugin_ready`].
    DevicePluginReady(ModuleName),
    /// [`dra_ready`].
    DraReady(ModuleName),
    /// `kmm.node.kubernetes.io/<name>.ready`, as old releases had it.
    OldReady,
}

impl NodeLabel {
    /// Reads the key of a node's label; `None` for all others.
    ///
    /// The namespace is what comes before the first dot, as a namespace has none; the name may have dots.
    ///
    /// # Example: a Module whose name has a dot
    ///
    /// ```
    /// use kmm_core::reconcile::names::NodeLabel;
    ///
    /// let label = NodeLabel::parse("kmm.node.kubernetes.io/drivers.acme.nic.ready");
    /// assert!(matches!(label, Some(NodeLabel::Ready(module)) if module.name == "acme.nic"));
    /// assert_eq!(NodeLabel::parse("kmm.node.kubernetes.io/nic.ready"), Some(NodeLabel::OldReady));
    /// ```
    pub fn parse(key: &str) -> Option<Self> {
        let rest = key.strip_prefix(DOMAIN)?;
        if let Some(rest) = rest.strip_suffix(".version.ready") {
            // `<ns>.version.ready` would be a Module called `version`.
            if let Some(module) = module_of(rest) {
                return Some(Self::VersionReady(module));
            }
        }
        if let Some(rest) = rest.strip_suffix(".ready") {
            return match module_of(rest) {
                Some(module) => Some(Self::Ready(module)),
                None if is_piece(rest) => Some(Self::OldReady),
                None => None,
            };
        }
        if let Some(rest) = rest.strip_suffix(".device-plugin-target") {
            return module_of(rest).map(Self::DevicePluginTarget);
        }
        if let Some(rest) = rest.strip_suffix(".device-plugin-ready") {
            return module_of(rest).map(Self::DevicePluginReady);
        }
        let rest = rest.strip_suffix(".dra-ready")?;
        module_of(rest).map(Self::DraReady)
    }
}

/// The module of a [`configured`] label.
pub fn module_configured(key: &str) -> Option<ModuleName> {
    module_of(key.strip_prefix(BETA)?.strip_suffix(".module-configured")?)
}

/// The module of an [`in_use`] label.
pub fn module_in_use(key: &str) -> Option<ModuleName> {
    module_of(key.strip_prefix(BETA)?.strip_suffix(".module-in-use")?)
}

fn module_of(text: &str) -> Option<ModuleName> {
    let (namespace, name) = text.split_once('.')?;
    let good = is_piece(namespace)
        && !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    good.then(|| ModuleName {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
    })
}

fn is_piece(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Longest name of a pod.
const POD_NAME_MAX: usize = 253;

/// Name of the worker pod of a module on a node.
///
/// A name that would be too long is cut, and ends in a number made of all of it.
pub fn worker_pod(node: &str, module: &str) -> String {
    let name = format!("kmm-worker-{node}-{module}");
    if name.len() <= POD_NAME_MAX {
        return name;
    }
    // Names of nodes and Modules are ASCII; what is not was never stored.
    let cut: String = name
        .chars()
        .filter(char::is_ascii)
        .take(POD_NAME_MAX - 17)
        .collect();
    format!("{}-{:016x}", cut.trim_end_matches(['-', '.']), fnv(&name))
}

/// Name of the pod that pulls an image: the same for the same image, so that a cache that is behind makes no second one.
pub fn pull_pod(images_config: &str, image: &str, architecture: Option<&str>) -> String {
    let key = format!("{image}\n{}", architecture.unwrap_or_default());
    format!("{images_config}-pull-pod-{:010x}", fnv(&key) & 0xff_ffff_ffff)
}

/// Name of the DaemonSet of a device plugin: the same for the same version, so that a cache that is behind makes no
/// second one.
pub fn device_plugin_daemon_set(module: &str, version: &str) -> String {
    format!("{module}-device-plugin-{:05x}", fnv(version) & 0xf_ffff)
}

/// FNV-1a, 64 bits: the same everywhere and for ever.
pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(namespace: &str, name: &str) -> ModuleName {
        ModuleName {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    #[test]
    fn labels_read_back() {
        for name in ["a", "a.b", "a-1"] {
            let module = module("ns", name);
            let parse = |key: String| NodeLabel::parse(&key);
            assert_eq!(parse(ready(&module)), Some(NodeLabel::Ready(module.clone())));
            assert_eq!(
                parse(version_ready(&module)),
                Some(NodeLabel::VersionReady(module.clone()))
            );
            assert_eq!(
                parse(device_plugin_target(&module)),
                Some(NodeLabel::DevicePluginTarget(module.clone()))
            );
            assert_eq!(
                parse(device_plugin_ready(&module)),
                Some(NodeLabel::DevicePluginReady(module.clone()))
            );
            assert_eq!(
                parse(dra_ready(&module)),
                Some(NodeLabel::DraReady(module.clone()))
            );
            assert_eq!(module_configured(&configured(&module)), Some(module.clone()));
            assert_eq!(module_in_use(&in_use(&module)), Some(module));
        }
    }

    #[test]
    fn labels_of_others_are_not_ours() {
        for key in [
            "ready",
            "kmm.node.kubernetes.io/.ready",
            "kmm.node.kubernetes.io/a_b.c.ready",
            "kmm.node.kubernetes.io/version-module.ns.name",
            "example.com/ns.name.ready",
        ] {
            assert_eq!(NodeLabel::parse(key), None, "{key}");
        }
    }

    /// Row 6.19: a Module whose name is `version` is a Module all the same.
    #[test]
    fn a_module_called_version() {
        let label = NodeLabel::parse("kmm.node.kubernetes.io/ns.version.ready");
        assert_eq!(label, Some(NodeLabel::Ready(module("ns", "version"))));
    }

    /// Row 6.21: no name is too long.
    #[test]
    fn long_names_are_cut() {
        let node = "n".repeat(253);
        let name = worker_pod(&node, "a");
        assert!(name.len() <= 253);
        assert_ne!(name, worker_pod(&node, "b"));
        assert_eq!(worker_pod("n1", "a"), "kmm-worker-n1-a");
    }
}
