//! What is kept of each kind: what the decisions read, and nothing else.

use kmm_core::api::Module;
use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::api::ObjectMeta;
use kmm_core::module::Compiled;
use kmm_core::reconcile::DaemonSet;
use kmm_core::reconcile::Node;
use kmm_core::reconcile::Pod;
use kmm_core::reconcile::names;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::store::Kept;

type Read<T> = Result<Option<T>, serde_json::Error>;

/// Metadata that only others need.
fn without_managed_fields(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    object
}

fn whole<T: DeserializeOwned>(object: Value) -> Read<T> {
    serde_json::from_value(without_managed_fields(object)).map(Some)
}

/// A node, and the version of its kubelet.
#[derive(Debug, PartialEq)]
pub(crate) struct KeptNode {
    pub(crate) node: Node,
    pub(crate) kubelet: String,
}

impl Kept for KeptNode {
    fn read(object: Value) -> Read<Self> {
        let kubelet = &object["status"]["nodeInfo"]["kubeletVersion"];
        let kubelet = kubelet.as_str().unwrap_or_default().to_owned();
        let node = Node::deserialize(object)?;
        Ok(Some(Self { node, kubelet }))
    }
}

/// A Module, with its regexps and templates parsed.
#[derive(Debug)]
pub(crate) struct KeptModule {
    pub(crate) module: Module,
    pub(crate) compiled: Compiled,
}

impl Kept for KeptModule {
    fn read(object: Value) -> Read<Self> {
        let module: Module = serde_json::from_value(without_managed_fields(object))?;
        let compiled = Compiled::new(&module);
        Ok(Some(Self { module, compiled }))
    }
}

impl Kept for NodeModulesConfig {
    fn read(object: Value) -> Read<Self> {
        whole(object)
    }
}

impl Kept for ModuleImagesConfig {
    fn read(object: Value) -> Read<Self> {
        whole(object)
    }
}

impl Kept for DaemonSet {
    fn read(object: Value) -> Read<Self> {
        let labelled = object["metadata"]["labels"][names::MODULE_NAME].is_string();
        if !labelled {
            return Ok(None);
        }
        whole(object)
    }
}

/// Name and labels of a namespace.
#[derive(Debug, PartialEq)]
pub(crate) struct KeptNamespace(pub(crate) ObjectMeta);

impl Kept for KeptNamespace {
    fn read(object: Value) -> Read<Self> {
        let metadata = &object["metadata"];
        let metadata = json!({"name": metadata["name"], "labels": metadata["labels"]});
        Ok(Some(Self(serde_json::from_value(metadata)?)))
    }
}

/// A pod of a Module.
#[derive(Debug, PartialEq)]
pub(crate) enum ModulePod {
    /// It loads or unloads.
    Worker(Pod),
    /// It belongs to the DaemonSet of a device plugin or a DRA driver.
    Plugin(Pod),
}

impl ModulePod {
    pub(crate) fn pod(&self) -> &Pod {
        match self {
            Self::Worker(pod) | Self::Plugin(pod) => pod,
        }
    }
}

impl Kept for ModulePod {
    fn read(object: Value) -> Read<Self> {
        let mut pod: Pod = serde_json::from_value(without_managed_fields(object))?;
        if pod.label(names::WORKER_ACTION).is_some() {
            return Ok(Some(Self::Worker(pod)));
        }
        let mut owners = pod.metadata.owner_references.iter();
        if pod.module_name().is_empty() || !owners.any(|owner| owner.kind == "DaemonSet") {
            return Ok(None);
        }
        pod.spec.retain(|key, _| key == "nodeName");
        pod.metadata.annotations.clear();
        Ok(Some(Self::Plugin(pod)))
    }
}

/// A pod that pulls an image.
#[derive(Debug, PartialEq)]
pub(crate) struct PullPod(pub(crate) Pod);

impl Kept for PullPod {
    fn read(object: Value) -> Read<Self> {
        let pod: Pod = serde_json::from_value(without_managed_fields(object))?;
        Ok(pod.label(names::IMAGE_OWNER).is_some().then_some(Self(pod)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(labels: &Value, owner: &str) -> Value {
        json!({
            "metadata": {
                "name": "p", "namespace": "drivers", "labels": labels, "annotations": {"a": "b"},
                "ownerReferences": [{"apiVersion": "v1", "kind": owner, "name": "o", "uid": "u"}],
                "managedFields": [{"manager": "someone"}],
            },
            "spec": {"nodeName": "w1", "containers": [{"name": "c"}]},
        })
    }

    #[test]
    fn pods_are_told_apart() {
        let of = |labels: Value, owner| ModulePod::read(pod(&labels, owner)).unwrap();
        let module = names::MODULE_NAME;
        let Some(ModulePod::Worker(worker)) = of(
            json!({module: "nic", names::WORKER_ACTION: "Load"}),
            "NodeModulesConfig",
        ) else {
            unreachable!()
        };
        assert!(worker.spec.contains_key("containers"));
        assert!(!worker.metadata.other.contains_key("managedFields"));
        let Some(ModulePod::Plugin(plugin)) = of(json!({module: "nic"}), "DaemonSet") else {
            unreachable!()
        };
        // A plugin's pod is only asked where it runs.
        assert_eq!(plugin.spec.keys().collect::<Vec<_>>(), ["nodeName"]);
        // A pod that builds an image.
        assert_eq!(of(json!({module: "nic"}), "ModuleBuildSignConfig"), None);
    }
}
