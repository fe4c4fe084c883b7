//! The gate of ordered upgrade: does the node ask for the version that the Module has?

use std::collections::BTreeMap;

use super::gate::Gate;
use super::gate::GateKind;
use super::gate::Medium;
use super::gate::Status;
use super::quoting;

/// Labels of one Module on one node.
struct Labels<'a> {
    /// Set by the administrator.
    wanted: Option<&'a str>,
    /// Set by the operator: the version that may be loaded.
    working: Option<&'a str>,
    /// Whether the module is loaded.
    ready: bool,
}

/// What the version-label controller and the Module controller make of the labels.
pub(super) fn gate(
    version: &str,
    node: &str,
    labels: &BTreeMap<String, String>,
    namespace: &str,
    name: &str,
) -> Gate {
    let kind = GateKind::Version;
    if version.is_empty() {
        return Gate::new(
            kind,
            Status::Pass,
            "the Module has no `version`: ordered upgrade is off",
        );
    }
    let wanted_key = format!("kmm.node.kubernetes.io/version-module.{namespace}.{name}");
    let working_key = format!("beta.kmm.node.kubernetes.io/version-worker-pod.{namespace}.{name}");
    let of = Labels {
        wanted: labels.get(&wanted_key).map(String::as_str),
        working: labels.get(&working_key).map(String::as_str),
        ready: labels.contains_key(&format!("kmm.node.kubernetes.io/{namespace}.{name}.ready")),
    };
    let is_wanted = of.wanted == Some(version);
    let blocked = |reason: String| {
        let text = format!(
            "kubectl label node {} --overwrite {}",
            quoting::shell(node),
            quoting::shell(&format!("{wanted_key}={version}"))
        );
        Gate::new(kind, Status::Fail, reason).or(
            "ask for the Module's version on this node",
            Medium::Command,
            text,
        )
    };
    match (of.wanted, of.working) {
        (Some(_), Some(working)) if is_wanted && working == version => Gate::new(
            kind,
            Status::Pass,
            format!("the node asks for version `{version}`"),
        ),
        (Some(_), Some(working)) if is_wanted => Gate::new(
            kind,
            Status::Note,
            format!(
                "an upgrade is under way: the operator takes `{working}` off before it loads `{version}`"
            ),
        ),
        (Some(_), None) if is_wanted && of.ready => Gate::new(
            kind,
            Status::Note,
            format!("the node asks for version `{version}`, which is loaded once the old one is unloaded"),
        ),
        (Some(_), None) if is_wanted => Gate::new(
            kind,
            Status::Pass,
            format!("the node asks for version `{version}`; the operator acts on it next"),
        ),
        (Some(wanted), Some(working)) if working == wanted => blocked(format!(
            "the node asks for version `{wanted}` and keeps it; the Module is at `{version}`"
        )),
        (Some(wanted), _) => blocked(format!(
            "the node asks for version `{wanted}`; the Module is at `{version}`"
        )),
        (None, Some(working)) => blocked(format!(
            "the label `{wanted_key}` is gone, so the operator takes version `{working}` off"
        )),
        (None, None) => blocked(format!(
            "the Module has version `{version}` and the node has no label `{wanted_key}`"
        )),
    }
}
