//! Which change wakes which controller.

use crate::api::ModuleImageState;
use crate::api::ModuleImagesConfig;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Timestamp;
use crate::reconcile::names;
use crate::resolve::ModuleName;

use super::Driver;
use super::Key;
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
    let name = || target.name.clone();
    let mut keys = Vec::new();
    match target.kind {
        Kind::Node => {
            // Heartbeats and the like change nothing that is read.
            if before.and_then(Seen::node) != after.and_then(Seen::node) {
                keys.extend([
                    Key::Assign(name()),
                    Key::NodeModules(name()),
                    Key::PluginLabels(name()),
                ]);
            }
        }
        Kind::NodeModulesConfig => keys.extend([Key::Assign(name()), Key::NodeModules(name())]),
        Kind::Module => {
            keys.extend([Key::Module(module()), Key::DevicePlugin(module())]);
            driver.candidates.see_module(&driver.cache, &module());
            if matters_to_nodes(before, after) {
                keys.push(Key::Images(module()));
                wake_nodes(driver, &module(), now);
            }
            if after.is_none() {
                keys.push(Key::Namespace(target.namespace.clone()));
            }
        }
        Kind::ModuleImagesConfig => {
            keys.extend([Key::Images(module()), Key::Module(module())]);
            if states(before.and_then(Seen::images)) != states(after.and_then(Seen::images)) {
                driver.candidates.see_images(&module(), after);
                wake_nodes(driver, &module(), now);
            }
        }
        Kind::Namespace => {
            if is_marked(before) != is_marked(after) {
                let inside = driver.cache.modules_in(&target.name);
                keys.extend(inside.map(|name| {
                    Key::Module(ModuleName {
                        name: name.to_owned(),
                        namespace: target.name.clone(),
                    })
                }));
                // Also where the first lists show one that no Module is left for.
                if is_marked(after) == Some(true) {
                    keys.push(Key::Namespace(name()));
                }
            }
        }
        Kind::Pod | Kind::DaemonSet => {
            for group in [before, after].into_iter().flatten().flat_map(Group::of) {
                match group {
                    Group::Workers(node) => keys.push(Key::NodeModules(node)),
                    Group::WorkersOf(name) => {
                        if driver.cache.is_module_deleting(&name) {
                            keys.push(Key::Module(name));
                        }
                    }
                    Group::Plugins(node) => {
                        keys.extend([Key::PluginLabels(node.clone()), Key::NodeModules(node)]);
                    }
                    Group::Pulls(name) => keys.push(Key::Images(name)),
                    Group::Sets(name) => keys.push(Key::DevicePlugin(name)),
                }
            }
        }
        Kind::ModuleBuildSignConfig => {}
    }
    for key in keys {
        driver.queue.wake(key, now, now);
    }
}

/// Whether a change of a Module is one for its nodes: its status and its finalizers are not.
fn matters_to_nodes(before: Option<&Seen>, after: Option<&Seen>) -> bool {
    match (before.and_then(Seen::module), after.and_then(Seen::module)) {
        (Some((before, _)), Some((after, _))) => {
            before.metadata.uid != after.metadata.uid
                || before.metadata.deletion_timestamp.is_some() != after.metadata.deletion_timestamp.is_some()
                || before.spec != after.spec
        }
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => false,
    }
}

/// Wakes the nodes that a Module selects, those to which it means something, and those that keep something of it.
///
/// Not while the first lists come in: each node and each NodeModulesConfig in them wakes its own.
fn wake_nodes(driver: &mut Driver, name: &ModuleName, now: Timestamp) {
    if !driver.is_started() {
        return;
    }
    let Driver {
        cache, shares, queue, ..
    } = driver;
    let mut wake = |node: &str| queue.wake(Key::Assign(node.to_owned()), now, now);
    shares.nodes_of(name).for_each(&mut wake);
    // What nodes keep of an earlier Module of the name counts too, whether the nodes are there or not.
    let labels = [names::configured(name), names::in_use(name)];
    let configs = cache
        .all(Kind::NodeModulesConfig)
        .filter_map(|seen| seen.node_modules())
        .map(|config| &config.metadata);
    let noted = configs.filter(|noted| labels.iter().any(|label| noted.labels.contains_key(label)));
    noted.for_each(|noted| wake(&noted.name));
    let module = cache.of_module(Kind::Module, name);
    if let Some((_, compiled)) = module.and_then(|seen| seen.module()) {
        let all = cache.all(Kind::Node).filter_map(|seen| seen.node());
        let selected = all.filter(|node| node.facts.is_selected(compiled.selector()));
        selected.for_each(|node| wake(node.name()));
    }
}

fn states(images: Option<&ModuleImagesConfig>) -> &[ModuleImageState] {
    images.map_or(&[], |images| &images.status.images_states)
}

/// Whether a namespace has the mark of Modules; `None` where there is no namespace.
fn is_marked(seen: Option<&Seen>) -> Option<bool> {
    let metadata = seen?.namespace()?;
    Some(metadata.labels.contains_key(names::CONTAINS_MODULES))
}
