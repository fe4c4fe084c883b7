//! Whether the images of a Module exist: pull pods, or answers of a registry.
//!
//! Building and signing have their place here and are not begun: [`ImageState::NeedsBuilding`] and
//! [`ImageState::NeedsSigning`] are told, and what writes `ModuleBuildSignConfig`s takes it from there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::api::ImageState;
use crate::api::ModuleImageSpec;
use crate::api::ModuleImageState;
use crate::api::ModuleImagesConfig;
use crate::api::V1BETA1;
use crate::resolve::ModuleName;

use super::Action;
use super::Cause;
use super::ImageCheck;
use super::Installation;
use super::Kind;
use super::ObjectRef;
use super::Part;
use super::Plan;
use super::Pod;
use super::PodPhase;
use super::Reason;
use super::RegistryQuestion;
use super::Timestamp;
use super::backoff;
use super::names;
use super::state;
use super::worker_pod::attempt_of;

/// The container of pull pods that has the image.
const PULLER: &str = "puller";

/// What a registry said of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryAnswer {
    /// What.
    pub outcome: RegistryOutcome,
    /// When.
    pub at: Timestamp,
    /// How often it was asked, this time included, since it was last found.
    pub attempts: u32,
    /// The rebuild counter for which it was asked ([`RegistryQuestion::generation`]); an answer to an older one says
    /// nothing any more.
    pub generation: Option<i64>,
}

/// Whether a registry has an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryOutcome {
    /// It has.
    Found,
    /// It has not: it, or the repository, is not known there.
    Missing,
    /// It could not tell: not reached, not allowed, or an answer that makes no sense.
    Failed {
        /// Why.
        message: String,
    },
}

/// Where the nodes are that are to use the images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Labels of the nodes.
    pub selector: BTreeMap<String, String>,
    /// For an image, the architectures of the nodes that need it.
    pub architectures: BTreeMap<String, BTreeSet<String>>,
}

/// What the controller of images is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The ModuleImagesConfig.
    pub images: &'a ModuleImagesConfig,
    /// Its pull pods: those of its namespace with the label [`names::IMAGE_OWNER`] that names it.
    pub pods: &'a [Pod],
    /// What registries said, by image.
    pub answers: &'a BTreeMap<String, RegistryAnswer>,
    /// Where the nodes are; `None` where that is not known.
    pub placement: Option<&'a Placement>,
    /// Configuration.
    pub installation: &'a Installation,
    /// The time.
    pub now: Timestamp,
}

/// Decides for one ModuleImagesConfig.
pub fn plan(view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let images = view.images;
    let name = ModuleName {
        name: images.metadata.name.clone(),
        namespace: images.metadata.namespace.clone(),
    };
    if images.metadata.deletion_timestamp.is_some() {
        plan.because(Reason::of_module(&name, Cause::ModuleDeleting));
        return plan;
    }
    if images.spec.image_rebuild_trigger_generation != images.status.image_rebuild_trigger_generation {
        forget(view, &mut plan);
        plan.because(Reason::of_module(&name, Cause::ImagesForgotten));
        return plan;
    }
    let mut states: BTreeMap<&str, ImageState> = images
        .status
        .images_states
        .iter()
        .map(|state| (state.image.as_str(), state.status))
        .collect();
    let mut done = Vec::new();
    let mut doings = Vec::new();
    let listed: BTreeSet<&str> = images
        .spec
        .images
        .iter()
        .map(|spec| spec.image.as_str())
        .collect();
    for pod in view.pods.iter().filter(|pod| !listed.contains(image_of(pod))) {
        if let Some(action) = delete(pod) {
            done.push(action);
            let pod = pod.metadata.name.clone();
            plan.because(Reason::of_module(&name, Cause::PullPodUnwanted { pod }));
        }
    }
    if listed.is_empty() {
        plan.because(Reason::of_module(&name, Cause::NoImages));
    }
    for spec in &images.spec.images {
        let known = states.get(spec.image.as_str()).copied();
        let mut one = One {
            view,
            spec,
            done: &mut done,
            doings: &mut doings,
            requeue: None,
        };
        let (state, cause) = one.decide(known);
        if let Some(wait) = one.requeue {
            plan.ask_again(wait);
        }
        if let Some(state) = state {
            states.insert(&spec.image, state);
        }
        plan.because(Reason::of_module(&name, cause));
    }
    plan.actions.extend(status(view, &states));
    plan.actions.append(&mut done);
    plan.actions.append(&mut doings);
    plan
}

/// All that is known of the images is forgotten, pull pods included, which may be older than the wish.
///
/// What is built and signed is not watched, so its deletion can name no version of its own. It rests on the wish instead:
/// one that was followed already has another version, and what was begun since then stays.
fn forget(view: &View<'_>, plan: &mut Plan) {
    let images = view.images;
    let wish = ObjectRef::namespaced(
        Kind::ModuleImagesConfig,
        images.metadata.namespace.as_str(),
        images.metadata.name.as_str(),
    );
    plan.basis.push(state::seen(wish, Some(&images.metadata)));
    plan.actions.extend(view.pods.iter().flat_map(delete));
    plan.act(Action::Delete {
        target: ObjectRef::namespaced(
            Kind::ModuleBuildSignConfig,
            images.metadata.namespace.as_str(),
            images.metadata.name.as_str(),
        ),
        precondition: super::Precondition::default(),
    });
    let generation = images.spec.image_rebuild_trigger_generation;
    let status = json!({"imagesStates": [], "imageRebuildTriggerGeneration": generation});
    plan.act(patch_status(images, &status));
}

/// The write of the status, if one is needed: states of listed images, in the order in which they are listed.
///
/// The same states in another order are left as they are.
fn status(view: &View<'_>, states: &BTreeMap<&str, ImageState>) -> Option<Action> {
    let images = view.images;
    let specs = images.spec.images.iter();
    let next: Vec<ModuleImageState> = specs
        .filter_map(|spec| {
            Some(ModuleImageState {
                image: spec.image.clone(),
                status: states.get(spec.image.as_str()).copied()?,
            })
        })
        .collect();
    let old = &images.status.images_states;
    // States of images that are no longer listed do no harm, and come in handy when the image is wanted again.
    let new = next.iter().any(|state| !old.contains(state));
    if !new {
        return None;
    }
    let mut all = next;
    let listed: BTreeSet<String> = all.iter().map(|state| state.image.clone()).collect();
    all.extend(old.iter().filter(|state| !listed.contains(&state.image)).cloned());
    Some(patch_status(images, &json!({ "imagesStates": all })))
}

fn patch_status(images: &ModuleImagesConfig, status: &Value) -> Action {
    Action::Patch {
        target: ObjectRef::namespaced(
            Kind::ModuleImagesConfig,
            images.metadata.namespace.as_str(),
            images.metadata.name.as_str(),
        ),
        part: Part::Status,
        precondition: state::unchanged(&images.metadata),
        patch: json!({ "status": status }),
    }
}

fn delete(pod: &Pod) -> Option<Action> {
    (!pod.is_terminating()).then(|| Action::Delete {
        target: pod.reference(),
        precondition: pod.same(),
    })
}

/// The image that a pod pulls. Others may have put containers of their own into it.
fn image_of(pod: &Pod) -> &str {
    puller(pod)
        .and_then(|container| container["image"].as_str())
        .unwrap_or_default()
}

fn puller(pod: &Pod) -> Option<&Value> {
    let containers = pod.spec.get("containers")?.as_array()?;
    let named = containers.iter().find(|container| container["name"] == PULLER);
    named.or_else(|| containers.first())
}

/// What is decided about one image.
struct One<'a, 'o> {
    view: &'a View<'a>,
    spec: &'a ModuleImageSpec,
    done: &'o mut Vec<Action>,
    doings: &'o mut Vec<Action>,
    requeue: Option<Duration>,
}

impl One<'_, '_> {
    /// What is known of the image now, where that is new, and why.
    fn decide(&mut self, known: Option<ImageState>) -> (Option<ImageState>, Cause) {
        let image = self.spec.image.clone();
        if known.is_some() {
            self.clear_pods();
        }
        match known {
            Some(ImageState::Exists) => (None, Cause::ImageExists { image }),
            Some(ImageState::NeedsBuilding) => {
                let action = "building";
                (None, Cause::ImageToMake { image, action })
            }
            Some(ImageState::NeedsSigning) => {
                let action = "signing";
                (None, Cause::ImageToMake { image, action })
            }
            Some(ImageState::DoesNotExist) => match (&self.spec.build, &self.spec.sign) {
                (None, None) => (None, Cause::ImageMissing { image }),
                (Some(_), _) => {
                    let action = "building";
                    (None, Cause::ImageNotMade { image, action })
                }
                (None, Some(_)) => {
                    let action = "signing";
                    (None, Cause::ImageNotMade { image, action })
                }
            },
            None => match self.view.installation.config.images.check {
                ImageCheck::Pod => self.pull(),
                ImageCheck::Registry => self.ask(),
            },
        }
    }

    fn clear_pods(&mut self) {
        let pods = self
            .view
            .pods
            .iter()
            .filter(|pod| image_of(pod) == self.spec.image);
        self.done.extend(pods.filter_map(delete));
    }

    /// What an image is that is not there.
    fn missing(&self) -> Option<ImageState> {
        match (
            &self.spec.build,
            &self.spec.sign,
            self.spec.skip_wait_missing_image,
        ) {
            (Some(_), _, _) => Some(ImageState::NeedsBuilding),
            (None, Some(_), _) => Some(ImageState::NeedsSigning),
            (None, None, true) => Some(ImageState::DoesNotExist),
            (None, None, false) => None,
        }
    }

    fn ask(&mut self) -> (Option<ImageState>, Cause) {
        let image = self.spec.image.clone();
        self.clear_pods();
        let generation = self.view.images.spec.image_rebuild_trigger_generation;
        let answer = self.view.answers.get(&image);
        let Some(RegistryAnswer {
            outcome,
            at,
            attempts,
            generation: _,
        }) = answer.filter(|answer| answer.generation == generation)
        else {
            self.question();
            return (None, Cause::RegistryAsked { image });
        };
        let message = match outcome {
            RegistryOutcome::Found => return (Some(ImageState::Exists), Cause::ImageExists { image }),
            RegistryOutcome::Missing => match self.missing() {
                Some(state) => {
                    let state_of = Some(state);
                    return (
                        state_of,
                        Cause::ImageNotReady {
                            image,
                            state: state_of,
                        },
                    );
                }
                None => "the registry does not have it".to_owned(),
            },
            RegistryOutcome::Failed { message } => message.clone(),
        };
        let retry_in = at.plus(backoff(*attempts)).after(self.view.now);
        if retry_in.is_zero() {
            self.question();
            return (None, Cause::RegistryAsked { image });
        }
        self.requeue = Some(retry_in);
        let cause = Cause::RegistryWaiting {
            image,
            message,
            retry_in,
        };
        (None, cause)
    }

    fn question(&mut self) {
        let metadata = &self.view.images.metadata;
        self.doings.push(Action::AskRegistry(RegistryQuestion {
            asker: ObjectRef::namespaced(
                Kind::ModuleImagesConfig,
                metadata.namespace.as_str(),
                metadata.name.as_str(),
            ),
            image: self.spec.image.clone(),
            secret: self.view.images.spec.image_repo_secret.clone(),
            tls: self.spec.registry_tls.clone().unwrap_or_default(),
            architectures: self.architectures(),
            generation: self.view.images.spec.image_rebuild_trigger_generation,
        }));
    }

    fn architectures(&self) -> Vec<String> {
        let placement = self.view.placement;
        let found = placement.and_then(|placement| placement.architectures.get(&self.spec.image));
        let found = found.into_iter().flatten().filter(|name| !name.is_empty());
        found.cloned().collect()
    }

    fn pull(&mut self) -> (Option<ImageState>, Cause) {
        let image = self.spec.image.clone();
        let pods = self.view.pods.iter().filter(|pod| image_of(pod) == image);
        let (going, standing): (Vec<&Pod>, Vec<&Pod>) = pods.partition(|pod| pod.is_terminating());
        // Those that are going may never have gone, where their node is lost, and may be older than the wish.
        let Some(newest) = standing.iter().copied().max_by_key(|pod| attempt_of(pod)) else {
            let last = going.into_iter().map(attempt_of).max();
            return self.start_after(last.unwrap_or(0));
        };
        let done = standing
            .into_iter()
            .any(|pod| matches!(Pull::of(pod), Pull::Done));
        if done {
            self.clear_pods();
            return (Some(ImageState::Exists), Cause::ImageExists { image });
        }
        let pull = Pull::of(newest);
        if self.is_outdated(newest, &pull) {
            self.clear_pods();
            return self.start_after(attempt_of(newest));
        }
        match pull {
            Pull::Done | Pull::Busy => {
                let pod = newest.metadata.name.clone();
                (None, Cause::Pulling { image, pod })
            }
            Pull::Unschedulable { message } => (None, Cause::PullUnschedulable { image, message }),
            Pull::Absent { reason, message } => match self.missing() {
                Some(state) => {
                    self.clear_pods();
                    let state = Some(state);
                    (state, Cause::ImageNotReady { image, state })
                }
                None => (None, failing(image, reason, message)),
            },
            Pull::Failing { reason, message } => (None, failing(image, reason, message)),
            Pull::Failed { reason, message } => self.again(newest, reason, message),
        }
    }

    /// Whether a pod that does not get on was made from what the Module says no more: without the credentials, the
    /// tolerations or the policy that it has now, or bound to other nodes. What else it has does no harm.
    fn is_outdated(&self, pod: &Pod, pull: &Pull) -> bool {
        let unscheduled = match pull {
            Pull::Done | Pull::Busy => return false,
            Pull::Unschedulable { .. } => true,
            Pull::Absent { .. } | Pull::Failing { .. } | Pull::Failed { .. } => false,
        };
        let spec = &self.view.images.spec;
        let lacks = |key: &str, wanted: Value| {
            let list = pod.spec.get(key).and_then(Value::as_array);
            !list.is_some_and(|list| list.contains(&wanted))
        };
        let mut tolerations = spec.tolerations.iter();
        let policy = puller(pod).and_then(|container| container["imagePullPolicy"].as_str());
        let elsewhere = || {
            let Some(placement) = self.view.placement else {
                return false;
            };
            let wanted = self.selector(placement);
            let bound = pod.spec.get("nodeSelector").and_then(Value::as_object);
            let mut bound = bound.into_iter().flatten();
            bound.any(|(key, value)| wanted.get(key).map(String::as_str) != value.as_str())
        };
        let mut secrets = spec.image_repo_secret.iter();
        secrets.any(|secret| lacks("imagePullSecrets", json!(secret)))
            || tolerations.any(|toleration| lacks("tolerations", json!(toleration)))
            || (!spec.image_pull_policy.is_empty() && policy != Some(spec.image_pull_policy.as_str()))
            || (unscheduled && elsewhere())
    }

    /// A pod that the kubelet has given up is followed by another one, after a while.
    fn again(&mut self, pod: &Pod, reason: String, message: String) -> (Option<ImageState>, Cause) {
        let image = self.spec.image.clone();
        let attempt = attempt_of(pod);
        let due = pod.ended_at().map(|ended| ended.plus(backoff(attempt)));
        let retry_in = due.map_or(Duration::ZERO, |due| due.after(self.view.now));
        if !retry_in.is_zero() {
            self.requeue = Some(retry_in);
            let cause = Cause::PullFailed {
                image,
                reason,
                message,
                retry_in,
            };
            return (None, cause);
        }
        self.clear_pods();
        self.start_after(attempt)
    }

    /// Makes the pod that follows attempt `last`.
    fn start_after(&mut self, last: u32) -> (Option<ImageState>, Cause) {
        let image = self.spec.image.clone();
        let selector = self.view.placement.map(|placement| self.selector(placement));
        let attempt = last.saturating_add(1);
        let object = pull_pod(
            self.view.images,
            self.spec,
            &selector.unwrap_or_default(),
            attempt,
        );
        self.doings.push(Action::Create { object });
        (None, Cause::PullStarted { image })
    }

    /// Labels of the nodes that are to use the image.
    fn selector(&self, placement: &Placement) -> BTreeMap<String, String> {
        let mut selector = placement.selector.clone();
        if let [architecture] = self.architectures().as_slice() {
            selector.insert("kubernetes.io/arch".to_owned(), architecture.clone());
        }
        selector
    }
}

/// How far a pull pod is.
enum Pull {
    /// The image is there: the runtime has it, whatever became of the container.
    Done,
    /// It is at it.
    Busy,
    /// It finds no node.
    Unschedulable { message: String },
    /// The runtime does not find the image, and tries again.
    Absent { reason: String, message: String },
    /// The runtime cannot tell whether there is such an image, and tries again.
    Failing { reason: String, message: String },
    /// It has come to its end, or never gets further.
    Failed { reason: String, message: String },
}

impl Pull {
    fn of(pod: &Pod) -> Self {
        let status = &pod.status;
        let container = pod.container(PULLER).or(status.container_statuses.first());
        let phase_failed = || Self::Failed {
            reason: if status.reason.is_empty() {
                "Failed".to_owned()
            } else {
                status.reason.clone()
            },
            message: status.message.clone(),
        };
        // A container that was started at all, or could not be only because the image has no shell, proves the image.
        // The kubelet also writes that a container has ended of which it knows nothing: that is no proof.
        let proven = container.is_some_and(|container| {
            let ended = container.state.terminated.as_ref();
            container.state.running
                || ended.is_some_and(|ended| ended.reason != "ContainerStatusUnknown")
                || !container.image_id.is_empty()
        });
        match status.phase {
            PodPhase::Succeeded => Self::Done,
            PodPhase::Failed | PodPhase::Running | PodPhase::Pending if proven => Self::Done,
            PodPhase::Failed => phase_failed(),
            PodPhase::Unknown | PodPhase::Running => Self::Busy,
            PodPhase::Pending => {
                let waiting = container.and_then(|container| container.state.waiting.as_ref());
                match waiting {
                    Some(waiting) => Self::waiting(&waiting.reason, &waiting.message),
                    None => Self::unscheduled(pod),
                }
            }
        }
    }

    fn waiting(reason: &str, message: &str) -> Self {
        let (reason, message) = (reason.to_owned(), message.to_owned());
        match reason.as_str() {
            "" | "ContainerCreating" | "PodInitializing" => Self::Busy,
            "ImagePullBackOff" | "ErrImagePull" => Self::Absent { reason, message },
            "RegistryUnavailable" | "SignatureValidationFailed" => Self::Failing { reason, message },
            // The runtime has the image and cannot make a container of it.
            "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "CrashLoopBackOff" => Self::Done,
            _ => Self::Failed { reason, message },
        }
    }

    fn unscheduled(pod: &Pod) -> Self {
        let conditions = pod.status.conditions.iter();
        let mut unscheduled =
            conditions.filter(|condition| condition.kind == "PodScheduled" && condition.status == "False");
        match unscheduled.next() {
            Some(condition) => Self::Unschedulable {
                message: condition.message.clone(),
            },
            None => Self::Busy,
        }
    }
}

/// What is said where the kubelet tries again by itself.
fn failing(image: String, reason: String, message: String) -> Cause {
    Cause::PullFailed {
        image,
        reason,
        message,
        retry_in: Duration::ZERO,
    }
}

/// The pod that pulls an image: the Go operator's, but bound to nodes that are to use the image.
fn pull_pod(
    images: &ModuleImagesConfig,
    spec: &ModuleImageSpec,
    selector: &BTreeMap<String, String>,
    attempt: u32,
) -> Value {
    let metadata = &images.metadata;
    let one_time = spec.build.is_some() || spec.sign.is_some() || spec.skip_wait_missing_image;
    let kind = if one_time {
        names::ONE_TIME_PULL
    } else {
        names::UNTIL_SUCCESS
    };
    let mut container = json!({
        "name": PULLER,
        "image": spec.image,
        "command": ["/bin/sh", "-c", "exit 0"],
    });
    if !images.spec.image_pull_policy.is_empty() {
        container["imagePullPolicy"] = json!(images.spec.image_pull_policy);
    }
    let mut pod = json!({
        "apiVersion": Kind::Pod.api_version(),
        "kind": Kind::Pod.name(),
        "metadata": {
            // Another name for another attempt: the one before may take a moment to go.
            "name": format!("{}{}", names::pull_pod(&metadata.name, &spec.image, None), suffix(attempt)),
            "namespace": metadata.namespace,
            "labels": {names::IMAGE_OWNER: metadata.name, names::PULL_POD_TYPE: kind},
            "ownerReferences": [{
                "apiVersion": V1BETA1,
                "kind": Kind::ModuleImagesConfig.name(),
                "name": metadata.name,
                "uid": metadata.uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        },
        "spec": {"restartPolicy": "Never", "containers": [container]},
    });
    if attempt > 1 {
        pod["metadata"]["annotations"] = json!({names::ATTEMPT: attempt.to_string()});
    }
    if let Some(secret) = &images.spec.image_repo_secret {
        pod["spec"]["imagePullSecrets"] = json!([secret]);
    }
    if !images.spec.tolerations.is_empty() {
        pod["spec"]["tolerations"] = json!(images.spec.tolerations);
    }
    if !selector.is_empty() {
        pod["spec"]["nodeSelector"] = json!(selector);
    }
    pod
}

fn suffix(attempt: u32) -> String {
    if attempt > 1 {
        format!("-{attempt}")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests;
