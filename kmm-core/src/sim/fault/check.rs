//! What must hold after every step.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use crate::api::NodeModuleStatus;
use crate::driver::Key;
use crate::reconcile::Action;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Pod;
use crate::reconcile::names;
use crate::reconcile::names::NodeLabel;
use crate::resolve::ModuleName;
use crate::sim::Cluster;
use crate::sim::Deed;

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: &'static str,
    /// What is the case.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.text)
    }
}

pub(super) fn broken<T>(rule: &'static str, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation {
        rule,
        text: text.into(),
    })
}

/// How far the operator had seen when it made a plan.
#[derive(Clone, Debug)]
pub(super) struct Knowledge {
    pub(super) watches: BTreeMap<Kind, u64>,
    /// The boot of the node that the plan is about.
    pub(super) boot_id: String,
    /// Pods that it had seen, in whatever state.
    pods: BTreeSet<String>,
}

impl Knowledge {
    /// What the operator knows now, for a plan about this.
    pub(super) fn of(cluster: &Cluster, key: &Key) -> Self {
        let watches = cluster.watches.clone();
        let cache = cluster.driver.cache();
        let node = key.node().and_then(|node| cache.node(node));
        let seen = watches.get(&Kind::Pod).copied().unwrap_or(0);
        // By the watch, whatever the operator made of it; and those that are another version by now.
        let as_is = cluster.store().all(Kind::Pod).map(|stored| &stored.seen);
        let as_is = as_is.filter(|pod| pod.version().parse().is_ok_and(|version: u64| version <= seen));
        let as_was = cache.all(Kind::Pod);
        let uids = as_is.chain(as_was).map(|pod| pod.uid().to_owned());
        Self {
            pods: uids.collect(),
            watches,
            boot_id: node.map_or_else(String::new, |node| node.facts.boot_id.clone()),
        }
    }
}

/// Looks at what happened in a step.
pub(super) fn deed(cluster: &Cluster, deed: &Deed, known: Option<&Knowledge>) -> Result<(), Violation> {
    match deed {
        Deed::Loaded {
            over: Some(over),
            image,
            node,
            ..
        } => broken("load over another", format!("{image} over {over} on {node}")),
        Deed::Unloaded {
            other: Some(other),
            image,
            node,
            ..
        } => broken("unload of another", format!("{image} for {other} on {node}")),
        Deed::Wrote {
            key, target, changed, ..
        } => {
            if !changed {
                no_difference(cluster, deed, target, known)?;
            }
            match deed.action() {
                Some(action) => wrote(cluster, key, target, action, known),
                None => Ok(()),
            }
        }
        Deed::Refused { error, .. } if error.contains("immutable") || error.contains("finalizers") => {
            broken("write that is never taken", error.clone())
        }
        Deed::Loaded { .. }
        | Deed::Unloaded { .. }
        | Deed::User { .. }
        | Deed::Reason { .. }
        | Deed::Refused { .. }
        | Deed::Told { .. }
        | Deed::Asked { .. }
        | Deed::Pod { .. }
        | Deed::Kubernetes { .. } => Ok(()),
    }
}

fn no_difference(
    cluster: &Cluster,
    deed: &Deed,
    target: &ObjectRef,
    known: Option<&Knowledge>,
) -> Result<(), Violation> {
    let stored = cluster.store().find(target);
    let version: Option<u64> = stored.and_then(|stored| stored.seen.version().parse().ok());
    let seen = known.and_then(|known| known.watches.get(&target.kind).copied());
    match (version, seen) {
        (Some(version), Some(seen)) if version <= seen => broken(
            "write without a difference",
            format!("{deed}: {:?}", deed.action()),
        ),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn wrote(
    cluster: &Cluster,
    key: &Key,
    target: &ObjectRef,
    action: &Action,
    known: Option<&Knowledge>,
) -> Result<(), Violation> {
    if target.kind == Kind::Module && cluster.store().find(target).is_none() {
        return module_went(cluster, target);
    }
    match (key, action) {
        (Key::NodeModules(_), Action::Create { .. }) => {
            let stored = cluster.store().find(target);
            match stored.and_then(|stored| stored.seen.pod()) {
                Some(pod) => made_worker(cluster, pod, known),
                None => Ok(()),
            }
        }
        (Key::NodeModules(node), Action::Patch { patch, .. }) if target.kind == Kind::Node => {
            let labels = patch["metadata"]["labels"].as_object().into_iter().flatten();
            let set = labels.filter(|(_, value)| value.is_string());
            for (label, _) in set {
                if let Some(NodeLabel::Ready(module)) = NodeLabel::parse(label) {
                    became_ready(cluster, node, &module, known)?;
                }
            }
            Ok(())
        }
        (Key::NodeModules(node), Action::Patch { patch, .. })
            if target.kind == Kind::Pod && patch.pointer("/metadata/finalizers").is_some() =>
        {
            let_go(cluster, node, target, known)
        }
        (Key::Assign(node), Action::Create { .. } | Action::Patch { .. })
            if target.kind == Kind::NodeModulesConfig =>
        {
            images_are_there(cluster, node)
        }
        (
            Key::Assign(_)
            | Key::NodeModules(_)
            | Key::PluginLabels(_)
            | Key::Module(_)
            | Key::Images(_)
            | Key::DevicePlugin(_)
            | Key::Namespace(_),
            Action::Create { .. }
            | Action::Patch { .. }
            | Action::Delete { .. }
            | Action::Event(_)
            | Action::AskRegistry(_),
        ) => Ok(()),
    }
}

fn module_of(pod: &Pod) -> ModuleName {
    ModuleName {
        name: pod.module_name().to_owned(),
        namespace: pod.metadata.namespace.clone(),
    }
}

fn pods(cluster: &Cluster) -> impl Iterator<Item = &Pod> {
    cluster
        .store()
        .all(Kind::Pod)
        .filter_map(|stored| stored.seen.pod())
}

fn made_worker(cluster: &Cluster, pod: &Pod, known: Option<&Knowledge>) -> Result<(), Violation> {
    let node = pod.node_name();
    let module = module_of(pod);
    let workers = pods(cluster).filter(|other| {
        other.label(names::WORKER_ACTION).is_some() && other.node_name() == node && module_of(other) == module
    });
    if workers.count() > 1 {
        return broken(
            "two worker pods",
            format!("{}/{} on {node}", module.namespace, module.name),
        );
    }
    if pod.label(names::WORKER_ACTION) != Some(names::UNLOAD) {
        return Ok(());
    }
    let ready = names::ready(&module);
    let labels = cluster.store().find(&ObjectRef::cluster(Kind::Node, node));
    let labels = labels.and_then(|stored| stored.seen.node());
    if labels.is_some_and(|node| node.facts.labels.contains_key(&ready)) {
        return broken("unload while ready", format!("{ready} on {node}"));
    }
    let user = pods(cluster).find(|user| {
        let selector = user.spec.get("nodeSelector");
        user.node_name() == node
            && module_of(user) == module
            && selector.is_some_and(|selector| selector.get(&ready).is_some())
            && known.is_none_or(|known| known.pods.contains(&user.metadata.uid))
    });
    match user {
        Some(user) => broken("unload while used", format!("{} on {node}", user.metadata.name)),
        None => Ok(()),
    }
}

/// Where there is a node, a worker pod is let go when its end is known, and not before.
fn let_go(
    cluster: &Cluster,
    node: &str,
    target: &ObjectRef,
    known: Option<&Knowledge>,
) -> Result<(), Violation> {
    // As the operator saw it: it may have gone with this.
    let pod = cluster.driver.cache().find(target).and_then(|seen| seen.pod());
    let is_over = pod.is_none_or(|pod| pod.status.phase.is_over());
    match known {
        Some(known) if !known.boot_id.is_empty() && !is_over => {
            broken("pod let go before its end", format!("{target} on {node}"))
        }
        Some(_) | None => Ok(()),
    }
}

fn status_of(cluster: &Cluster, node: &str, module: &ModuleName) -> Option<NodeModuleStatus> {
    let config = cluster
        .store()
        .find(&ObjectRef::cluster(Kind::NodeModulesConfig, node))?;
    let mut entries = config.seen.node_modules()?.status.modules.iter();
    let entry = entries.find(|entry| entry.name == module.name && entry.namespace == module.namespace);
    entry.cloned()
}

fn became_ready(
    cluster: &Cluster,
    node: &str,
    module: &ModuleName,
    known: Option<&Knowledge>,
) -> Result<(), Violation> {
    let Some(machine) = cluster.machine(node) else {
        return Ok(());
    };
    if known.is_none_or(|known| known.boot_id != machine.boot_id()) || !machine.is_up() {
        return Ok(());
    }
    let status = status_of(cluster, node, module);
    let wanted = status.as_ref().and_then(|status| status.config.as_ref());
    let loaded = machine.loaded().get(module);
    if wanted.is_none() || wanted != loaded {
        return broken(
            "ready but not loaded",
            format!("{} on {node}: status {wanted:?}, kernel {loaded:?}", module.name),
        );
    }
    Ok(())
}

fn images_are_there(cluster: &Cluster, node: &str) -> Result<(), Violation> {
    let config = cluster
        .store()
        .find(&ObjectRef::cluster(Kind::NodeModulesConfig, node));
    let config = config.and_then(|stored| stored.seen.node_modules());
    for entry in config.into_iter().flat_map(|config| &config.spec.modules) {
        let image = &entry.config.container_image;
        if !cluster.has_image(image) {
            return broken("image that was never there", format!("{image} on {node}"));
        }
    }
    Ok(())
}

fn module_went(cluster: &Cluster, target: &ObjectRef) -> Result<(), Violation> {
    let name = ModuleName {
        name: target.name.clone(),
        namespace: target.namespace.clone(),
    };
    for (node, machine) in &cluster.machines {
        if machine.loaded().contains_key(&name) {
            return broken("module went while loaded", format!("{target} on {node}"));
        }
    }
    let configs = cluster.store().all(Kind::NodeModulesConfig);
    for config in configs.filter_map(|stored| stored.seen.node_modules()) {
        if config.spec.modules.iter().any(|entry| entry.name == name.name) {
            return broken(
                "module went while assigned",
                format!("{target} on {}", config.metadata.name),
            );
        }
    }
    Ok(())
}

/// Who looks at something that is there says why it does what it does, or nothing.
pub(super) fn said(cluster: &Cluster, key: &Key) -> Result<(), Violation> {
    let cache = cluster.driver.cache();
    let of_module = |kind, name: &ModuleName| {
        let target = ObjectRef::namespaced(kind, name.namespace.as_str(), name.name.as_str());
        cache.find(&target).is_some()
    };
    let is_there = match key {
        // A node is looked at Module by Module.
        Key::Assign(node) => cache.node(node).is_some() && cache.all(Kind::Module).next().is_some(),
        Key::NodeModules(node) | Key::PluginLabels(node) => cache.node(node).is_some(),
        Key::Module(name) | Key::DevicePlugin(name) => of_module(Kind::Module, name),
        Key::Images(name) => of_module(Kind::ModuleImagesConfig, name),
        Key::Namespace(name) => cache
            .find(&ObjectRef::cluster(Kind::Namespace, name.as_str()))
            .is_some(),
    };
    if is_there && !cluster.reasons().any(|(said, _)| said == key) {
        return broken("decision without a reason", key.to_string());
    }
    Ok(())
}

/// What must hold where the operator has seen everything, and has nothing to do.
pub(super) fn idle(cluster: &Cluster) -> Result<(), Violation> {
    for node in cluster
        .store()
        .all(Kind::Node)
        .filter_map(|stored| stored.seen.node())
    {
        let Some(machine) = cluster.machine(node.name()) else {
            continue;
        };
        if !machine.is_up() || machine.boot_id() != node.facts.boot_id {
            continue;
        }
        for label in node.facts.labels.keys() {
            let Some(NodeLabel::Ready(module)) = NodeLabel::parse(label) else {
                continue;
            };
            let config = cluster
                .store()
                .find(&ObjectRef::cluster(Kind::NodeModulesConfig, node.name()));
            let config = config.and_then(|stored| stored.seen.node_modules());
            let mut entries = config.into_iter().flat_map(|config| &config.spec.modules);
            let wanted =
                entries.find(|entry| entry.name == module.name && entry.namespace == module.namespace);
            let loaded = machine.loaded().get(&module);
            if wanted.is_none() || wanted.map(|entry| &entry.config) != loaded {
                return broken("label that is not true", format!("{label} on {}", node.name()));
            }
        }
    }
    Ok(())
}
