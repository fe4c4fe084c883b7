//! One look at a cluster: what the operator would decide now, without a write.
//!
//! Everything that the operator watches is listed once and shown to the same driver. Objects of different kinds are as
//! old as their lists, some milliseconds apart, so that something under way may be seen half done.

use std::time::SystemTime;

use k8s_openapi::api::core::v1::ConfigMap;
use kmm_core::driver::Driver;
use kmm_core::driver::Key;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::OperatorConfig;
use kmm_core::reconcile::Reason;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::names;
use kube::Api;
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;
use serde_json::Value;
use thiserror::Error;

use crate::cached::Lists;
use crate::kubelets;
use crate::watch::News;
use crate::watch::Source;
use crate::watch::with_kind;
use crate::words::ClientError;

/// Objects of one list that are asked for at a time.
const PAGE: u32 = 500;

/// What was seen, and what follows from it.
#[derive(Debug)]
pub struct Snapshot {
    modules: Vec<Value>,
    nodes: Vec<Value>,
    unreadable: Vec<ObjectRef>,
    reasons: Vec<(Key, Vec<Reason>)>,
}

/// Why a cluster could not be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LookError {
    /// The API server does not let it be seen.
    #[error(
        "you may not {verb} {resource} in all namespaces: bind the ClusterRole kmm-explain, or another one with this verb"
    )]
    Forbidden {
        /// The verb.
        verb: &'static str,
        /// The resource, with its group.
        resource: String,
    },
    /// The API server does not know the kind.
    #[error("the API server knows no {resource}: the CRDs are not installed, `kmm crds` prints them")]
    NotInstalled {
        /// The resource, with its group.
        resource: String,
    },
    /// The credentials are not taken.
    #[error("the API server does not know who asks: the credentials are missing, wrong or too old")]
    Unknown,
    /// There is no answer, or another one than was to be expected.
    #[error("{resource} cannot be listed")]
    Failed {
        /// The resource, with its group.
        resource: String,
        /// Why.
        #[source]
        error: Box<ClientError>,
    },
}

impl Snapshot {
    /// Lists everything, and decides as an operator with this configuration does.
    ///
    /// # Errors
    ///
    /// When something cannot be listed.
    pub async fn take(client: &Client, config: OperatorConfig) -> Result<Self, LookError> {
        let mut lists = Vec::new();
        for source in Source::ALL {
            lists.push((source, list(client, source).await?));
        }
        Ok(Self::of(lists, config, now()))
    }

    fn of(found: Vec<(Source, Vec<Value>)>, config: OperatorConfig, now: Timestamp) -> Self {
        let mut snapshot = Self {
            modules: Vec::new(),
            nodes: Vec::new(),
            unreadable: Vec::new(),
            reasons: Vec::new(),
        };
        let mut driver = Driver::new(Installation {
            config,
            // It is not known: pods are judged without it.
            worker_image: String::new(),
            image_volumes: true,
        });
        let mut lists = Lists::default();
        for (source, objects) in found {
            lists.hear(&mut driver, source, News::ListBegins, now);
            for object in objects {
                match source {
                    Source::Modules => snapshot.modules.push(object.clone()),
                    Source::Nodes => snapshot.nodes.push(object.clone()),
                    Source::Namespaces
                    | Source::NodeModulesConfigs
                    | Source::ModuleImagesConfigs
                    | Source::DaemonSets
                    | Source::ModulePods
                    | Source::PullPods => {}
                }
                if source == Source::Nodes {
                    kubelets::hear(&mut driver, &object);
                }
                let object = without_mark(object);
                lists.hear(&mut driver, source, News::Is(object), now);
            }
            lists.hear(&mut driver, source, News::ListEnds, now);
        }
        snapshot.unreadable = lists.unreadable().cloned().collect();
        // What would be written is not, so that each key has its turn once.
        loop {
            let Some(key) = driver.ready(now).next().cloned() else {
                return snapshot;
            };
            let decided = driver.begin(&key, now);
            snapshot.reasons.push((key, decided.plan.reasons));
        }
    }

    /// The Modules, as the API server has them.
    pub fn modules(&self) -> &[Value] {
        &self.modules
    }

    /// The nodes, as the API server has them.
    pub fn nodes(&self) -> &[Value] {
        &self.nodes
    }

    /// Objects that cannot be read. The operator does nothing before they can.
    pub fn unreadable(&self) -> &[ObjectRef] {
        &self.unreadable
    }

    /// What the operator says of each controller and object.
    pub fn reasons(&self) -> impl Iterator<Item = (&Key, &Reason)> {
        let all = self.reasons.iter();
        all.flat_map(|(key, reasons)| reasons.iter().map(move |reason| (key, reason)))
    }
}

/// The ConfigMap with the operator's configuration, as the manifests and the chart call it.
pub const OPERATOR_CONFIG: &str = "kmm-operator-config";
/// Its key.
const CONFIG_KEY: &str = "config.yaml";

/// Why the operator's configuration cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigMapError {
    /// It may not be read.
    #[error("you may not get the ConfigMap `{OPERATOR_CONFIG}` in the namespace `{0}`")]
    Forbidden(String),
    /// There is none.
    #[error("there is no ConfigMap `{OPERATOR_CONFIG}` in the namespace `{0}`")]
    Missing(String),
    /// It has another content.
    #[error("the ConfigMap `{OPERATOR_CONFIG}` in the namespace `{0}` has no `{CONFIG_KEY}`")]
    NoKey(String),
    /// There is no answer.
    #[error("the ConfigMap `{OPERATOR_CONFIG}` cannot be read")]
    Failed(#[source] Box<ClientError>),
}

/// The text of the operator's configuration file, from its ConfigMap.
///
/// # Errors
///
/// When there is none, or it may not be read.
pub async fn operator_config(client: &Client, namespace: &str) -> Result<String, ConfigMapError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = maps
        .get(OPERATOR_CONFIG)
        .await
        .map_err(|error| unread(namespace, error))?;
    let text = map.data.and_then(|mut data| data.remove(CONFIG_KEY));
    text.ok_or_else(|| ConfigMapError::NoKey(namespace.to_owned()))
}

fn unread(namespace: &str, error: kube::Error) -> ConfigMapError {
    match &error {
        kube::Error::Api(status) if status.code == 403 => ConfigMapError::Forbidden(namespace.to_owned()),
        kube::Error::Api(status) if status.code == 404 => ConfigMapError::Missing(namespace.to_owned()),
        _ => ConfigMapError::Failed(Box::new(error.into())),
    }
}

/// The pod without the mark of the settings that it was made with, which are not known here: it is judged by what it is
/// for.
fn without_mark(mut object: Value) -> Value {
    if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
        annotations.remove(names::WORKER_HASH);
    }
    object
}

async fn list(client: &Client, source: Source) -> Result<Vec<Value>, LookError> {
    let kind = source.kind();
    let group = if kind.api_version().contains('/') {
        "apis"
    } else {
        "api"
    };
    let request = Request::new(format!("/{group}/{}/{}", kind.api_version(), kind.plural()));
    let mut params = ListParams::default().limit(PAGE);
    if let Some(label) = source.label() {
        params = params.labels(label);
    }
    let mut objects = Vec::new();
    loop {
        let request = request
            .list(&params)
            .map_err(|error| failed(kind, kube::Error::BuildRequest(error)))?;
        let mut page: Value = client
            .request(request)
            .await
            .map_err(|error| failed(kind, error))?;
        if let Value::Array(items) = page["items"].take() {
            objects.extend(items.into_iter().map(|object| {
                // In lists, objects do not say their kind.
                with_kind(object, kind)
            }));
        }
        match page["metadata"]["continue"].as_str() {
            Some(token) if !token.is_empty() => params = params.continue_token(token),
            Some(_) | None => return Ok(objects),
        }
    }
}

fn failed(kind: Kind, error: kube::Error) -> LookError {
    let resource = match kind.api_version().split_once('/') {
        Some((group, _)) => format!("{}.{group}", kind.plural()),
        None => kind.plural().to_owned(),
    };
    match &error {
        kube::Error::Api(status) if status.code == 401 => LookError::Unknown,
        kube::Error::Api(status) if status.code == 403 => LookError::Forbidden {
            verb: "list",
            resource,
        },
        kube::Error::Api(status) if status.code == 404 => LookError::NotInstalled { resource },
        _ => LookError::Failed {
            resource,
            error: Box::new(error.into()),
        },
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BETA: &str = "kmm.sigs.x-k8s.io/v1beta1";

    fn module(kernel: &str) -> Value {
        json!({
            "apiVersion": BETA, "kind": "Module",
            "metadata": {"name": "nic", "namespace": "drivers", "uid": "m", "resourceVersion": "2"},
            "spec": {"selector": {}, "moduleLoader": {"container": {
                "modprobe": {"moduleName": "nic"},
                "kernelMappings": [{"literal": kernel, "containerImage": "registry.example.com/nic:1"}],
            }}},
        })
    }

    fn node() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": "w1", "uid": "n", "resourceVersion": "3"},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {"kernelVersion": "6.1.0", "bootID": "b", "architecture": "amd64"},
            },
        })
    }

    fn look(modules: &[Value]) -> Snapshot {
        let lists = Source::ALL.map(|source| {
            let objects = match source {
                Source::Modules => modules.to_vec(),
                Source::Nodes => vec![node()],
                Source::Namespaces
                | Source::NodeModulesConfigs
                | Source::ModuleImagesConfigs
                | Source::DaemonSets
                | Source::ModulePods
                | Source::PullPods => Vec::new(),
            };
            (source, objects)
        });
        Snapshot::of(lists.into(), OperatorConfig::default(), Timestamp(0))
    }

    fn codes(snapshot: &Snapshot) -> Vec<&str> {
        snapshot
            .reasons()
            .map(|(_, reason)| reason.cause.code())
            .collect()
    }

    #[test]
    fn every_key_has_its_turn_and_then_it_ends() {
        let fits = look(&[module("6.1.0")]);
        assert!(codes(&fits).contains(&"ImageNotReady"), "{:?}", codes(&fits));
        let other = look(&[module("5.0.0")]);
        assert!(codes(&other).contains(&"NoMapping"), "{:?}", codes(&other));
        assert_eq!((other.modules().len(), other.nodes().len()), (1, 1));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let mut broken = module("6.1.0");
        broken["spec"] = json!({"selector": 5});
        let snapshot = look(&[broken]);
        assert_eq!(snapshot.unreadable().len(), 1);
        assert_eq!(codes(&snapshot), Vec::<&str>::new());
    }

    /// A module with firmware needs a folder of the host, which is a setting of the operator.
    #[test]
    fn the_settings_of_the_operator_count() {
        let mut with_firmware = module("6.1.0");
        with_firmware["spec"]["moduleLoader"]["container"]["modprobe"]["firmwarePath"] = json!("/firmware");
        let images = json!({
            "apiVersion": BETA, "kind": "ModuleImagesConfig",
            "metadata": {"name": "nic", "namespace": "drivers", "uid": "i", "resourceVersion": "4"},
            "spec": {"images": []},
            "status": {"imagesStates": [{"image": "registry.example.com/nic:1", "status": "Exists"}]},
        });
        let nmc = json!({
            "apiVersion": BETA, "kind": "NodeModulesConfig",
            "metadata": {"name": "w1", "uid": "c", "resourceVersion": "5"},
            "spec": {"modules": [{
                "name": "nic", "namespace": "drivers", "serviceAccountName": "default",
                "config": {
                    "kernelVersion": "6.1.0", "containerImage": "registry.example.com/nic:1",
                    "imagePullPolicy": "IfNotPresent", "modprobe": {"moduleName": "nic", "firmwarePath": "/firmware"},
                },
            }]},
        });
        let look = |config: OperatorConfig| {
            let lists = Source::ALL.map(|source| {
                let objects = match source {
                    Source::Modules => vec![with_firmware.clone()],
                    Source::Nodes => vec![node()],
                    Source::ModuleImagesConfigs => vec![images.clone()],
                    Source::NodeModulesConfigs => vec![nmc.clone()],
                    _ => Vec::new(),
                };
                (source, objects)
            });
            let snapshot = Snapshot::of(lists.into(), config, Timestamp(0));
            codes(&snapshot).contains(&"WorkerImpossible")
        };
        let mut config = OperatorConfig::default();
        config.worker.firmware_host_path = None;
        assert!(look(config.clone()));
        config.worker.firmware_host_path = Some("/lib/firmware".to_owned());
        assert!(!look(config));
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_told() {
        let status = |code: u16| {
            let mut status = kube::core::Status::failure("no", "No");
            status.code = code;
            kube::Error::Api(Box::new(status))
        };
        let text = |code| unread("kmm", status(code)).to_string();
        assert!(
            text(403)
                .starts_with("you may not get the ConfigMap `kmm-operator-config` in the namespace `kmm`")
        );
        assert!(text(404).starts_with("there is no ConfigMap"));
        assert!(text(500).ends_with("cannot be read"));
    }

    #[test]
    fn errors_name_what_is_missing() {
        let status = |code: u16| {
            let mut status = kube::core::Status::failure("no", "No");
            status.code = code;
            kube::Error::Api(Box::new(status))
        };
        let text = |code| failed(Kind::NodeModulesConfig, status(code)).to_string();
        assert!(text(403).starts_with("you may not list nodemodulesconfigs.kmm.sigs.x-k8s.io in all"));
        assert!(text(404).starts_with("the API server knows no nodemodulesconfigs.kmm.sigs.x-k8s.io:"));
        assert!(text(500).starts_with("nodemodulesconfigs.kmm.sigs.x-k8s.io cannot be listed"));
        assert!(
            failed(Kind::Pod, status(403))
                .to_string()
                .starts_with("you may not list pods")
        );
    }
}
