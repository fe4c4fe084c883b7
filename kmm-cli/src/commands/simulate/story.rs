//! What happened, as lines: when, who, what, why.

use std::collections::HashSet;

use kmm_core::reconcile::Action;
use kmm_core::reconcile::Cause;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::LoadWhy;
use kmm_core::reconcile::Part;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::Progress;
use kmm_core::reconcile::Reason;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;
use kmm_core::sim::Deed;
use kmm_core::sim::Moment;
use serde::Serialize;
use serde_json::Value;

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Seconds since the start.
    pub at: u64,
    /// `operator`, `kubernetes`, `user`, or the name of a node.
    pub who: String,
    /// What.
    pub what: String,
    /// Why, where there is a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether it belongs to the short story.
    #[serde(rename = "main")]
    pub is_main: bool,
}

/// The lines of what happened.
///
/// What is said again and again, such as that a worker fails, belongs to the short story once; what is the reason of
/// something that is done at that moment, not at all.
pub fn tell(moments: &[Moment], start: Timestamp) -> Vec<Line> {
    let mut done = HashSet::new();
    for moment in moments {
        let Some(action) = moment.deed.action() else {
            continue;
        };
        if let Deed::Wrote { plan, .. } = &moment.deed {
            let told = wrote(action, plan).into_iter();
            done.extend(told.filter_map(|(what, why)| Some((moment.at, what, why?))));
        }
    }
    let mut said = HashSet::new();
    let mut out = Vec::new();
    for moment in moments {
        for mut line in lines(moment, start) {
            if let Deed::Reason { reason, .. } = &moment.deed {
                let subject = subject(reason);
                let why = reason.cause.to_string();
                let dropped = reason.module.as_ref().map(|module| dropped(&reason.node, module));
                let is_reason = dropped.is_some_and(|what| done.contains(&(moment.at, what, why)));
                line.is_main &= !is_reason && said.insert((subject, reason.cause.code()));
            }
            out.push(line);
        }
    }
    out
}

fn lines(moment: &Moment, start: Timestamp) -> Vec<Line> {
    let line = |what: String, why: Option<String>, is_main: bool| Line {
        at: moment.at.after(start).as_secs(),
        who: moment.deed.doer().to_owned(),
        what,
        why,
        is_main,
    };
    match &moment.deed {
        Deed::Wrote { plan, .. } => {
            let told = moment.deed.action().map(|action| wrote(action, plan));
            match told {
                Some(told) if !told.is_empty() => told
                    .into_iter()
                    .map(|(what, why)| line(what, why, true))
                    .collect(),
                Some(_) | None => vec![line(moment.deed.to_string(), None, false)],
            }
        }
        Deed::Reason { reason, .. } => {
            let (subject, cause) = (subject(reason), reason.cause.to_string());
            let what = if subject.is_empty() {
                cause
            } else {
                format!("{subject}: {cause}")
            };
            vec![line(what, None, is_told(&reason.cause))]
        }
        Deed::Pod {
            pod, phase, reason, ..
        } => {
            let what = format!("pod {}: {phase}", pod.name);
            let why = (!reason.is_empty()).then(|| reason.clone());
            // What the operator says of it says more.
            vec![line(what, why, false)]
        }
        Deed::Loaded {
            module, image, over, ..
        } => {
            let over = over
                .as_ref()
                .map_or_else(String::new, |over| format!(", over {over}"));
            vec![line(
                format!("{} is loaded from {image}{over}", name(module)),
                None,
                true,
            )]
        }
        Deed::Unloaded { module, .. } => vec![line(format!("{} is unloaded", name(module)), None, true)],
        Deed::Kubernetes { text } => vec![line(text.clone(), None, text.starts_with("daemon set: "))],
        Deed::User { .. } | Deed::Refused { .. } | Deed::Told { .. } | Deed::Asked { .. } => {
            vec![line(moment.deed.to_string(), None, false)]
        }
    }
}

/// What a write means for people; nothing where it is bookkeeping.
fn wrote(action: &Action, plan: &Plan) -> Vec<(String, Option<String>)> {
    match action {
        Action::Create { object } => created(object, plan),
        Action::Patch {
            target,
            part: Part::Object,
            patch,
            ..
        } => match target.kind {
            Kind::NodeModulesConfig => assigned(&target.name, patch, plan),
            Kind::Node => labelled(&target.name, patch),
            Kind::DaemonSet => vec![(format!("DaemonSet {} is changed", target.name), None)],
            Kind::Module if patch["metadata"]["finalizers"] == serde_json::json!([]) => {
                let what = format!("Module {}/{} is released", target.namespace, target.name);
                vec![(what, Some("no node has it any more".to_owned()))]
            }
            Kind::Module
            | Kind::ModuleBuildSignConfig
            | Kind::ModuleImagesConfig
            | Kind::Namespace
            | Kind::Pod => Vec::new(),
        },
        Action::Delete { target, .. } => match target.kind {
            Kind::DaemonSet => vec![(format!("DaemonSet {} is deleted", target.name), None)],
            Kind::Pod => {
                // Those that have come to their end are only cleared away.
                let early = plan.reasons.iter().find(|reason| {
                    matches!(&reason.cause,
                        Cause::WorkerOutdated { pod } | Cause::WorkerOrphaned { pod } | Cause::PullPodUnwanted { pod }
                            if *pod == target.name)
                });
                let why = early.map(|reason| reason.cause.to_string());
                why.map(|why| (format!("pod {} is deleted", target.name), Some(why)))
                    .into_iter()
                    .collect()
            }
            Kind::Module
            | Kind::ModuleBuildSignConfig
            | Kind::ModuleImagesConfig
            | Kind::Namespace
            | Kind::Node
            | Kind::NodeModulesConfig => Vec::new(),
        },
        Action::Patch {
            part: Part::Status, ..
        }
        | Action::Event(_)
        | Action::AskRegistry(_) => Vec::new(),
    }
}

fn created(object: &Value, plan: &Plan) -> Vec<(String, Option<String>)> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name = text("/metadata/name");
    let labels = &object["metadata"]["labels"];
    match object["kind"].as_str() {
        Some("NodeModulesConfig") => assigned(name, object, plan),
        Some("DaemonSet") => vec![(format!("DaemonSet {name} is made"), None)],
        Some("Pod") => {
            if let Some(action) = labels[names::WORKER_ACTION].as_str() {
                let module = ModuleName {
                    name: labels[names::MODULE_NAME].as_str().unwrap_or_default().to_owned(),
                    namespace: text("/metadata/namespace").to_owned(),
                };
                let verb = if action == names::LOAD { "load" } else { "unload" };
                let what = format!(
                    "pod {name} is made on {}, to {verb} {}",
                    text("/spec/nodeName"),
                    self::name(&module)
                );
                let about = plan
                    .reasons
                    .iter()
                    .filter(|reason| reason.module.as_ref() == Some(&module));
                let why = about.filter_map(|reason| work(&reason.cause)).next_back();
                return vec![(what, why.map(str::to_owned))];
            }
            let image = text("/spec/containers/0/image");
            vec![(
                format!("pod {name} is made, to pull {image}"),
                Some("nobody knows yet whether the image exists".to_owned()),
            )]
        }
        Some(_) | None => Vec::new(),
    }
}

/// Why a worker pod is made.
fn work(cause: &Cause) -> Option<&'static str> {
    match cause {
        Cause::Loading { why: LoadWhy::New } => Some("it is not loaded"),
        Cause::Loading { why: LoadWhy::Reboot } => Some("the node was started anew"),
        Cause::Loading {
            why: LoadWhy::OtherKernel,
        } => Some("the node runs another kernel"),
        Cause::Unloading { reload: true } => Some("something else of it is wanted"),
        Cause::Unloading { reload: false } => Some("it is not wanted there any more"),
        _ => None,
    }
}

/// What a node is to have from now on, or no longer.
fn assigned(node: &str, patch: &Value, plan: &Plan) -> Vec<(String, Option<String>)> {
    let mut told = Vec::new();
    for reason in &plan.reasons {
        let Some(module) = &reason.module else {
            continue;
        };
        let label = &patch["metadata"]["labels"];
        let is_dropped = label.get(names::configured(module)).is_some_and(Value::is_null);
        match &reason.cause {
            Cause::Assigning { image } => {
                told.push((format!("{node} is to have {} from {image}", name(module)), None));
            }
            cause if is_dropped => {
                let why = match cause {
                    Cause::Withdrawing => "its labels do not fit the selector".to_owned(),
                    cause => cause.to_string(),
                };
                told.push((dropped(node, module), Some(why)));
            }
            _ => {}
        }
    }
    told
}

fn dropped(node: &str, module: &ModuleName) -> String {
    format!("{node} is no longer to have {}", name(module))
}

/// Labels of a node that people wait for: the ready ones.
fn labelled(node: &str, patch: &Value) -> Vec<(String, Option<String>)> {
    let labels = patch["metadata"]["labels"].as_object().into_iter().flatten();
    let ready = labels.filter(|(key, _)| key.ends_with("ready"));
    ready
        .map(|(key, value)| {
            let verb = if value.is_null() { "loses" } else { "gets" };
            (format!("{node} {verb} the label {key}"), None)
        })
        .collect()
}

/// Whether a reason for which nothing is written belongs to the short story.
fn is_told(cause: &Cause) -> bool {
    match cause.progress() {
        Progress::Done | Progress::Acting => false,
        Progress::Waiting | Progress::Stuck => !matches!(
            cause,
            // Others say the same, or it goes by in a moment.
            Cause::NodesLeftOut { .. }
                | Cause::ImageNotReady { .. }
                | Cause::WorkerBusy { .. }
                | Cause::WorkerGoing { .. }
                | Cause::Pulling { .. }
        ),
    }
}

fn subject(reason: &Reason) -> String {
    let module = reason.module.as_ref().map(name);
    match (module, reason.node.as_str()) {
        (Some(module), "") => module,
        (Some(module), node) => format!("{module} on {node}"),
        (None, node) => node.to_owned(),
    }
}

/// `namespace/name`.
pub fn name(module: &ModuleName) -> String {
    format!("{}/{}", module.namespace, module.name)
}
