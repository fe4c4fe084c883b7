//! Which change wakes which decision: the table of [`kmm_core::reconcile`].

use kmm_core::api::Module;
use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::reconcile::DaemonSet;
use kmm_core::reconcile::names;
use kmm_core::resolve::ModuleName;

use crate::store::Change;
use crate::store::Name;

use super::Controller;
use super::Key;
use super::World;
use super::has_image_volumes;
use super::kept::KeptModule;
use super::kept::KeptNamespace;
use super::kept::KeptNode;
use super::kept::ModulePod;
use super::kept::PullPod;

impl World {
    fn wake_node(&mut self, node: &str, controllers: &[Controller]) {
        let keys = controllers.iter().map(|controller| Key::node(*controller, node));
        self.awake.extend(keys);
    }

    pub(super) fn wake_module(&mut self, module: &ModuleName, controllers: &[Controller]) {
        let keys = controllers
            .iter()
            .map(|controller| Key::module(*controller, module));
        self.awake.extend(keys);
    }

    pub(super) fn node_changed(&mut self, name: &Name, change: &Change<KeptNode>) {
        let same = match change {
            Change::None => true,
            // Heartbeats, images and resource figures are not in it.
            Change::Put(Some(old)) => self.nodes.get(name).is_some_and(|new| new.node == old.node),
            Change::Put(None) | Change::Removed(_) => false,
        };
        let kubelet = self.nodes.get(name).map(|kept| kept.kubelet.as_str());
        if self.installation.image_volumes && kubelet.is_some_and(|kubelet| !has_image_volumes(kubelet)) {
            tracing::info!(
                node = name.name,
                "not every node mounts images as volumes: worker pods do without"
            );
            self.installation.image_volumes = false;
        }
        if !same {
            self.shares.touch_node(&name.name);
            self.wake_node(
                &name.name,
                &[
                    Controller::Assign,
                    Controller::NodeModules,
                    Controller::PluginLabels,
                ],
            );
        }
    }

    pub(super) fn namespace_changed(&mut self, name: &Name, change: &Change<KeptNamespace>) {
        let same = match change {
            Change::None => true,
            Change::Put(Some(old)) => self.namespaces.get(name) == Some(old),
            Change::Put(None) | Change::Removed(_) => false,
        };
        if !same {
            let modules = self.modules.in_namespace(&name.name);
            let modules: Vec<ModuleName> = modules.map(|(module, _)| module.clone()).collect();
            for module in &modules {
                self.wake_module(module, &[Controller::Module]);
            }
        }
    }

    pub(super) fn module_changed(&mut self, name: &Name, change: &Change<KeptModule>) {
        let old = match change {
            Change::None => return,
            Change::Put(old) => old.as_ref(),
            Change::Removed(old) => Some(old),
        };
        self.wake_module(name, &[Controller::Module, Controller::DevicePlugin]);
        let new = self.modules.get(name);
        let meaning = |module: &Module| (module.spec.clone(), module.metadata.deletion_timestamp.is_some());
        if let (Some(old), Some(new)) = (old, new)
            && meaning(&old.module) == meaning(&new.module)
        {
            return;
        }
        // Another specification, or none: the nodes that it selects or selected, and those that have it.
        let selectors: Vec<_> = old
            .into_iter()
            .chain(new)
            .map(|kept| kept.compiled.selector().clone())
            .collect();
        let mut nodes: Vec<String> = self.shares.nodes_of(name).map(str::to_owned).collect();
        let selected = self.nodes.iter().filter(|(_, kept)| {
            selectors
                .iter()
                .any(|selector| kept.node.facts.is_selected(selector))
        });
        nodes.extend(selected.map(|(node, _)| node.name.clone()));
        for node in &nodes {
            self.wake_node(node, &[Controller::Assign]);
        }
        self.wake_module(name, &[Controller::Images]);
        self.shares.touch_module(name);
    }

    pub(super) fn config_changed(&mut self, name: &Name, change: &Change<NodeModulesConfig>) {
        match change {
            Change::None => {}
            Change::Put(_) | Change::Removed(_) => {
                self.shares.touch_node(&name.name);
                self.wake_node(&name.name, &[Controller::NodeModules, Controller::Assign]);
            }
        }
    }

    pub(super) fn images_changed(&mut self, name: &Name, change: &Change<ModuleImagesConfig>) {
        let old = match change {
            Change::None => return,
            Change::Put(old) => old.as_ref(),
            Change::Removed(old) => Some(old),
        };
        self.wake_module(name, &[Controller::Images, Controller::Module]);
        let states = |images: &ModuleImagesConfig| images.status.images_states.clone();
        if old.map(states) == self.images.get(name).map(states) {
            return;
        }
        let Some(module) = self.modules.get(name) else {
            return;
        };
        let selector = module.compiled.selector();
        let nodes = self
            .nodes
            .iter()
            .filter(|(_, kept)| kept.node.facts.is_selected(selector));
        let nodes: Vec<String> = nodes.map(|(node, _)| node.name.clone()).collect();
        for node in &nodes {
            self.wake_node(node, &[Controller::Assign]);
        }
    }

    pub(super) fn daemon_set_changed(&mut self, name: &Name, change: &Change<DaemonSet>) {
        let old = match change {
            Change::None => return,
            Change::Put(old) => old.as_ref(),
            Change::Removed(old) => Some(old),
        };
        let sets = old.into_iter().chain(self.daemon_sets.get(name));
        let modules: Vec<ModuleName> = sets.filter_map(module_of_set).collect();
        for module in &modules {
            self.wake_module(module, &[Controller::DevicePlugin]);
        }
    }

    pub(super) fn pod_changed(&mut self, name: &Name, change: &Change<ModulePod>) {
        let old = match change {
            Change::None => return,
            Change::Put(old) => old.as_ref(),
            Change::Removed(old) => Some(old),
        };
        let new = self.pods.get(name);
        if old.is_some() && old == new {
            return;
        }
        let on = |pod: &ModulePod| {
            (
                pod.pod().node_name().to_owned(),
                matches!(pod, ModulePod::Plugin(_)),
            )
        };
        let (before, after) = (old.map(on), new.map(on));
        if let Some((node, _)) = &before {
            self.pods_of_node.remove(&(node.clone(), name.clone()));
        }
        if let Some((node, _)) = &after {
            self.pods_of_node.insert((node.clone(), name.clone()));
        }
        for (node, is_plugin) in before.into_iter().chain(after) {
            self.wake_node(&node, &[Controller::NodeModules]);
            if is_plugin {
                self.wake_node(&node, &[Controller::PluginLabels]);
            }
        }
    }

    pub(super) fn pull_pod_changed(&mut self, name: &Name, change: &Change<PullPod>) {
        let old = match change {
            Change::None => return,
            Change::Put(old) => old.as_ref(),
            Change::Removed(old) => Some(old),
        };
        let pods = old.into_iter().chain(self.pull_pods.get(name));
        let owners: Vec<ModuleName> = pods.map(owner_of_pull).collect();
        for owner in &owners {
            self.wake_module(owner, &[Controller::Images]);
        }
    }
}

/// The Module of a DaemonSet.
pub(super) fn module_of_set(set: &DaemonSet) -> Option<ModuleName> {
    Some(ModuleName {
        name: set.metadata.labels.get(names::MODULE_NAME)?.clone(),
        namespace: set.metadata.namespace.clone(),
    })
}

/// The ModuleImagesConfig of a pull pod.
pub(super) fn owner_of_pull(pod: &PullPod) -> ModuleName {
    ModuleName {
        name: pod.0.label(names::IMAGE_OWNER).unwrap_or_default().to_owned(),
        namespace: pod.0.metadata.namespace.clone(),
    }
}
