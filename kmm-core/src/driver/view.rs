//! What a controller is shown: the part of the caches that is its own.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::reconcile::Installation;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::Plan;
use crate::reconcile::Timestamp;
use crate::reconcile::assign;
use crate::reconcile::assign::Candidate;
use crate::reconcile::device_plugin;
use crate::reconcile::images;
use crate::reconcile::images::Placement;
use crate::reconcile::module;
use crate::reconcile::module::Noted;
use crate::reconcile::module::Tally;
use crate::reconcile::namespace;
use crate::reconcile::node_modules;
use crate::reconcile::plugin_labels;
use crate::resolve::ModuleName;
use crate::resolve::Resolver;

use super::Cache;
use super::Driver;
use super::Key;
use super::cache::Group;

/// Asks the controller of a key.
pub(super) fn decide(driver: &mut Driver, key: &Key, now: Timestamp) -> Plan {
    match key {
        Key::Assign(node) => assign(driver, node, now),
        Key::NodeModules(node) => node_modules(driver, node, now),
        Key::PluginLabels(node) => plugin_labels::plan(&plugin_labels::View {
            node: driver.cache.node(node),
            pods: &driver.cache.pods(&Group::Plugins(node.clone())),
        }),
        Key::Module(name) => module(driver, name),
        Key::Images(name) => images(driver, name, now),
        Key::DevicePlugin(name) => device_plugin(driver, name),
        Key::Namespace(name) => namespace(driver, name),
    }
}

fn assign(driver: &mut Driver, node: &str, now: Timestamp) -> Plan {
    let Driver {
        cache,
        candidates,
        shares,
        queue,
        ..
    } = driver;
    let candidates = candidates.all();
    let config = cache.find(&ObjectRef::cluster(Kind::NodeModulesConfig, node));
    let config = config.and_then(|seen| seen.node_modules());
    let (plan, of_node) = match cache.node(node) {
        Some(node) => {
            let assignment = assign::plan(node, config, candidates);
            (assignment.plan, assignment.shares)
        }
        None if config.is_some() => {
            let noted = Noted::new(node, config);
            let of = |candidate: &Candidate| candidate.share_of_noted(&noted);
            (Plan::default(), candidates.iter().map(of).collect())
        }
        None => (Plan::default(), Vec::new()),
    };
    let changed = if of_node.is_empty() {
        shares.remove_node(node)
    } else {
        shares.put(node, candidates.iter().map(Candidate::name).zip(of_node))
    };
    for name in changed {
        queue.wake(Key::DevicePlugin(name.clone()), now, now);
        queue.wake(Key::Module(name), now, now);
    }
    plan
}

fn node_modules(driver: &Driver, node: &str, now: Timestamp) -> Plan {
    let Driver {
        cache,
        installation,
        old_kubelets,
        ..
    } = driver;
    let old;
    let installation = if installation.image_volumes && old_kubelets.contains(node) {
        old = Installation {
            image_volumes: false,
            ..installation.clone()
        };
        &old
    } else {
        installation
    };
    let workers = cache.pods(&Group::Workers(node.to_owned()));
    let config = cache.find(&ObjectRef::cluster(Kind::NodeModulesConfig, node));
    let name = node;
    let node = cache.node(name);
    let Some(config) = config.and_then(|seen| seen.node_modules()) else {
        return node_modules::plan_without_config(name, node, &workers);
    };
    node_modules::plan(&node_modules::View {
        config,
        node,
        workers: &workers,
        plugins: &cache.pods(&Group::Plugins(name.to_owned())),
        installation,
        now,
    })
}

fn module(driver: &Driver, name: &ModuleName) -> Plan {
    let Driver { cache, shares, .. } = driver;
    let Some((module, compiled)) = cache.of_module(Kind::Module, name).and_then(|seen| seen.module()) else {
        return Plan::default();
    };
    let namespace = cache.find(&ObjectRef::cluster(Kind::Namespace, name.namespace.as_str()));
    let images = cache.of_module(Kind::ModuleImagesConfig, name);
    let workers = match module.metadata.deletion_timestamp {
        Some(_) => cache.nodes_of_workers(name),
        None => BTreeSet::new(),
    };
    module::plan(&module::View {
        module,
        compiled,
        tally: shares.tally(name).unwrap_or(&Tally::default()),
        workers: &workers,
        images: images.and_then(|seen| seen.images()),
        namespace: namespace.and_then(|seen| seen.namespace()),
        has_siblings: cache.modules_in(&name.namespace).any(|other| other != name.name),
    })
}

fn images(driver: &Driver, name: &ModuleName, now: Timestamp) -> Plan {
    let Driver {
        cache,
        installation,
        answers,
        shares,
        ..
    } = driver;
    let images = cache.of_module(Kind::ModuleImagesConfig, name);
    let Some(images) = images.and_then(|seen| seen.images()) else {
        return Plan::default();
    };
    let none = BTreeMap::new();
    let placement = placement(cache, shares.tally(name), name);
    images::plan(&images::View {
        images,
        pods: &cache.pods(&Group::Pulls(name.clone())),
        answers: answers.get(name).unwrap_or(&none),
        placement: placement.as_ref(),
        installation,
        now,
    })
}

/// Where the nodes are that are to use the images of a Module.
fn placement(cache: &Cache, tally: Option<&Tally>, name: &ModuleName) -> Option<Placement> {
    let (module, compiled) = cache.of_module(Kind::Module, name)?.module()?;
    let mut resolver = Resolver::new(&**compiled);
    let mut architectures: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (kernel, found) in tally?.kernels() {
        if let Ok(resolved) = resolver.resolve(kernel) {
            let of_image = architectures.entry(resolved.container_image.clone()).or_default();
            of_image.extend(found.map(str::to_owned));
        }
    }
    Some(Placement {
        selector: module.spec.selector.clone(),
        architectures,
    })
}

fn device_plugin(driver: &Driver, name: &ModuleName) -> Plan {
    let Driver { cache, shares, .. } = driver;
    let Some((module, _)) = cache.of_module(Kind::Module, name).and_then(|seen| seen.module()) else {
        return Plan::default();
    };
    device_plugin::plan(&device_plugin::View {
        module,
        tally: shares.tally(name).unwrap_or(&Tally::default()),
        daemon_sets: &cache.daemon_sets(&Group::Sets(name.clone())),
    })
}

fn namespace(driver: &Driver, name: &str) -> Plan {
    let Driver { cache, .. } = driver;
    let namespace = cache.find(&ObjectRef::cluster(Kind::Namespace, name));
    let Some(namespace) = namespace.and_then(|seen| seen.namespace()) else {
        return Plan::default();
    };
    namespace::plan(&namespace::View {
        namespace,
        has_modules: cache.modules_in(name).next().is_some(),
    })
}
