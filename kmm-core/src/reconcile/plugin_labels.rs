//! Labels that say on which nodes device plugins and DRA drivers are ready.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::json;

use crate::resolve::ModuleName;

use super::Action;
use super::Cause;
use super::Node;
use super::Part;
use super::Plan;
use super::Pod;
use super::Reason;
use super::names;
use super::names::NodeLabel;

/// What the controller of plugin labels is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The node; `None` where it is gone.
    pub node: Option<&'a Node>,
    /// The pods of device plugins and DRA drivers on it: those of DaemonSets with the label [`names::MODULE_NAME`].
    pub pods: &'a [Pod],
}

/// Decides for one node.
///
/// A label goes when no pod of its own Module, namespace included, is ready.
pub fn plan(view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    if let Some(node) = view.node {
        let labels = labels(node, view.pods);
        let cause = if labels.is_empty() {
            Cause::PluginLabelsCurrent
        } else {
            plan.act(Action::labels(node.reference(), node.same(), &labels));
            Cause::PluginLabelsWriting
        };
        plan.because(Reason::of_node(node.name(), cause));
    } else if let Some(pod) = view.pods.first() {
        plan.because(Reason::of_node(pod.node_name(), Cause::NodeGoing));
    }
    // Of what has gone altogether nothing is said, and so nothing is kept of it.
    for pod in view.pods {
        plan.actions.extend(let_go(pod));
    }
    plan
}

fn labels(node: &Node, pods: &[Pod]) -> BTreeMap<String, Option<String>> {
    let mut ready = BTreeSet::new();
    for pod in pods {
        if pod.is_ready() && !pod.is_terminating() && !pod.module_name().is_empty() {
            let module = ModuleName {
                name: pod.module_name().to_owned(),
                namespace: pod.metadata.namespace.clone(),
            };
            ready.insert(match pod.label(names::ROLE) {
                Some(names::DRA) => names::dra_ready(&module),
                Some(_) | None => names::device_plugin_ready(&module),
            });
        }
    }
    let have = &node.facts.labels;
    let mut changes = BTreeMap::new();
    for key in have.keys() {
        match NodeLabel::parse(key) {
            Some(NodeLabel::DevicePluginReady(_) | NodeLabel::DraReady(_)) if !ready.contains(key) => {
                changes.insert(key.clone(), None);
            }
            Some(
                NodeLabel::Ready(_)
                | NodeLabel::VersionReady(_)
                | NodeLabel::DevicePluginTarget(_)
                | NodeLabel::DevicePluginReady(_)
                | NodeLabel::DraReady(_)
                | NodeLabel::OldReady,
            )
            | None => {}
        }
    }
    let new = ready.into_iter().filter(|key| !have.contains_key(key));
    changes.extend(new.map(|key| (key, Some(String::new()))));
    changes
}

/// Takes the finalizer off a pod that is being deleted: its label has been seen to.
fn let_go(pod: &Pod) -> Option<Action> {
    let finalizers = &pod.metadata.finalizers;
    let ours = |finalizer: &&String| *finalizer == names::NODE_LABELER_FINALIZER;
    if !pod.is_terminating() || !finalizers.iter().any(|finalizer| ours(&finalizer)) {
        return None;
    }
    let rest: Vec<&String> = finalizers.iter().filter(|finalizer| !ours(finalizer)).collect();
    let rest = if rest.is_empty() { json!(null) } else { json!(rest) };
    Some(Action::Patch {
        target: pod.reference(),
        part: Part::Object,
        precondition: pod.unchanged(),
        patch: json!({"metadata": {"finalizers": rest}}),
    })
}

#[cfg(test)]
mod tests;
