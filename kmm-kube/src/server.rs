//! Actions as calls to the API server.

use std::time::Duration;

use kmm_core::reconcile::Action;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Part;
use kmm_core::reconcile::Pod;
use kmm_core::reconcile::Precondition;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kube::Client;
use kube::api::DeleteParams;
use kube::api::GetParams;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::api::Preconditions;
use kube::core::Request;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use thiserror::Error;

use crate::trimmed::Trimmed;
use crate::words::words;

/// Who writes, in the managed fields of objects.
pub(crate) const MANAGER: &str = "kmm";

/// The API server.
#[derive(Clone)]
pub(crate) struct Server {
    client: Client,
}

/// Why a call failed.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    /// The object is another one than the decision was made for, is there already, or is gone.
    #[error("the object has changed: {0}")]
    Conflict(String),
    /// The API server does not take it.
    #[error("refused: {0}")]
    Refused(String),
    /// No answer, or none that can be understood: it may have been done or not.
    #[error("no answer: {}", words(.0))]
    Unanswered(#[source] kube::Error),
    /// It was not sent.
    #[error("no request could be made: {0}")]
    Impossible(String),
}

impl Server {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Carries out an action that writes to an object of the cluster, and gives the object as it is afterwards; `None`
    /// where there is none any more.
    pub(crate) async fn write(&self, action: &Action) -> Result<Option<Value>, CallError> {
        match action {
            Action::Create { object } => {
                let target = ObjectRef::of(object)
                    .ok_or_else(|| CallError::Impossible("an object of no known kind".to_owned()))?;
                let request = collection(&target).create(&post(), object.to_string().into_bytes());
                self.send(request).await.map(Some)
            }
            Action::Patch {
                target,
                part,
                precondition,
                patch,
            } => {
                let mut patch = patch.clone();
                let Precondition {
                    uid,
                    resource_version,
                } = precondition;
                for (key, value) in [("uid", uid), ("resourceVersion", resource_version)] {
                    if let Some(value) = value {
                        patch["metadata"][key] = json!(value);
                    }
                }
                let params = PatchParams {
                    field_manager: Some(MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                let patch = Patch::Merge(&patch);
                let request = match part {
                    Part::Object => collection(target).patch(&target.name, &params, &patch),
                    Part::Status => {
                        collection(target).patch_subresource("status", &target.name, &params, &patch)
                    }
                };
                self.send(request).await.map(Some)
            }
            Action::Delete { target, precondition } => {
                let Precondition {
                    uid,
                    resource_version,
                } = precondition.clone();
                let mut params = DeleteParams::background();
                if uid.is_some() || resource_version.is_some() {
                    params = params.preconditions(Preconditions {
                        resource_version,
                        uid,
                    });
                }
                match self.send(collection(target).delete(&target.name, &params)).await {
                    // The object, if it is still there; else how the deletion went.
                    Ok(answer) if answer["kind"] == "Status" => Ok(None),
                    Ok(object) => Ok(Some(object)),
                    Err(CallError::Conflict(_)) if self.get(target).await?.is_none() => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Action::Event(_) | Action::AskRegistry(_) => Err(CallError::Impossible(
                "this writes to no object of the cluster".to_owned(),
            )),
        }
    }

    /// An object; `None` where there is none.
    pub(crate) async fn get(&self, target: &ObjectRef) -> Result<Option<Value>, CallError> {
        let request = collection(target).get(&target.name, &GetParams::default());
        match self.send(request).await {
            Ok(object) => Ok(Some(object)),
            Err(CallError::Conflict(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The pods on a node that have the label of a Module.
    pub(crate) async fn pods_of(&self, module: &ModuleName, node: &str) -> Result<Vec<Pod>, CallError> {
        let params = ListParams::default()
            .labels(&format!("{}={}", names::MODULE_NAME, module.name))
            .fields(&format!("spec.nodeName={node}"));
        let pods = ObjectRef::namespaced(Kind::Pod, module.namespace.as_str(), "");
        let list = self.send(collection(&pods).list(&params)).await?;
        let unreadable = |error| CallError::Unanswered(kube::Error::SerdeError(error));
        Vec::deserialize(&list["items"]).map_err(unreadable)
    }

    /// The version of an object; empty where there is none.
    pub(crate) async fn version_of(&self, target: &ObjectRef) -> Result<String, CallError> {
        let request = collection(target).get_metadata(&target.name, &GetParams::default());
        match self.send(request).await {
            Ok(object) => Ok(object["metadata"]["resourceVersion"]
                .as_str()
                .unwrap_or_default()
                .to_owned()),
            Err(CallError::Conflict(_)) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Creates an object of a kind that is written without a decision.
    pub(crate) async fn post(&self, path: &str, object: &Value) -> Result<Value, CallError> {
        let request = Request::new(path).create(&post(), object.to_string().into_bytes());
        self.send(request).await
    }

    /// Reads an object of such a kind.
    pub(crate) async fn read(&self, path: &str, name: &str) -> Result<Value, CallError> {
        self.send(Request::new(path).get(name, &GetParams::default()))
            .await
    }

    /// Changes an object of such a kind.
    pub(crate) async fn merge(&self, path: &str, name: &str, patch: &Value) -> Result<Value, CallError> {
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let request = Request::new(path).patch(name, &params, &Patch::Merge(patch));
        self.send(request).await
    }

    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Value, CallError> {
        let request = request.map_err(|error| CallError::Impossible(error.to_string()))?;
        let answer = tokio::time::timeout(PATIENCE, self.client.request::<Trimmed>(request)).await;
        let answer = answer.unwrap_or_else(|late| Err(kube::Error::Service(Box::new(late))));
        answer.map(|Trimmed(object)| object).map_err(|error| match error {
            kube::Error::Api(status) => {
                let text = status.message.clone();
                match status.code {
                    404 | 409 | 410 => CallError::Conflict(text),
                    400..=499 if status.code != 429 => CallError::Refused(text),
                    _ => CallError::Unanswered(kube::Error::Api(status)),
                }
            }
            error => CallError::Unanswered(error),
        })
    }
}

/// How long an answer is waited for: longer than an API server works on a request, so that nothing is written afterwards.
const PATIENCE: Duration = Duration::from_secs(65);

fn post() -> PostParams {
    PostParams {
        dry_run: false,
        field_manager: Some(MANAGER.to_owned()),
    }
}

/// The path of the objects of a kind, in a namespace where it has them.
pub(crate) fn path_of(target: &ObjectRef) -> String {
    let kind = target.kind;
    let api_version = kind.api_version();
    let group = if api_version.contains('/') { "apis" } else { "api" };
    let namespace = if kind.is_namespaced() {
        format!("namespaces/{}/", target.namespace)
    } else {
        String::new()
    };
    format!("/{group}/{api_version}/{namespace}{}", kind.plural())
}

fn collection(target: &ObjectRef) -> Request {
    Request::new(path_of(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let of = |kind, namespace| path_of(&ObjectRef::namespaced(kind, namespace, "x"));
        assert_eq!(of(Kind::Node, ""), "/api/v1/nodes");
        assert_eq!(of(Kind::Pod, "drivers"), "/api/v1/namespaces/drivers/pods");
        assert_eq!(
            of(Kind::Module, "drivers"),
            "/apis/kmm.sigs.x-k8s.io/v1beta1/namespaces/drivers/modules"
        );
        assert_eq!(of(Kind::DaemonSet, "a"), "/apis/apps/v1/namespaces/a/daemonsets");
    }
}
