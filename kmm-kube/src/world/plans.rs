//! From a key to a plan: what is known is laid out for the decision, and the decision is asked.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use kmm_core::reconcile::DaemonSet;
use kmm_core::reconcile::Event;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::Pod;
use kmm_core::reconcile::Reason;
use kmm_core::reconcile::Severity;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::assign;
use kmm_core::reconcile::assign::Candidate;
use kmm_core::reconcile::device_plugin;
use kmm_core::reconcile::images;
use kmm_core::reconcile::images::Placement;
use kmm_core::reconcile::module;
use kmm_core::reconcile::node_modules;
use kmm_core::reconcile::plugin_labels;
use kmm_core::resolve::ModuleName;
use kmm_core::resolve::Resolver;

use crate::store::Name;
use crate::tell::Tell;

use super::Controller;
use super::Key;
use super::Subject;
use super::World;
use super::kept::ModulePod;
use super::wake::module_of_set;
use super::wake::owner_of_pull;

/// How long a decision is put off that others have to come before.
const PUT_OFF: Duration = Duration::from_millis(200);
/// How long nodes are left alone when there is a Module that cannot be read.
const UNREADABLE: Duration = Duration::from_secs(10);

/// A plan, and the events that tell what stands in the way.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// What is told of the reasons. The same reason is told at every look: whoever sends it sends what is new.
    pub(crate) tells: Vec<Tell>,
}

impl World {
    /// What is to be done about a key.
    ///
    /// `assigning` are the nodes that are being written to just now.
    pub(crate) fn plan(&mut self, key: &Key, now: Timestamp, assigning: &BTreeSet<String>) -> Planned {
        self.refresh_shares();
        let plan = match (key.controller, &key.subject) {
            (Controller::Assign, Subject::Node(node)) => self.assign(&cluster_name(node)),
            (Controller::NodeModules, Subject::Node(node)) => self.node_modules(&cluster_name(node), now),
            (Controller::PluginLabels, Subject::Node(node)) => self.plugin_labels(&cluster_name(node)),
            (Controller::Module, Subject::Module(module)) => self.module(module, assigning),
            (Controller::Images, Subject::Module(module)) => self.images(module, now),
            (Controller::DevicePlugin, Subject::Module(module)) => self.device_plugin(module),
            // Keys are made with the subject of their controller.
            (Controller::Assign | Controller::NodeModules | Controller::PluginLabels, Subject::Module(_))
            | (Controller::Module | Controller::Images | Controller::DevicePlugin, Subject::Node(_)) => {
                Plan::default()
            }
        };
        let tells = match key.controller {
            // What is wrong with single nodes here, the Module's own controller tells in sum.
            Controller::Assign => Vec::new(),
            Controller::NodeModules
            | Controller::PluginLabels
            | Controller::Module
            | Controller::Images
            | Controller::DevicePlugin => self.tells(&plan.reasons),
        };
        Planned { plan, tells }
    }

    /// The events of the reasons that somebody has to look at.
    fn tells(&self, reasons: &[Reason]) -> Vec<Tell> {
        let mut counts: BTreeMap<(&Option<ModuleName>, &str, &str), usize> = BTreeMap::new();
        let mut tells = Vec::new();
        for reason in reasons {
            if reason.cause.severity() == Severity::Normal {
                continue;
            }
            // The same may be the case of several images; the text, which has times in it, does not tell them apart.
            let same = (&reason.module, reason.node.as_str(), reason.cause.code());
            let count = counts.entry(same).or_default();
            *count += 1;
            if let Some(event) = self.event(reason) {
                let about = format!("{} {count}", reason.node);
                tells.push(Tell { event, about });
            }
        }
        tells
    }

    /// The event of a reason: about its Module, or else its node.
    fn event(&self, reason: &Reason) -> Option<Event> {
        if let Some(name) = &reason.module
            && let Some(kept) = self.modules.get(name)
        {
            let about = ObjectRef::namespaced(Kind::Module, name.namespace.as_str(), name.name.as_str());
            return Some(reason.event(about, &kept.module.metadata.uid));
        }
        let kept = self.nodes.get(&cluster_name(&reason.node))?;
        Some(reason.event(kept.node.reference(), &kept.node.uid))
    }

    fn assign(&self, name: &Name) -> Plan {
        let Some(kept) = self.nodes.get(name) else {
            return Plan::default();
        };
        // A Module that is there but unknown would pass for gone.
        if self.modules.has_unreadable() || self.configs.has_unreadable() {
            return again_after(UNREADABLE);
        }
        let mut candidates: Vec<Candidate<'_>> = self
            .modules
            .iter()
            .map(|(name, kept)| Candidate::new(&kept.module, &kept.compiled, self.images.get(name)))
            .collect();
        assign::plan(&kept.node, self.configs.get(name), &mut candidates).plan
    }

    fn node_modules(&self, name: &Name, now: Timestamp) -> Plan {
        let (mut workers, mut plugins) = (Vec::new(), Vec::new());
        for pod in self.pods_on(&name.name) {
            match pod {
                ModulePod::Worker(pod) => workers.push(pod.clone()),
                ModulePod::Plugin(pod) => plugins.push(pod.clone()),
            }
        }
        let Some(config) = self.configs.get(name) else {
            return if self.configs.has_unreadable() {
                again_after(UNREADABLE)
            } else {
                node_modules::release(&workers)
            };
        };
        node_modules::plan(&node_modules::View {
            config,
            node: self.nodes.get(name).map(|kept| &kept.node),
            workers: &workers,
            plugins: &plugins,
            installation: &self.installation,
            now,
        })
    }

    fn plugin_labels(&self, name: &Name) -> Plan {
        let pods = self.pods_on(&name.name).filter_map(|pod| match pod {
            ModulePod::Plugin(pod) => Some(pod.clone()),
            ModulePod::Worker(_) => None,
        });
        let pods: Vec<Pod> = pods.collect();
        plugin_labels::plan(&plugin_labels::View {
            node: self.nodes.get(name).map(|kept| &kept.node),
            pods: &pods,
        })
    }

    fn module(&self, name: &ModuleName, assigning: &BTreeSet<String>) -> Plan {
        let Some(kept) = self.modules.get(name) else {
            return Plan::default();
        };
        let deleting = kept.module.metadata.deletion_timestamp.is_some();
        if deleting && (!assigning.is_empty() || self.configs.has_unreadable()) {
            // A node may be about to get it.
            return again_after(PUT_OFF);
        }
        let tally = self.shares.tally(name);
        let namespace = self.namespaces.get(&cluster_name(&name.namespace));
        module::plan(&module::View {
            module: &kept.module,
            compiled: &kept.compiled,
            tally: &tally,
            images: self.images.get(name),
            namespace: namespace.map(|kept| &kept.0),
            has_siblings: self
                .modules
                .in_namespace(&name.namespace)
                .any(|(other, _)| other != name),
        })
    }

    fn images(&self, name: &ModuleName, now: Timestamp) -> Plan {
        let Some(images) = self.images.get(name) else {
            return Plan::default();
        };
        let pods = self
            .pull_pods
            .in_namespace(&name.namespace)
            .filter(|(_, pod)| owner_of_pull(pod) == *name);
        let pods: Vec<Pod> = pods.map(|(_, pod)| pod.0.clone()).collect();
        let placement = self.placement(name);
        images::plan(&images::View {
            images,
            pods: &pods,
            // The operator asks no registry itself: it does not start with `images.check: registry`.
            answers: &BTreeMap::new(),
            placement: placement.as_ref(),
            installation: &self.installation,
            now,
        })
    }

    fn placement(&self, name: &ModuleName) -> Option<Placement> {
        let kept = self.modules.get(name)?;
        let mut resolver = Resolver::new(&kept.compiled);
        let mut architectures: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (kernel, of_nodes) in self.shares.tally(name).kernels() {
            if let Ok(resolved) = resolver.resolve(kernel) {
                let of_image = architectures.entry(resolved.container_image.clone()).or_default();
                of_image.extend(of_nodes.map(str::to_owned));
            }
        }
        Some(Placement {
            selector: kept.compiled.selector().clone(),
            architectures,
        })
    }

    fn device_plugin(&self, name: &ModuleName) -> Plan {
        let Some(kept) = self.modules.get(name) else {
            return Plan::default();
        };
        let sets = self
            .daemon_sets
            .in_namespace(&name.namespace)
            .filter(|(_, set)| module_of_set(set).as_ref() == Some(name));
        let sets: Vec<DaemonSet> = sets.map(|(_, set)| set.clone()).collect();
        let tally = self.shares.tally(name);
        device_plugin::plan(&device_plugin::View {
            module: &kept.module,
            tally: &tally,
            daemon_sets: &sets,
        })
    }
}

fn again_after(wait: Duration) -> Plan {
    Plan {
        requeue_after: Some(wait),
        ..Plan::default()
    }
}

fn cluster_name(name: &str) -> Name {
    Name {
        name: name.to_owned(),
        namespace: String::new(),
    }
}
