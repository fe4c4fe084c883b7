//! Objects as the caches hold them: read once, when they come in.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::api::Module;
use crate::api::ModuleImagesConfig;
use crate::api::NodeModulesConfig;
use crate::api::ObjectMeta;
use crate::module::Compiled;
use crate::reconcile::DaemonSet;
use crate::reconcile::Kind;
use crate::reconcile::Node;
use crate::reconcile::ObjectRef;
use crate::reconcile::Pod;
use crate::reconcile::names;

/// A Module, compiled: the same one as long as its specification is.
pub type Compilation = Arc<Compiled>;

/// An object, as far as controllers read it.
#[derive(Clone, Debug)]
pub enum Object {
    /// A DaemonSet.
    DaemonSet(Box<DaemonSet>),
    /// A Module.
    Module {
        /// As it is.
        module: Box<Module>,
        /// Made ready.
        compiled: Compilation,
    },
    /// A ModuleImagesConfig.
    Images(Box<ModuleImagesConfig>),
    /// The metadata of a namespace.
    Namespace(Box<ObjectMeta>),
    /// A node.
    Node(Box<Node>),
    /// A NodeModulesConfig.
    NodeModules(Box<NodeModulesConfig>),
    /// A pod.
    Pod(Box<Pod>),
    /// A kind that no controller reads.
    Other,
}

/// An object in one of its versions.
#[derive(Clone, Debug)]
pub struct Seen {
    target: ObjectRef,
    uid: String,
    version: String,
    object: Object,
}

/// Why an object cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Its kind is none that is watched.
    #[error("an object of kind `{0}`, which is not watched")]
    Kind(String),
    /// Its content makes no sense.
    #[error("{target} cannot be read: {error}")]
    Content {
        /// Which object.
        target: ObjectRef,
        /// Why.
        error: serde_json::Error,
    },
}

impl Seen {
    /// Reads an object as the API server gives it. `before` is the same object in another version, which saves work where
    /// both say the same.
    ///
    /// # Errors
    ///
    /// When the kind is not known, or a field that is read has a value of another type.
    pub fn read(value: &Value, before: Option<&Self>) -> Result<Self, ReadError> {
        let Some(target) = ObjectRef::of(value) else {
            return Err(ReadError::Kind(value["kind"].to_string()));
        };
        let object = match read(target.kind, value, before) {
            Ok(object) => object,
            Err(error) => return Err(ReadError::Content { target, error }),
        };
        let text = |key: &str| value["metadata"][key].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            target,
            uid: text("uid"),
            version: text("resourceVersion"),
            object,
        })
    }

    /// Which object it is.
    pub fn target(&self) -> &ObjectRef {
        &self.target
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// `metadata.resourceVersion`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The object.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The object, where it is a node.
    pub fn node(&self) -> Option<&Node> {
        match &self.object {
            Object::Node(node) => Some(node),
            Object::DaemonSet(_)
            | Object::Module { .. }
            | Object::Images(_)
            | Object::Namespace(_)
            | Object::NodeModules(_)
            | Object::Pod(_)
            | Object::Other => None,
        }
    }

    /// The object, where it is a pod.
    pub fn pod(&self) -> Option<&Pod> {
        match &self.object {
            Object::Pod(pod) => Some(pod),
            Object::DaemonSet(_)
            | Object::Module { .. }
            | Object::Images(_)
            | Object::Namespace(_)
            | Object::NodeModules(_)
            | Object::Node(_)
            | Object::Other => None,
        }
    }

    /// The object, where it is a NodeModulesConfig.
    pub fn node_modules(&self) -> Option<&NodeModulesConfig> {
        match &self.object {
            Object::NodeModules(config) => Some(config),
            Object::DaemonSet(_)
            | Object::Module { .. }
            | Object::Images(_)
            | Object::Namespace(_)
            | Object::Pod(_)
            | Object::Node(_)
            | Object::Other => None,
        }
    }

    /// The object, where it is a Module.
    pub fn module(&self) -> Option<(&Module, &Compilation)> {
        match &self.object {
            Object::Module { module, compiled } => Some((module, compiled)),
            Object::DaemonSet(_)
            | Object::NodeModules(_)
            | Object::Images(_)
            | Object::Namespace(_)
            | Object::Pod(_)
            | Object::Node(_)
            | Object::Other => None,
        }
    }

    /// The object, where it is a ModuleImagesConfig.
    pub fn images(&self) -> Option<&ModuleImagesConfig> {
        match &self.object {
            Object::Images(images) => Some(images),
            Object::DaemonSet(_)
            | Object::NodeModules(_)
            | Object::Module { .. }
            | Object::Namespace(_)
            | Object::Pod(_)
            | Object::Node(_)
            | Object::Other => None,
        }
    }
}

fn read(kind: Kind, value: &Value, before: Option<&Seen>) -> Result<Object, serde_json::Error> {
    Ok(match kind {
        Kind::DaemonSet => Object::DaemonSet(Box::new(DaemonSet::deserialize(value)?)),
        Kind::Module => {
            let module = Box::new(Module::deserialize(value)?);
            let same = before.and_then(Seen::module).filter(|(before, _)| {
                before.spec == module.spec
                    && before.metadata.name == module.metadata.name
                    && before.metadata.namespace == module.metadata.namespace
            });
            let compiled = same.map_or_else(
                || Arc::new(Compiled::new(&module)),
                |(_, compiled)| Arc::clone(compiled),
            );
            Object::Module { module, compiled }
        }
        Kind::ModuleImagesConfig => Object::Images(Box::new(ModuleImagesConfig::deserialize(value)?)),
        Kind::Namespace => Object::Namespace(Box::new(ObjectMeta::deserialize(&value["metadata"])?)),
        Kind::Node => Object::Node(Box::new(Node::deserialize(value)?)),
        Kind::NodeModulesConfig => Object::NodeModules(Box::new(NodeModulesConfig::deserialize(value)?)),
        Kind::Pod => Object::Pod(Box::new(pod(value)?)),
        Kind::ModuleBuildSignConfig => Object::Other,
    })
}

/// A pod, with what decisions read of its specification: that of a worker or of a pull pod is compared with the one that
/// would be made now, of any other only the place counts.
fn pod(value: &Value) -> Result<Pod, serde_json::Error> {
    let mut pod = Pod::deserialize(value)?;
    if pod.label(names::WORKER_ACTION).is_none() && pod.label(names::IMAGE_OWNER).is_none() {
        pod.spec
            .retain(|key, _| key == "nodeName" || key == "nodeSelector");
    }
    Ok(pod)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_a_plugin_pod_only_its_place_is_kept() {
        let pod = |labels: Value| {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "p", "namespace": "drivers", "labels": labels},
                "spec": {"nodeName": "w1", "nodeSelector": {"ready": ""}, "containers": [{"name": "c"}]},
            });
            Seen::read(&pod, None).unwrap().pod().unwrap().spec.clone()
        };
        let plugin = pod(json!({names::MODULE_NAME: "nic"}));
        assert_eq!(
            Value::Object(plugin),
            json!({"nodeName": "w1", "nodeSelector": {"ready": ""}})
        );
        let worker = pod(json!({names::MODULE_NAME: "nic", names::WORKER_ACTION: "Load"}));
        assert!(worker["containers"].is_array());
        let pull = pod(json!({names::IMAGE_OWNER: "nic"}));
        assert!(pull["containers"].is_array());
    }
}
