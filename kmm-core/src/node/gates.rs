//! The gates, one function each.

use crate::api::Toleration;
use crate::kernel::KernelVersion;
use crate::module::Compiled;
use crate::module::Mapped;
use crate::pattern::escape;
use crate::resolve::ResolveError;
use crate::resolve::Resolved;

use super::NodeFacts;
use super::Taint;
use super::gate::Gate;
use super::gate::GateKind;
use super::gate::Medium;
use super::gate::Status;
use super::image_name;
use super::quoting::anchored;
use super::quoting::shell;
use super::quoting::yaml;

/// Does the node have the labels?
pub(super) fn selector(compiled: &Compiled, node: &NodeFacts) -> Gate {
    let kind = GateKind::Selector;
    let selector = compiled.selector();
    if selector.is_empty() {
        return Gate::new(kind, Status::Pass, "the selector is empty: it is for every node");
    }
    let mut wrong = Vec::new();
    let mut change = String::new();
    let mut overwrite = "";
    for (key, value) in selector {
        match node.labels.get(key) {
            Some(found) if found == value => continue,
            Some(found) => {
                overwrite = " --overwrite";
                wrong.push(format!(
                    "label `{key}` is {} and has to be {}",
                    quoted(found),
                    quoted(value)
                ));
            }
            None => wrong.push(format!(
                "label `{key}` is missing and has to be {}",
                quoted(value)
            )),
        }
        change.push(' ');
        change.push_str(&shell(&format!("{key}={value}")));
    }
    if wrong.is_empty() {
        return Gate::new(kind, Status::Pass, "the node has every label of the selector");
    }
    Gate::new(kind, Status::Fail, wrong.join("; ")).or(
        "give the node the labels",
        Medium::Command,
        format!("kubectl label node {}{overwrite}{change}", shell(&node.name)),
    )
}

/// A label value in backticks; an empty one by name.
fn quoted(value: &str) -> String {
    if value.is_empty() {
        "empty".to_owned()
    } else {
        format!("`{value}`")
    }
}

/// Is every taint tolerated?
pub(super) fn taints(compiled: &Compiled, node: &NodeFacts) -> Gate {
    let kind = GateKind::Taints;
    let untolerated: Vec<&Taint> = node.untolerated(compiled.tolerations()).collect();
    if untolerated.is_empty() {
        return Gate::new(kind, Status::Pass, taints_pass(node));
    }
    let list = |taints: &[&Taint]| {
        let quoted: Vec<String> = taints.iter().map(|taint| format!("`{taint}`")).collect();
        quoted.join(", ")
    };
    let mut gate = Gate::new(
        kind,
        Status::Fail,
        format!("nothing tolerates {}", list(&untolerated)),
    );
    let name = shell(&node.name);
    let (system, chosen): (Vec<&Taint>, Vec<&Taint>) =
        untolerated.iter().copied().partition(|taint| is_system(taint));
    if system
        .iter()
        .any(|taint| taint.key == "node.kubernetes.io/unschedulable")
    {
        let summary = "end the cordon: Kubernetes removes the taint";
        gate = gate.or(summary, Medium::Command, format!("kubectl uncordon {name}"));
    }
    if system
        .iter()
        .any(|taint| taint.key != "node.kubernetes.io/unschedulable")
    {
        let summary =
            "find out what is wrong with the node: Kubernetes removes the taint when it is well again";
        gate = gate.or(summary, Medium::Command, format!("kubectl describe node {name}"));
    }
    gate = gate.or(
        "tolerate in the Module: append to its `spec.tolerations`",
        Medium::Manifest,
        tolerations_yaml(&untolerated),
    );
    if !chosen.is_empty() && system.is_empty() {
        let mut command = format!("kubectl taint node {name}");
        for taint in &chosen {
            command.push(' ');
            command.push_str(&shell(&format!("{taint}-")));
        }
        gate = gate.or("or take the taint off the node", Medium::Command, command);
    }
    gate
}

fn taints_pass(node: &NodeFacts) -> String {
    let blocking = node.taints.iter().filter(|taint| taint.blocks()).count();
    let mut reason = match blocking {
        0 => "the node has no taint that blocks".to_owned(),
        1 => "its one taint that blocks is tolerated".to_owned(),
        n => format!("all its {n} taints that block are tolerated"),
    };
    if blocking < node.taints.len() {
        reason.push_str("; `PreferNoSchedule` never blocks");
    }
    if node.unschedulable
        && !node
            .taints
            .iter()
            .any(|taint| taint.key == "node.kubernetes.io/unschedulable")
    {
        reason.push_str("; it is cordoned, but only the taint for it counts, and that is not there yet");
    }
    reason
}

/// Whether Kubernetes itself puts the taint on and takes it off.
fn is_system(taint: &Taint) -> bool {
    taint.key.starts_with("node.kubernetes.io/")
}

fn tolerations_yaml(taints: &[&Taint]) -> String {
    let mut text = String::from("tolerations:");
    for taint in taints {
        let toleration = if taint.value.is_empty() {
            Toleration {
                operator: "Exists".to_owned(),
                ..Toleration::default()
            }
        } else {
            Toleration {
                operator: "Equal".to_owned(),
                value: taint.value.clone(),
                ..Toleration::default()
            }
        };
        text.push_str(&format!("\n- key: {}", yaml(&taint.key)));
        text.push_str(&format!("\n  operator: {}", toleration.operator));
        if !toleration.value.is_empty() {
            text.push_str(&format!("\n  value: {}", yaml(&toleration.value)));
        }
        text.push_str(&format!("\n  effect: {}", yaml(&taint.effect)));
    }
    text
}

/// Can the node run pods?
pub(super) fn readiness(node: &NodeFacts) -> Gate {
    let kind = GateKind::Readiness;
    match node.ready {
        Some(true) => Gate::new(kind, Status::Pass, "the node is ready"),
        None => Gate::new(kind, Status::Note, "nothing is known of the condition `Ready`"),
        Some(false) => Gate::new(
            kind,
            Status::Fail,
            "the node is not ready: it is targeted, but its kubelet does not start the worker pod",
        )
        .or(
            "find out what is wrong with the node",
            Medium::Command,
            format!("kubectl describe node {}", shell(&node.name)),
        ),
    }
}

/// Does a mapping take the kernel?
pub(super) fn mapping(
    compiled: &Compiled,
    kernel: &KernelVersion,
    outcome: &Result<Resolved, ResolveError>,
) -> Gate {
    let kind = GateKind::Mapping;
    let won = match outcome {
        Ok(resolved) => Some(&resolved.mapping),
        Err(error) => error.mapping(),
    };
    if let Some(choice) = won {
        let index = choice.index;
        let by = match choice.by {
            Mapped::Literal => "literal",
            Mapped::Regexp => "regexp",
        };
        let reason = format!(
            "`kernelMappings[{index}]` takes `{}` by its {by}",
            kernel.matched()
        );
        return Gate::new(kind, Status::Pass, reason);
    }
    match outcome {
        Err(ResolveError::NoModuleLoader) => Gate::new(
            kind,
            Status::Note,
            "the Module has no `moduleLoader`: it loads no kernel module anywhere",
        ),
        Err(ResolveError::Regexp {
            index, regexp, error, ..
        }) => Gate::new(
            kind,
            Status::Fail,
            format!(
                "`kernelMappings[{index}]` has a regexp that is refused, which hides those below: {error}"
            ),
        )
        .or(
            "if exactly these characters are meant, escape them",
            Medium::Manifest,
            format!("regexp: {}", yaml(&escape(regexp))),
        ),
        Err(ResolveError::NoMapping { .. } | ResolveError::Kernel { .. } | ResolveError::Template { .. })
        | Ok(_) => no_mapping(compiled, kernel),
    }
}

fn no_mapping(compiled: &Compiled, kernel: &KernelVersion) -> Gate {
    let matched = kernel.matched();
    if matched.is_empty() {
        let reason = "the node does not say which kernel it runs";
        return Gate::new(GateKind::Mapping, Status::Fail, reason);
    }
    let count = compiled.mappings().len();
    let inherits = compiled.loader().is_some_and(|loader| loader.has_default_image);
    // The CRD wants the key also where the image of the container is used.
    let image = if inherits {
        "''".to_owned()
    } else {
        yaml("registry.example/image:${KERNEL_FULL_VERSION}")
    };
    let mapping = |by: &str, value: &str| format!("- {by}: {}\n  containerImage: {image}", yaml(value));
    Gate::new(
        GateKind::Mapping,
        Status::Fail,
        match count {
            0 => "there are no kernel mappings".to_owned(),
            1 => format!("the one kernel mapping does not take `{matched}`"),
            _ => format!("none of the {count} kernel mappings takes `{matched}`"),
        },
    )
    .or(
        if inherits {
            "add a mapping for this kernel; `''` stands for the image of the container"
        } else {
            "add a mapping for this kernel, with your image"
        },
        Medium::Manifest,
        mapping("literal", matched),
    )
    .or(
        "or one with a regexp, to be widened with care",
        Medium::Manifest,
        mapping("regexp", &anchored(matched)),
    )
}

/// Do the templates expand?
pub(super) fn template(kernel: &KernelVersion, outcome: &Result<Resolved, ResolveError>) -> Gate {
    let kind = GateKind::Template;
    match outcome {
        Ok(resolved) => Gate::new(
            kind,
            Status::Pass,
            format!("the image is `{}`", resolved.container_image),
        ),
        Err(ResolveError::Kernel { .. }) => Gate::new(
            kind,
            Status::Fail,
            format!(
                "`{}` has fewer than three parts, so there is no `KERNEL_X`, `KERNEL_Y` and `KERNEL_Z`, and no \
                 template is expanded",
                kernel.normalized()
            ),
        ),
        Err(ResolveError::Template {
            path,
            template,
            error,
            ..
        }) => Gate::new(
            kind,
            Status::Fail,
            format!("`{template}` at `{path}` does not expand: {error}"),
        ),
        Err(_) => Gate::new(kind, Status::Note, "not reached: no mapping"),
    }
}

/// Does a container runtime take the image name?
pub(super) fn image(outcome: &Result<Resolved, ResolveError>) -> Gate {
    let kind = GateKind::Image;
    let Ok(resolved) = outcome else {
        return Gate::new(kind, Status::Note, "not reached: no image name");
    };
    let image = &resolved.container_image;
    match image_name::fault(image) {
        Some(fault) => Gate::new(
            kind,
            Status::Fail,
            format!("`{image}` is refused by container runtimes: {fault}"),
        ),
        None if image_name::is_floating(image) => Gate::new(
            kind,
            Status::Note,
            format!("`{image}` has neither tag nor digest: `latest` is pulled"),
        ),
        None => Gate::new(
            kind,
            Status::Pass,
            "the name is well-formed; whether the image exists is not checked here",
        ),
    }
}

/// Not a gate: nothing looks at the architecture.
pub(super) fn architecture(node: &NodeFacts) -> Gate {
    let reason = if node.architecture.is_empty() {
        "the node does not say which architecture it has".to_owned()
    } else {
        format!(
            "the node is `{}`; nothing checks that the image is",
            node.architecture
        )
    };
    Gate::new(GateKind::Architecture, Status::Note, reason)
}
