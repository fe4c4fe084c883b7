//! What happened, and when.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::driver::Key;
use crate::reconcile::Action;
use crate::reconcile::Event;
use crate::reconcile::ObjectRef;
use crate::reconcile::Part;
use crate::reconcile::Plan;
use crate::reconcile::Reason;
use crate::reconcile::RegistryQuestion;
use crate::reconcile::Timestamp;
use crate::resolve::ModuleName;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "what")]
pub enum Deed {
    /// Somebody did something to the cluster.
    User {
        /// What, as a sentence.
        text: String,
    },
    /// The operator has a reason that it had not the last time.
    Reason {
        /// The controller.
        key: Key,
        /// What is the case.
        reason: Reason,
    },
    /// The operator wrote.
    Wrote {
        /// The controller.
        key: Key,
        /// The plan.
        #[serde(skip)]
        plan: Arc<Plan>,
        /// Which of its actions.
        #[serde(skip)]
        place: usize,
        /// The object.
        target: ObjectRef,
        /// `create`, `patch`, `patch status` or `delete`.
        verb: &'static str,
        /// Whether anything is different now.
        changed: bool,
    },
    /// The operator's write was not taken.
    Refused {
        /// The controller.
        key: Key,
        /// The object.
        target: ObjectRef,
        /// Why.
        error: String,
    },
    /// The operator sent an event.
    Told {
        /// The event.
        event: Event,
    },
    /// The operator asked a registry.
    Asked {
        /// The question.
        question: RegistryQuestion,
        /// Whether the image is there; `None` where it could not be told.
        found: Option<bool>,
    },
    /// A kubelet told of a pod.
    Pod {
        /// The pod.
        pod: ObjectRef,
        /// The node.
        node: String,
        /// The phase.
        phase: String,
        /// Why, in one word; empty where that is plain.
        #[serde(skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A worker loaded a module.
    Loaded {
        /// The node.
        node: String,
        /// The Module.
        module: ModuleName,
        /// The image that it came from.
        image: String,
        /// The image of another configuration of it that was loaded.
        #[serde(skip_serializing_if = "Option::is_none")]
        over: Option<String>,
    },
    /// A worker unloaded a module.
    Unloaded {
        /// The node.
        node: String,
        /// The Module.
        module: ModuleName,
        /// The image for which the worker was made.
        image: String,
        /// The image of what was loaded, where that was another configuration.
        #[serde(skip_serializing_if = "Option::is_none")]
        other: Option<String>,
    },
    /// Kubernetes itself did something: a scheduler, a DaemonSet, the garbage collector, a node.
    Kubernetes {
        /// What, as a sentence.
        text: String,
    },
}

impl Deed {
    /// The action of the operator, where this is one.
    pub fn action(&self) -> Option<&Action> {
        match self {
            Self::Wrote { plan, place, .. } => plan.actions.get(*place),
            Self::User { .. }
            | Self::Reason { .. }
            | Self::Refused { .. }
            | Self::Told { .. }
            | Self::Asked { .. }
            | Self::Pod { .. }
            | Self::Loaded { .. }
            | Self::Unloaded { .. }
            | Self::Kubernetes { .. } => None,
        }
    }

    /// Who did it.
    pub fn doer(&self) -> &str {
        match self {
            Self::User { .. } => "user",
            Self::Reason { .. }
            | Self::Wrote { .. }
            | Self::Refused { .. }
            | Self::Told { .. }
            | Self::Asked { .. } => "operator",
            Self::Pod { node, .. } | Self::Loaded { node, .. } | Self::Unloaded { node, .. } => node,
            Self::Kubernetes { .. } => "kubernetes",
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { text } | Self::Kubernetes { text } => f.write_str(text),
            Self::Reason { key, reason } => write!(f, "[{}] {reason}", key.controller()),
            Self::Wrote {
                key, target, verb, ..
            } => {
                write!(f, "[{}] {verb} {target}", key.controller())?;
                match self.action().and_then(labels) {
                    Some(labels) => write!(f, ": {labels}"),
                    None => Ok(()),
                }
            }
            Self::Refused { key, error, .. } => write!(f, "[{}] not taken: {error}", key.controller()),
            Self::Told { event } => write!(f, "event {} on {}: {}", event.reason, event.about, event.message),
            Self::Asked { question, found } => {
                let answer = match found {
                    Some(true) => "is there",
                    Some(false) => "is not there",
                    None => "the registry could not tell",
                };
                write!(f, "asks for {}: {answer}", question.image)
            }
            Self::Pod {
                pod, phase, reason, ..
            } => {
                write!(f, "{pod}: {phase}")?;
                if reason.is_empty() {
                    Ok(())
                } else {
                    write!(f, " ({reason})")
                }
            }
            Self::Loaded {
                module, image, over, ..
            } => {
                write!(
                    f,
                    "kernel: {}/{} loaded from {image}",
                    module.namespace, module.name
                )?;
                match over {
                    Some(over) => write!(f, ", over {over}"),
                    None => Ok(()),
                }
            }
            Self::Unloaded { module, image, .. } => {
                write!(
                    f,
                    "kernel: {}/{} unloaded, from {image}",
                    module.namespace, module.name
                )
            }
        }
    }
}

/// The labels that an action changes on a node, each with `+` or `-`.
fn labels(action: &Action) -> Option<String> {
    let Action::Patch {
        target,
        part: Part::Object,
        patch,
        ..
    } = action
    else {
        return None;
    };
    if target.kind != crate::reconcile::Kind::Node {
        return None;
    }
    let labels = patch["metadata"]["labels"].as_object()?;
    let changes = labels.iter().map(|(key, value)| {
        let sign = if value.is_null() { '-' } else { '+' };
        format!("{sign}{key}")
    });
    Some(changes.collect::<Vec<_>>().join(", "))
}
