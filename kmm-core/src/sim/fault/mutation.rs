//! Mistakes, to show that the tests find them.

use serde_json::Value;
use serde_json::json;

use crate::driver::Key;
use crate::driver::Seen;
use crate::reconcile::Action;
use crate::reconcile::Installation;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Part;
use crate::reconcile::Plan;
use crate::reconcile::Pod;
use crate::reconcile::Precondition;
use crate::reconcile::names;
use crate::reconcile::names::NodeLabel;
use crate::reconcile::node_modules;
use crate::sim::Cluster;

/// A mistake in the decisions, or in how they are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutation {
    /// `.ready` labels stay when they are no longer true.
    ReadyStays,
    /// The `.ready` label comes with the loader.
    ReadyEarly,
    /// The `.ready` label goes after the unloader was made.
    ReadyGoesLate,
    /// A pod that has come to its end is let go before that is written down.
    PodGoesFirst,
    /// What a pod did is not written down.
    StatusForgotten,
    /// A module is loaded anew without being unloaded.
    NoUnload,
    /// Writes have no preconditions, and plans no basis.
    NoPreconditions,
    /// A deleted Module is let go at once.
    ModuleGoesFirst,
    /// A deleted Module is never let go.
    ModuleStays,
    /// Worker pods have no finalizer.
    WorkersWithoutFinalizer,
    /// Worker pods without a NodeModulesConfig are let go, whoever may run them.
    WorkersForgotten,
    /// Loaders do not say for which boot they were made.
    BootNotRecorded,
    /// Each worker pod has a name of its own.
    NamesOfTheirOwn,
    /// A retry after a wait is forgotten.
    RetryForgotten,
    /// Who does nothing says nothing.
    IdleIsSilent,
    /// A status is written at every look.
    RestlessStatus,
    /// Nodes are not marked as those that may have the module.
    InUseNotMarked,
    /// Nodes keep what they are not to have any more.
    NeverWithdrawn,
    /// DaemonSets are never deleted.
    DaemonSetStays,
    /// Target labels of device plugins are never removed.
    TargetStays,
    /// Labels of device plugins that are ready are never removed.
    PluginReadyStays,
    /// The pods of device plugins are never let go.
    PluginPodStays,
    /// Images are taken to be there.
    ImageNotChecked,
    /// Failed pods are never replaced.
    FailedStays,
    /// A node that was started anew is not seen as such.
    RebootNotSeen,
    /// Another kernel is not seen.
    KernelNotSeen,
    /// A pod that is being deleted is taken for gone.
    TerminatingIsGone,
    /// What a deleted pod did is not looked at.
    LastWordsNotHeard,
    /// The operator decides without its own writes.
    OwnWritesForgotten,
    /// Modules that lost their node's selection are not seen to.
    NodeLabelsNotSeen,
}

impl Mutation {
    /// Every mistake. Schedules find each of them.
    pub const ALL: [Self; 30] = [
        Self::ReadyStays,
        Self::ReadyEarly,
        Self::ReadyGoesLate,
        Self::PodGoesFirst,
        Self::StatusForgotten,
        Self::NoUnload,
        Self::NoPreconditions,
        Self::ModuleGoesFirst,
        Self::ModuleStays,
        Self::WorkersWithoutFinalizer,
        Self::WorkersForgotten,
        Self::BootNotRecorded,
        Self::NamesOfTheirOwn,
        Self::RetryForgotten,
        Self::IdleIsSilent,
        Self::RestlessStatus,
        Self::InUseNotMarked,
        Self::NeverWithdrawn,
        Self::DaemonSetStays,
        Self::TargetStays,
        Self::PluginReadyStays,
        Self::PluginPodStays,
        Self::ImageNotChecked,
        Self::FailedStays,
        Self::RebootNotSeen,
        Self::KernelNotSeen,
        Self::TerminatingIsGone,
        Self::LastWordsNotHeard,
        Self::OwnWritesForgotten,
        Self::NodeLabelsNotSeen,
    ];

    /// Makes the mistake in a plan.
    pub(super) fn spoil(self, key: &Key, plan: &mut Plan, cluster: &Cluster) {
        let actions = &mut plan.actions;
        match (self, key) {
            (Self::ReadyStays, Key::NodeModules(_))
            | (Self::TargetStays, Key::Assign(_))
            | (Self::PluginReadyStays, Key::PluginLabels(_)) => {
                actions.retain(|action| !removes_labels_of_node(action));
            }
            (Self::ReadyEarly, Key::NodeModules(node)) => {
                let loads = actions
                    .iter()
                    .filter_map(worker)
                    .filter(|object| is(object, names::LOAD));
                let labels = loads.map(ready_of).collect::<Vec<_>>();
                for label in labels {
                    let target = ObjectRef::cluster(Kind::Node, node.as_str());
                    let precondition = Precondition::default();
                    actions.push(Action::labels(
                        target,
                        precondition,
                        &[(label, Some(String::new()))].into(),
                    ));
                }
            }
            (Self::ReadyGoesLate, Key::NodeModules(node)) => {
                ready_goes_late(node, actions, cluster);
            }
            (Self::PodGoesFirst, Key::NodeModules(_)) => actions.sort_by_key(is_status),
            (Self::StatusForgotten, Key::NodeModules(_)) => actions.retain(|action| !is_status(action)),
            (Self::NoUnload, Key::NodeModules(node)) => no_unload(node, actions, cluster),
            (Self::NoPreconditions, _) => {
                plan.basis.clear();
                for action in actions {
                    if let Action::Patch { precondition, .. } | Action::Delete { precondition, .. } = action {
                        *precondition = Precondition::default();
                    }
                }
            }
            (Self::ModuleGoesFirst, Key::Module(name)) => {
                let target = ObjectRef::namespaced(Kind::Module, name.namespace.as_str(), name.name.as_str());
                let module = cluster
                    .store()
                    .find(&target)
                    .and_then(|stored| stored.seen.module());
                if module.is_some_and(|(module, _)| module.metadata.deletion_timestamp.is_some()) {
                    actions.push(Action::Patch {
                        target,
                        part: Part::Object,
                        precondition: Precondition::default(),
                        patch: json!({"metadata": {"finalizers": null}}),
                    });
                }
            }
            (Self::ModuleStays, Key::Module(_)) => actions.retain(|action| !lets_go(action)),
            (Self::PluginPodStays, Key::PluginLabels(_)) => actions.retain(|action| !lets_go(action)),
            (Self::WorkersWithoutFinalizer, Key::NodeModules(_)) => each_worker(actions, |object| {
                object["metadata"]["finalizers"] = json!([]);
            }),
            (Self::WorkersForgotten, Key::NodeModules(node)) => forget_workers(node, actions, cluster),
            (Self::BootNotRecorded, Key::NodeModules(_)) => each_worker(actions, |object| {
                object["metadata"]["annotations"][names::WORKER_BOOT_ID].take();
            }),
            (Self::NamesOfTheirOwn, Key::NodeModules(_)) => {
                let version = cluster.store().version();
                plan.basis.clear();
                each_worker(actions, |object| {
                    let name = object["metadata"]["name"].as_str().unwrap_or_default();
                    object["metadata"]["name"] = json!(format!("{name}-{version}"));
                });
            }
            (Self::RestlessStatus, Key::NodeModules(node)) => {
                let target = ObjectRef::cluster(Kind::NodeModulesConfig, node.as_str());
                if let Some(stored) = cluster.store().find(&target)
                    && actions.is_empty()
                    && stored.value["status"].is_object()
                {
                    actions.push(Action::Patch {
                        target,
                        part: Part::Status,
                        precondition: Precondition::default(),
                        patch: json!({"status": stored.value["status"]}),
                    });
                }
            }
            (Self::InUseNotMarked, Key::Assign(_)) => {
                for action in actions {
                    let labels = match action {
                        Action::Create { object } => &mut object["metadata"]["labels"],
                        Action::Patch { patch, target, .. } if target.kind == Kind::NodeModulesConfig => {
                            &mut patch["metadata"]["labels"]
                        }
                        Action::Patch { .. }
                        | Action::Delete { .. }
                        | Action::Event(_)
                        | Action::AskRegistry(_) => {
                            continue;
                        }
                    };
                    if let Some(labels) = labels.as_object_mut() {
                        labels.retain(|key, _| names::module_in_use(key).is_none());
                    }
                }
            }
            (Self::NeverWithdrawn, Key::Assign(_)) => actions.retain(|action| {
                let Action::Patch { patch, target, .. } = action else {
                    return true;
                };
                let labels = patch["metadata"]["labels"].as_object();
                target.kind != Kind::NodeModulesConfig
                    || !labels.is_some_and(|labels| labels.values().any(Value::is_null))
            }),
            (Self::DaemonSetStays, Key::DevicePlugin(_)) | (Self::FailedStays, Key::Images(_)) => {
                actions.retain(|action| !matches!(action, Action::Delete { .. }));
            }
            (Self::FailedStays, Key::NodeModules(_)) => {
                let failed = |action: &Action| {
                    let target = action.target().filter(|target| target.kind == Kind::Pod);
                    let stored = target.and_then(|target| cluster.store().find(&target));
                    let pod = stored.and_then(|stored| stored.seen.pod());
                    pod.is_some_and(|pod| pod.status.phase == crate::reconcile::PodPhase::Failed)
                };
                actions.retain(|action| !failed(action));
            }
            (Self::ImageNotChecked, Key::Images(name)) => {
                let target = ObjectRef::namespaced(
                    Kind::ModuleImagesConfig,
                    name.namespace.as_str(),
                    name.name.as_str(),
                );
                let images = cluster
                    .store()
                    .find(&target)
                    .and_then(|stored| stored.seen.images());
                let specs = images.into_iter().flat_map(|images| &images.spec.images);
                let states: Vec<Value> = specs
                    .map(|spec| json!({"image": spec.image, "status": "Exists"}))
                    .collect();
                if !actions.is_empty() {
                    *actions = vec![Action::Patch {
                        target,
                        part: Part::Status,
                        precondition: Precondition::default(),
                        patch: json!({"status": {"imagesStates": states}}),
                    }];
                }
            }
            (
                Self::ReadyStays
                | Self::TargetStays
                | Self::PluginReadyStays
                | Self::ReadyEarly
                | Self::ReadyGoesLate
                | Self::PodGoesFirst
                | Self::StatusForgotten
                | Self::NoUnload
                | Self::ModuleGoesFirst
                | Self::ModuleStays
                | Self::PluginPodStays
                | Self::WorkersWithoutFinalizer
                | Self::WorkersForgotten
                | Self::BootNotRecorded
                | Self::NamesOfTheirOwn
                | Self::RestlessStatus
                | Self::InUseNotMarked
                | Self::NeverWithdrawn
                | Self::DaemonSetStays
                | Self::FailedStays
                | Self::ImageNotChecked
                | Self::RetryForgotten
                | Self::IdleIsSilent
                | Self::RebootNotSeen
                | Self::KernelNotSeen
                | Self::TerminatingIsGone
                | Self::LastWordsNotHeard
                | Self::OwnWritesForgotten
                | Self::NodeLabelsNotSeen,
                _,
            ) => {}
        }
    }

    /// Makes the mistake in what the operator sees: `Null` where it does not see the object at all.
    pub(in crate::sim) fn distort(self, object: &Value, before: Option<&Seen>) -> Option<Value> {
        let kind = object["kind"].as_str();
        let mut shown = object.clone();
        match (self, kind, before.and_then(Seen::node)) {
            (Self::RebootNotSeen, Some("Node"), Some(node)) => {
                shown["status"]["nodeInfo"]["bootID"] = json!(node.facts.boot_id);
            }
            (Self::KernelNotSeen, Some("Node"), Some(node)) => {
                shown["status"]["nodeInfo"]["kernelVersion"] = json!(node.facts.kernel_version);
            }
            (Self::NodeLabelsNotSeen, Some("Node"), Some(node)) => {
                if node.facts.labels.contains_key("pool") {
                    shown["metadata"]["labels"]["pool"] = json!("acme");
                }
            }
            (Self::TerminatingIsGone, Some("Pod"), _)
                if object["metadata"]["deletionTimestamp"].is_string() =>
            {
                shown = Value::Null;
            }
            (Self::LastWordsNotHeard, Some("Pod"), _) if object["status"]["phase"] == "Failed" => {
                shown["status"]["containerStatuses"] = json!([]);
            }
            (_, _, _) => return None,
        }
        Some(shown)
    }
}

fn removes_labels_of_node(action: &Action) -> bool {
    let Action::Patch { target, patch, .. } = action else {
        return false;
    };
    let labels = patch["metadata"]["labels"].as_object();
    target.kind == Kind::Node && labels.is_some_and(|labels| labels.values().any(Value::is_null))
}

fn is_status(action: &Action) -> bool {
    matches!(
        action,
        Action::Patch {
            part: Part::Status,
            ..
        }
    )
}

fn lets_go(action: &Action) -> bool {
    let Action::Patch { target, patch, .. } = action else {
        return false;
    };
    let finalizers = &patch["metadata"]["finalizers"];
    let adds = finalizers
        .as_array()
        .is_some_and(|list| list.iter().any(|finalizer| finalizer == names::MODULE_FINALIZER));
    matches!(target.kind, Kind::Module | Kind::Pod) && !patch["metadata"]["finalizers"].is_null() && !adds
        || target.kind == Kind::Pod && patch.pointer("/metadata/finalizers").is_some()
}

fn worker(action: &Action) -> Option<&Value> {
    let Action::Create { object } = action else {
        return None;
    };
    (object["kind"] == "Pod").then_some(object)
}

fn is(object: &Value, action: &str) -> bool {
    object["metadata"]["labels"][names::WORKER_ACTION] == action
}

fn ready_of(object: &Value) -> String {
    let metadata = &object["metadata"];
    names::ready(&crate::resolve::ModuleName {
        name: metadata["labels"][names::MODULE_NAME]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        namespace: metadata["namespace"].as_str().unwrap_or_default().to_owned(),
    })
}

fn each_worker(actions: &mut [Action], mut change: impl FnMut(&mut Value)) {
    for action in actions {
        if let Action::Create { object } = action
            && object["kind"] == "Pod"
        {
            change(object);
        }
    }
}

/// Instead of making a NodeModulesConfig for worker pods that are left, these are let go.
fn forget_workers(node: &str, actions: &mut Vec<Action>, cluster: &Cluster) {
    let makes_config = |action: &Action| {
        let Action::Create { object } = action else {
            return false;
        };
        object["kind"] == Kind::NodeModulesConfig.name()
    };
    if !actions.iter().any(makes_config) {
        return;
    }
    actions.clear();
    let pods = cluster
        .store()
        .all(Kind::Pod)
        .filter_map(|stored| stored.seen.pod());
    let workers = pods.filter(|pod| pod.label(names::WORKER_ACTION).is_some() && pod.node_name() == node);
    for pod in workers {
        let precondition = Precondition::default();
        if !pod.metadata.finalizers.is_empty() {
            actions.push(Action::Patch {
                target: pod.reference(),
                part: Part::Object,
                precondition: precondition.clone(),
                patch: json!({"metadata": {"finalizers": null}}),
            });
        }
        if !pod.is_terminating() {
            let target = pod.reference();
            actions.push(Action::Delete { target, precondition });
        }
    }
}

/// What would be done if the labels had gone is done first, and then they go.
fn ready_goes_late(node: &str, actions: &mut Vec<Action>, cluster: &Cluster) {
    let cache = cluster.driver.cache();
    let target = ObjectRef::cluster(Kind::NodeModulesConfig, node);
    let config = cache.find(&target).and_then(|seen| seen.node_modules());
    let (Some(config), Some(node)) = (config, cache.node(node)) else {
        return;
    };
    let labels: Vec<Action> = actions
        .extract_if(.., |action| removes_labels_of_node(action))
        .collect();
    if labels.is_empty() {
        return;
    }
    let mut bare = node.clone();
    bare.facts
        .labels
        .retain(|label, _| !matches!(NodeLabel::parse(label), Some(NodeLabel::Ready(_))));
    let pods = cache.all(Kind::Pod).filter_map(|seen| seen.pod());
    let on_node = pods.filter(|pod| pod.node_name() == node.name());
    let (workers, others): (Vec<Pod>, Vec<Pod>) = on_node
        .cloned()
        .partition(|pod| pod.label(names::WORKER_ACTION).is_some());
    let plugins: Vec<Pod> = others.into_iter().filter(Pod::is_plugin).collect();
    *actions = node_modules::plan(&node_modules::View {
        config,
        node: Some(&bare),
        workers: &workers,
        plugins: &plugins,
        installation: &Installation::default(),
        now: cluster.now(),
    })
    .actions;
    actions.extend(labels);
}

/// Instead of unloading, the entry of the status is dropped.
fn no_unload(node: &str, actions: &mut Vec<Action>, cluster: &Cluster) {
    let target = ObjectRef::cluster(Kind::NodeModulesConfig, node);
    let config = cluster
        .store()
        .find(&target)
        .and_then(|stored| stored.seen.node_modules());
    let Some(config) = config else {
        return;
    };
    for action in actions {
        let Some(object) = worker(action).filter(|object| is(object, names::UNLOAD)) else {
            continue;
        };
        let name = &object["metadata"]["labels"][names::MODULE_NAME];
        let rest: Vec<_> = config
            .status
            .modules
            .iter()
            .filter(|entry| *name != entry.name.as_str())
            .collect();
        *action = Action::Patch {
            target: target.clone(),
            part: Part::Status,
            precondition: Precondition::default(),
            patch: json!({"status": {"modules": rest}}),
        };
    }
}
