//! What a settled cluster has to look like, computed from the Modules and the nodes alone.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::api::Module;
use crate::api::ModuleConfig;
use crate::driver::Compilation;
use crate::kernel::KernelVersion;
use crate::reconcile::Kind;
use crate::reconcile::Node;
use crate::reconcile::ObjectRef;
use crate::reconcile::names;
use crate::resolve::ModuleName;
use crate::sim::Cluster;

use super::check::Violation;
use super::check::broken;

/// How many nodes are to have a Module, and how many have it by their status.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    desired: i32,
    available: i32,
}

/// What a node is to have of a Module.
enum Want {
    Nothing,
    Loaded(Box<ModuleConfig>),
    /// Ordered upgrade holds it: it keeps the entry that it has, whatever the Module says by now.
    Held,
}

fn wanted(module: &Module, compiled: &Compilation, name: &ModuleName, node: &Node) -> Want {
    let facts = &node.facts;
    let fits = module.metadata.deletion_timestamp.is_none()
        && module
            .spec
            .selector
            .iter()
            .all(|(key, value)| facts.labels.get(key) == Some(value))
        && facts.taints.is_empty();
    if !fits {
        return Want::Nothing;
    }
    let Ok(resolved) = compiled.resolve(&KernelVersion::new(facts.kernel_version.as_str())) else {
        return Want::Nothing;
    };
    if !resolved.module_version.is_empty() {
        match facts.labels.get(&names::version_worker_pod(name)) {
            None => return Want::Nothing,
            Some(label) if *label != resolved.module_version => return Want::Held,
            Some(_) => {}
        }
    }
    Want::Loaded(Box::new(resolved.module_config()))
}

/// Compares the cluster with what it should be.
pub(super) fn settled(cluster: &Cluster) -> Result<(), Violation> {
    let store = cluster.store();
    let modules: Vec<_> = store
        .all(Kind::Module)
        .filter_map(|stored| stored.seen.module())
        .collect();
    let nodes: Vec<&Node> = store
        .all(Kind::Node)
        .filter_map(|stored| stored.seen.node())
        .collect();
    let mut configured: BTreeMap<ModuleName, Counts> = BTreeMap::new();
    for node in &nodes {
        of_node(cluster, node, &modules, &mut configured)?;
    }
    for (module, _) in &modules {
        if module.metadata.deletion_timestamp.is_some() {
            return broken("deleted module that stays", module.metadata.name.clone());
        }
        let name = name_of(module);
        let wanted = configured.get(&name).copied().unwrap_or_default();
        let status = &module.status.module_loader;
        if (status.desired_number, status.available_number) != (wanted.desired, wanted.available) {
            return broken("counts", format!("{}: {status:?}, not {wanted:?}", name.name));
        }
    }
    let live: BTreeSet<&str> = modules
        .iter()
        .map(|(module, _)| module.metadata.name.as_str())
        .collect();
    for stored in store.objects() {
        let target = stored.seen.target();
        let left = match target.kind {
            Kind::ModuleImagesConfig => !live.contains(target.name.as_str()),
            Kind::NodeModulesConfig => !nodes.iter().any(|node| node.name() == target.name),
            Kind::DaemonSet => {
                let owner = stored.value["metadata"]["ownerReferences"][0]["name"].as_str();
                let mut owners = modules
                    .iter()
                    .filter(|(module, _)| Some(module.metadata.name.as_str()) == owner);
                !owners.any(|(module, _)| module.spec.device_plugin.is_some())
            }
            Kind::Pod => stored.seen.pod().is_some_and(|pod| {
                pod.label(names::WORKER_ACTION).is_some()
                    || pod.label(names::IMAGE_OWNER).is_some()
                    || pod.is_terminating()
            }),
            Kind::Namespace => {
                let labels = &stored.value["metadata"]["labels"];
                labels[names::CONTAINS_MODULES].is_string() == live.is_empty()
            }
            Kind::Module | Kind::ModuleBuildSignConfig | Kind::Node => false,
        };
        if left {
            return broken("left over", format!("{target}: {}", stored.value));
        }
    }
    Ok(())
}

fn name_of(module: &Module) -> ModuleName {
    ModuleName {
        name: module.metadata.name.clone(),
        namespace: module.metadata.namespace.clone(),
    }
}

fn of_node(
    cluster: &Cluster,
    node: &Node,
    modules: &[(&Module, &Compilation)],
    configured: &mut BTreeMap<ModuleName, Counts>,
) -> Result<(), Violation> {
    let Some(machine) = cluster.machine(node.name()) else {
        return Ok(());
    };
    let config = cluster
        .store()
        .find(&ObjectRef::cluster(Kind::NodeModulesConfig, node.name()));
    let config = config.and_then(|stored| stored.seen.node_modules());
    let mut labels = BTreeSet::new();
    let mut free = BTreeSet::new();
    let mut marks = BTreeSet::new();
    let mut known = BTreeSet::new();
    for (module, compiled) in modules {
        let name = name_of(module);
        known.insert(name.clone());
        let loaded = machine.loaded().get(&name);
        let mut entries = config.into_iter().flat_map(|config| &config.spec.modules);
        let entry = entries.find(|entry| entry.name == name.name);
        let mut entries = config.into_iter().flat_map(|config| &config.status.modules);
        let status = entries.find(|entry| entry.name == name.name);
        let (assigned, has) = match wanted(module, compiled, &name, node) {
            Want::Nothing if loaded.is_some() => {
                return broken(
                    "loaded but not wanted",
                    format!("{} on {}", name.name, node.name()),
                );
            }
            Want::Nothing => (false, false),
            Want::Loaded(wanted) if loaded != Some(&wanted) => {
                let is = loaded.map(|loaded| &loaded.container_image);
                let text = format!("{} on {}: {is:?}", wanted.container_image, node.name());
                return broken("wanted but not loaded", text);
            }
            Want::Loaded(_) => (true, true),
            Want::Held => {
                // The older version is for the kernel that ran when it was wanted: on another one it waits.
                let kernel = node.facts.kernel();
                let kept = entry.map(|entry| &entry.config);
                let kept = kept.filter(|kept| kept.kernel_version == kernel.matched());
                if loaded != kept {
                    let text = format!("{} on {}: {loaded:?}, not {kept:?}", name.name, node.name());
                    return broken("held but not kept", text);
                }
                (entry.is_some(), loaded.is_some())
            }
        };
        if assigned != entry.is_some() {
            return broken("entries", format!("{} on {}: {entry:?}", name.name, node.name()));
        }
        let plugin = module.spec.device_plugin.is_some();
        let selected = module
            .spec
            .selector
            .iter()
            .all(|(key, value)| node.facts.labels.get(key) == Some(value));
        if plugin && selected && node.facts.taints.is_empty() {
            labels.insert(names::device_plugin_target(&name));
            let version = module
                .spec
                .module_loader
                .as_ref()
                .map_or("", |loader| &loader.container.version);
            if !version.is_empty() {
                free.insert(names::device_plugin_ready(&name));
            } else if has {
                labels.insert(names::device_plugin_ready(&name));
            }
        }
        if assigned {
            marks.extend([names::configured(&name), names::in_use(&name)]);
            let counts = configured.entry(name.clone()).or_default();
            counts.desired += 1;
            let sure = status.filter(|status| !status.boot_id.is_empty());
            let is = sure.and_then(|status| status.config.as_ref());
            let available = has || is.is_some() && is == entry.map(|entry| &entry.config);
            counts.available += i32::from(available);
        }
        if has {
            labels.insert(names::ready(&name));
            let version = status.map_or("", |status| &status.version);
            if !version.is_empty() {
                labels.insert(names::version_ready(&name));
            }
        }
    }
    if let Some(other) = machine.loaded().keys().find(|name| !known.contains(name)) {
        return broken("loaded for nobody", format!("{} on {}", other.name, node.name()));
    }
    let have = node.facts.labels.keys();
    let mut have: BTreeSet<String> = have
        .filter(|key| names::NodeLabel::parse(key).is_some())
        .cloned()
        .collect();
    // Which version of a device plugin runs where is up to the labels of ordered upgrade.
    have.retain(|key| !free.contains(key));
    if have != labels {
        return broken(
            "labels",
            format!("{}: {have:?}, and should be {labels:?}", node.name()),
        );
    }
    let have: BTreeSet<String> = config
        .map(|config| config.metadata.labels.keys().cloned().collect())
        .unwrap_or_default();
    if have != marks {
        return broken(
            "marks",
            format!("{}: {have:?}, and should be {marks:?}", node.name()),
        );
    }
    Ok(())
}
