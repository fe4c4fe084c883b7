//! The DaemonSet of a Module's device plugin.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::api::CommonContainerSpec;
use crate::api::DaemonSetStatus;
use crate::api::DevicePluginSpec;
use crate::api::Module;

use super::Action;
use super::Cause;
use super::DaemonSet;
use super::Kind;
use super::ObjectRef;
use super::Part;
use super::Plan;
use super::Precondition;
use super::Reason;
use super::assign::module_name;
use super::module::Tally;
use super::module::controller_of;
use super::module::count;
use super::names;
use super::state;
use super::template;

/// What the controller of device plugins is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The Module.
    pub module: &'a Module,
    /// Its counts.
    pub tally: &'a Tally,
    /// The DaemonSets of its namespace with the label [`names::MODULE_NAME`] that names it.
    pub daemon_sets: &'a [DaemonSet],
}

/// Decides for one Module.
pub fn plan(view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let module = view.module;
    let name = module_name(module);
    let existing: Vec<&DaemonSet> = view
        .daemon_sets
        .iter()
        .filter(|set| is_device_plugin(set))
        .collect();
    let deleting = module.metadata.deletion_timestamp.is_some();
    let wanted = module.spec.device_plugin.as_ref().filter(|_| !deleting);
    let Some(spec) = wanted else {
        for set in &existing {
            let cause = remove(set, &mut plan);
            plan.because(Reason::of_module(&name, cause));
        }
        let cause = if deleting {
            Cause::ModuleDeleting
        } else {
            Cause::NoDevicePlugin
        };
        plan.because(Reason::of_module(&name, cause));
        if !deleting {
            plan.actions.extend(status(module, DaemonSetStatus::default()));
        }
        return plan;
    };
    let version = version(module);
    let label = names::version_schedule_pod(&name);
    let version_of = |set: &DaemonSet| set.metadata.labels.get(&label).cloned().unwrap_or_default();
    let mut current: Vec<&DaemonSet> = existing
        .iter()
        .copied()
        .filter(|set| version_of(set) == version && !is_going(set))
        .collect();
    // Of twins always the same one stays, in whatever order a cache shows them.
    current.sort_by_key(|set| (&set.metadata.creation_timestamp, &set.metadata.name));
    let mut current = current.into_iter();
    let object = desired(module, spec);
    let cause = match current.next() {
        None => {
            let set = names::device_plugin_daemon_set(&name.name, version);
            plan.act(Action::Create { object });
            Cause::DevicePluginWriting { name: set }
        }
        Some(set) => bring_up(set, &object, module, &mut plan),
    };
    plan.because(Reason::of_module(&name, cause));
    for set in current {
        let cause = remove(set, &mut plan);
        plan.because(Reason::of_module(&name, cause));
    }
    let old = existing.iter().filter(|set| version_of(set) != version);
    for set in old.filter(|set| !is_going(set)) {
        let cause = outlived(set, &mut plan);
        plan.because(Reason::of_module(&name, cause));
    }
    let targets = count(view.tally.plugin_targets());
    let available = existing.iter().map(|set| set.status.number_available).sum();
    let counts = DaemonSetStatus {
        nodes_matching_selector_number: targets,
        desired_number: targets,
        available_number: available,
    };
    plan.actions.extend(status(module, counts));
    plan
}

fn version(module: &Module) -> &str {
    let loader = module.spec.module_loader.as_ref();
    loader.map_or("", |loader| &loader.container.version)
}

/// Old releases gave no role.
fn is_device_plugin(set: &DaemonSet) -> bool {
    match set.metadata.labels.get(names::ROLE).map(String::as_str) {
        Some(names::MODULE_LOADER | names::DRA) => false,
        Some(_) | None => true,
    }
}

fn is_going(set: &DaemonSet) -> bool {
    set.metadata.deletion_timestamp.is_some()
}

fn delete(set: &DaemonSet) -> Option<Action> {
    (!is_going(set)).then(|| Action::Delete {
        target: set.reference(),
        precondition: Precondition {
            resource_version: None,
            ..state::unchanged(&set.metadata)
        },
    })
}

fn remove(set: &DaemonSet, plan: &mut Plan) -> Cause {
    plan.actions.extend(delete(set));
    let name = set.metadata.name.clone();
    Cause::OldDevicePluginRemoved { name }
}

/// A DaemonSet of another version: it goes when no node wants it any more, which has to be counted first.
fn outlived(set: &DaemonSet, plan: &mut Plan) -> Cause {
    let name = set.metadata.name.clone();
    match set.status.desired_number_scheduled {
        nodes if nodes > 0 => Cause::OldDevicePluginKept { name, nodes },
        _ if !set.is_counted() => Cause::OldDevicePluginUncounted { name },
        _ => remove(set, plan),
    }
}

/// Changes a DaemonSet where it is not as wanted.
fn bring_up(set: &DaemonSet, object: &Value, module: &Module, plan: &mut Plan) -> Cause {
    let name = set.metadata.name.clone();
    let labels = &object["metadata"]["labels"];
    if set.spec["selector"]["matchLabels"] != *labels {
        // A selector can never be changed. The one that is made anew has a name of its own.
        plan.actions.extend(delete(set));
        plan.act(Action::Create {
            object: object.clone(),
        });
        return Cause::DevicePluginReplaced { name };
    }
    let mut patch = json!({});
    let missing: Map<String, Value> = labels
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| set.metadata.labels.get(*key).map(String::as_str) != value.as_str())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !missing.is_empty() {
        patch["metadata"]["labels"] = Value::Object(missing);
    }
    if !set
        .metadata
        .owner_references
        .iter()
        .any(|owner| owner.uid == module.metadata.uid)
    {
        let owners = set.metadata.owner_references.iter().map(|owner| json!(owner));
        let owners: Vec<Value> = owners.chain([controller_of(module)]).collect();
        patch["metadata"]["ownerReferences"] = json!(owners);
    }
    if let Some(change) = template::difference(&set.spec["template"], &object["spec"]["template"]) {
        patch["spec"]["template"] = change;
    }
    if patch == json!({}) {
        return Cause::DevicePluginCurrent { name };
    }
    plan.act(Action::Patch {
        target: set.reference(),
        part: Part::Object,
        precondition: state::unchanged(&set.metadata),
        patch,
    });
    Cause::DevicePluginWriting { name }
}

/// The DaemonSet as it should be.
fn desired(module: &Module, spec: &DevicePluginSpec) -> Value {
    let name = module_name(module);
    let version = version(module);
    let mut labels = BTreeMap::from([
        (names::MODULE_NAME.to_owned(), name.name.clone()),
        (names::ROLE.to_owned(), names::DEVICE_PLUGIN.to_owned()),
    ]);
    let mut selector = BTreeMap::from([
        (names::ready(&name), String::new()),
        (names::device_plugin_target(&name), String::new()),
    ]);
    if module.spec.module_loader.is_none() {
        selector.clone_from(&module.spec.selector);
    } else if !version.is_empty() {
        let label = names::version_schedule_pod(&name);
        labels.insert(label.clone(), version.to_owned());
        selector.insert(label, version.to_owned());
    }
    json!({
        "apiVersion": Kind::DaemonSet.api_version(),
        "kind": Kind::DaemonSet.name(),
        "metadata": {
            "name": names::device_plugin_daemon_set(&name.name, version),
            "namespace": name.namespace,
            "labels": labels,
            "ownerReferences": [controller_of(module)],
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "finalizers": [names::NODE_LABELER_FINALIZER]},
                "spec": pod_spec(module, spec, &selector),
            },
        },
    })
}

fn pod_spec(module: &Module, spec: &DevicePluginSpec, selector: &BTreeMap<String, String>) -> Value {
    let folder = "/var/lib/kubelet/device-plugins";
    let mount = json!({"name": "kubelet-device-plugins", "mountPath": folder});
    let volume = json!({"name": "kubelet-device-plugins", "hostPath": {"path": folder, "type": "Directory"}});
    let volumes: Vec<&Value> = std::iter::once(&volume).chain(&spec.volumes).collect();
    let mut pod = json!({
        "containers": [container("device-plugin", &spec.container, Some(&mount))],
        "priorityClassName": "system-node-critical",
        "volumes": volumes,
    });
    if let Some(init) = &spec.init_container {
        pod["initContainers"] = json!([container("device-plugin-init", init, None)]);
    }
    if !selector.is_empty() {
        pod["nodeSelector"] = json!(selector);
    }
    if let Some(secret) = &module.spec.image_repo_secret {
        pod["imagePullSecrets"] = json!([secret]);
    }
    if !spec.service_account_name.is_empty() {
        pod["serviceAccountName"] = json!(spec.service_account_name);
    }
    if let Some(automount) = spec.automount_service_account_token {
        pod["automountServiceAccountToken"] = json!(automount);
    }
    if !module.spec.tolerations.is_empty() {
        pod["tolerations"] = json!(module.spec.tolerations);
    }
    pod
}

fn container(name: &str, spec: &CommonContainerSpec, mount: Option<&Value>) -> Value {
    let mounts: Vec<&Value> = mount.into_iter().chain(&spec.volume_mounts).collect();
    let mut out = json!({"name": name, "image": spec.image, "securityContext": {"privileged": true}});
    let lists = [
        ("args", json!(spec.args)),
        ("command", json!(spec.command)),
        ("env", json!(spec.env)),
        ("volumeMounts", json!(mounts)),
    ];
    for (key, list) in lists {
        if list != json!([]) {
            out[key] = list;
        }
    }
    if !spec.image_pull_policy.is_empty() {
        out["imagePullPolicy"] = json!(spec.image_pull_policy);
    }
    if let Some(resources) = &spec.resources {
        out["resources"] = resources.clone();
    }
    out
}

/// The write that makes the part of the status that is about the device plugin as it should be, if one is needed.
fn status(module: &Module, wanted: DaemonSetStatus) -> Option<Action> {
    let change = super::patch::difference(&json!(module.status.device_plugin), &json!(wanted))?;
    Some(Action::Patch {
        target: ObjectRef::namespaced(
            Kind::Module,
            module.metadata.namespace.as_str(),
            module.metadata.name.as_str(),
        ),
        part: Part::Status,
        precondition: Precondition {
            resource_version: None,
            ..state::unchanged(&module.metadata)
        },
        patch: json!({"status": {"devicePlugin": change}}),
    })
}

#[cfg(test)]
mod tests;
