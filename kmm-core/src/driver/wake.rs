//! Which change wakes which controller.

use std::collections::BTreeSet;

use crate::api::ModuleImagesConfig;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Timestamp;
use crate::reconcile::names;
use crate::resolve::ModuleName;

use super::Driver;
use super::Key;
use super::Object;
use super::Seen;
use super::cache::Group;

pub(super) fn wake(
    driver: &mut Driver,
    target: &ObjectRef,
    before: Option<&Seen>,
    after: Option<&Seen>,
    now: Timestamp,
) {
    let module = || ModuleName {
        name: target.name.clone(),
        namespace: target.namespace.clone(),
    };
    let node = || target.name.clone();
    let mut keys = Vec::new();
    match target.kind {
        Kind::Node => {
            // Heartbeats and the like change nothing that is read.
            if before.and_then(Seen::node) != after.and_then(Seen::node) {
                keys.extend([
                    Key::Assign(node()),
                    Key::NodeModules(node()),
                    Key::PluginLabels(node()),
                ]);
            }
        }
        Kind::NodeModulesConfig => keys.extend([Key::Assign(node()), Key::NodeModules(node())]),
        Kind::Module => {
            keys.extend([Key::Module(module()), Key::DevicePlugin(module())]);
            if matters_to_nodes(before, after) {
                keys.push(Key::Images(module()));
                keys.extend(nodes(driver, &module()).into_iter().map(Key::Assign));
            }
        }
        Kind::ModuleImagesConfig => {
            keys.extend([Key::Images(module()), Key::Module(module())]);
            if states(before.and_then(Seen::images)) != states(after.and_then(Seen::images)) {
                keys.extend(nodes(driver, &module()).into_iter().map(Key::Assign));
            }
        }
        Kind::Namespace => {
            if is_marked(before) != is_marked(after) {
                let modules = driver.cache.all(Kind::Module).map(|seen| seen.target());
                let inside = modules.filter(|module| module.namespace == target.name);
                keys.extend(inside.map(|module| {
                    Key::Module(ModuleName {
                        name: module.name.clone(),
                        namespace: module.namespace.clone(),
                    })
                }));
            }
        }
        Kind::Pod => {
            let groups = [before, after].map(|seen| seen.and_then(Seen::pod).and_then(Group::of));
            for group in groups.into_iter().flatten() {
                match group {
                    Group::Workers(node) => keys.push(Key::NodeModules(node)),
                    Group::Plugins(node) => {
                        keys.extend([Key::PluginLabels(node.clone()), Key::NodeModules(node)]);
                    }
                    Group::Pulls(name) => keys.push(Key::Images(name)),
                }
            }
        }
        Kind::DaemonSet => {
            keys.extend([before, after].into_iter().flatten().filter_map(of_daemon_set));
        }
        Kind::ModuleBuildSignConfig => {}
    }
    for key in keys {
        driver.queue.wake(&key, now);
    }
}

/// Whether a change of a Module is one for its nodes: its status and its finalizers are not.
fn matters_to_nodes(before: Option<&Seen>, after: Option<&Seen>) -> bool {
    let of = |seen: Option<&Seen>| {
        let (module, _) = seen?.module()?;
        Some((
            module.metadata.uid.clone(),
            module.metadata.deletion_timestamp.is_some(),
            module.spec.clone(),
        ))
    };
    of(before) != of(after)
}

/// The nodes that a Module selects, and those to which it means something.
fn nodes(driver: &Driver, name: &ModuleName) -> BTreeSet<String> {
    let mut nodes: BTreeSet<String> = driver.shares.nodes_of(name).map(str::to_owned).collect();
    let module = driver.cache.of_module(Kind::Module, name);
    if let Some((_, compiled)) = module.and_then(|seen| seen.module()) {
        let all = driver.cache.all(Kind::Node).filter_map(|seen| seen.node());
        let selected = all.filter(|node| node.facts.is_selected(compiled.selector()));
        nodes.extend(selected.map(|node| node.name().to_owned()));
    }
    nodes
}

fn states(images: Option<&ModuleImagesConfig>) -> &[crate::api::ModuleImageState] {
    images.map_or(&[], |images| &images.status.images_states)
}

fn is_marked(seen: Option<&Seen>) -> Option<bool> {
    match seen?.object() {
        Object::Namespace(metadata) => Some(metadata.labels.contains_key(names::CONTAINS_MODULES)),
        Object::DaemonSet(_)
        | Object::Module { .. }
        | Object::Images(_)
        | Object::Node(_)
        | Object::NodeModules(_)
        | Object::Pod(_)
        | Object::Other => None,
    }
}

fn of_daemon_set(seen: &Seen) -> Option<Key> {
    match seen.object() {
        Object::DaemonSet(set) => Some(Key::DevicePlugin(ModuleName {
            name: set.metadata.labels.get(names::MODULE_NAME)?.clone(),
            namespace: set.metadata.namespace.clone(),
        })),
        Object::Namespace(_)
        | Object::Module { .. }
        | Object::Images(_)
        | Object::Node(_)
        | Object::NodeModules(_)
        | Object::Pod(_)
        | Object::Other => None,
    }
}
