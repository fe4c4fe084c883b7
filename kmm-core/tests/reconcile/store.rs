//! A naive store: objects as JSON by kind, namespace and name, and plans applied to them at once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use kmm_core::api::Module;
use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::module::Compiled;
use kmm_core::reconcile::Action;
use kmm_core::reconcile::DaemonSet;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::Node;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Part;
use kmm_core::reconcile::Plan;
use kmm_core::reconcile::Pod;
use kmm_core::reconcile::Timestamp;
use kmm_core::reconcile::assign;
use kmm_core::reconcile::assign::Candidate;
use kmm_core::reconcile::device_plugin;
use kmm_core::reconcile::images;
use kmm_core::reconcile::module;
use kmm_core::reconcile::module::Share;
use kmm_core::reconcile::module::Tally;
use kmm_core::reconcile::names;
use kmm_core::reconcile::node_modules;
use kmm_core::reconcile::patch;
use kmm_core::reconcile::plugin_labels;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) objects: BTreeMap<ObjectRef, Value>,
    version: u64,
    pub(crate) now: i64,
}

pub(crate) fn installation() -> Installation {
    Installation {
        worker_image: "registry.example.com/kmm-worker:1".to_owned(),
        image_volumes: true,
        ..Installation::default()
    }
}

impl Store {
    pub(crate) fn of(objects: Vec<Value>) -> Self {
        let mut store = Self::default();
        for object in objects {
            if ObjectRef::of(&object).is_some() {
                store.put(object);
            }
        }
        store
    }

    pub(crate) fn put(&mut self, mut object: Value) {
        let target = ObjectRef::of(&object).unwrap();
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        }
        self.objects.insert(target, object);
    }

    pub(crate) fn all<T: DeserializeOwned>(&self, kind: Kind) -> Vec<T> {
        let objects = self.objects.iter().filter(|(target, _)| target.kind == kind);
        objects
            .map(|(_, object)| serde_json::from_value(object.clone()).unwrap())
            .collect()
    }

    pub(crate) fn get(&mut self, kind: Kind, namespace: &str, name: &str) -> &mut Value {
        let target = ObjectRef::namespaced(kind, namespace, name);
        self.objects.get_mut(&target).unwrap()
    }

    pub(crate) fn has(&self, kind: Kind, namespace: &str, name: &str) -> bool {
        self.objects
            .contains_key(&ObjectRef::namespaced(kind, namespace, name))
    }

    pub(crate) fn apply(&mut self, plan: &Plan) {
        for action in &plan.actions {
            self.carry_out(action);
        }
    }

    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::Create { object } => {
                let target = ObjectRef::of(object).unwrap();
                assert!(!self.objects.contains_key(&target), "{target} is already there");
                self.put(object.clone());
            }
            Action::Patch {
                target,
                part,
                precondition,
                patch,
            } => {
                let object = self
                    .objects
                    .get_mut(target)
                    .unwrap_or_else(|| panic!("no {target}"));
                let version = object["metadata"]["resourceVersion"].as_str().unwrap();
                if let Some(wanted) = &precondition.resource_version {
                    assert_eq!(wanted, version, "conflict at {target}");
                }
                match part {
                    Part::Object => assert!(patch.get("status").is_none()),
                    Part::Status => assert!(patch.as_object().unwrap().keys().all(|key| key == "status")),
                }
                let before = object.clone();
                patch::apply(object, patch);
                assert_ne!(
                    before, *object,
                    "a write of {target} that changes nothing: {patch}"
                );
                let gone = object["metadata"]["deletionTimestamp"].is_string()
                    && object["metadata"]["finalizers"]
                        .as_array()
                        .is_none_or(Vec::is_empty);
                let object = object.clone();
                if gone {
                    self.objects.remove(target);
                } else {
                    self.put(object);
                }
            }
            Action::Delete { target, .. } => {
                let Some(object) = self.objects.get_mut(target) else {
                    return;
                };
                let finalizers = object["metadata"]["finalizers"]
                    .as_array()
                    .is_some_and(|list| !list.is_empty());
                if finalizers {
                    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                    let object = object.clone();
                    self.put(object);
                } else {
                    self.objects.remove(target);
                }
            }
            Action::Event(_) | Action::AskRegistry(_) => {}
        }
    }

    pub(crate) fn pods(&self, keep: impl Fn(&Pod) -> bool) -> Vec<Pod> {
        self.all::<Pod>(Kind::Pod)
            .into_iter()
            .filter(|pod| keep(pod))
            .collect()
    }

    pub(crate) fn workers(&self, node: &str) -> Vec<Pod> {
        self.pods(|pod| pod.label(names::WORKER_ACTION).is_some() && pod.node_name() == node)
    }

    /// The plan of a node's modules.
    pub(crate) fn node_modules(&self, name: &str, installation: &Installation) -> Option<Plan> {
        let configs: Vec<NodeModulesConfig> = self.all(Kind::NodeModulesConfig);
        let config = configs.iter().find(|config| config.metadata.name == name)?;
        let nodes: Vec<Node> = self.all(Kind::Node);
        let workers = self.workers(name);
        let plugins = self.pods(|pod| pod.label(names::ROLE).is_some() && pod.node_name() == name);
        Some(node_modules::plan(&node_modules::View {
            config,
            node: nodes.iter().find(|node| node.name() == name),
            workers: &workers,
            plugins: &plugins,
            installation,
            now: Timestamp(self.now),
        }))
    }

    /// Every plan of every controller, each from what the store shows when its turn comes; applied, if so wished.
    pub(crate) fn round(&mut self, installation: &Installation, apply: bool) -> Vec<Plan> {
        let mut plans = Vec::new();
        let modules = self.all::<Module>(Kind::Module).into_iter().map(Arc::new);
        let modules: Vec<Arc<Module>> = modules.collect();
        let compiled: Vec<Arc<Compiled>> = modules
            .iter()
            .map(|module| Arc::new(Compiled::new(module)))
            .collect();
        let nodes: Vec<Node> = self.all(Kind::Node);
        let mut shares: Vec<Vec<Share>> = vec![Vec::new(); modules.len()];
        for node in &nodes {
            let lists: Vec<ModuleImagesConfig> = self.all(Kind::ModuleImagesConfig);
            let configs: Vec<NodeModulesConfig> = self.all(Kind::NodeModulesConfig);
            let mut candidates: Vec<Candidate> = modules
                .iter()
                .zip(&compiled)
                .map(|(module, compiled)| {
                    let list = lists
                        .iter()
                        .find(|list| list.metadata.name == module.metadata.name);
                    Candidate::new(module, compiled, list)
                })
                .collect();
            let config = configs.iter().find(|config| config.metadata.name == node.name());
            let assignment = assign::plan(node, config, &mut candidates);
            for (shares, share) in shares.iter_mut().zip(assignment.shares) {
                shares.push(share);
            }
            if apply {
                self.apply(&assignment.plan);
            }
            plans.push(assignment.plan);
        }
        for node in &nodes {
            plans.extend(self.node_round(node.name(), installation, apply));
        }
        for (place, compiled) in compiled.iter().enumerate() {
            let tally = Tally::of(&shares[place]);
            plans.extend(self.module_round(compiled, &tally, installation, apply));
        }
        plans
    }

    fn node_round(&mut self, name: &str, installation: &Installation, apply: bool) -> Vec<Plan> {
        let mut plans = Vec::new();
        if let Some(plan) = self.node_modules(name, installation) {
            if apply {
                self.apply(&plan);
            }
            plans.push(plan);
        }
        let nodes: Vec<Node> = self.all(Kind::Node);
        let pods = self.pods(|pod| pod.label(names::ROLE).is_some() && pod.node_name() == name);
        let plan = plugin_labels::plan(&plugin_labels::View {
            node: nodes.iter().find(|node| node.name() == name),
            pods: &pods,
        });
        if apply {
            self.apply(&plan);
        }
        plans.push(plan);
        plans
    }

    fn module_round(
        &mut self,
        compiled: &Compiled,
        tally: &Tally,
        installation: &Installation,
        apply: bool,
    ) -> Vec<Plan> {
        let mut plans = Vec::new();
        let modules: Vec<Module> = self.all(Kind::Module);
        let module = modules
            .iter()
            .find(|module| module.metadata.name == compiled.name())
            .unwrap();
        let name = module.metadata.name.as_str();
        let namespace = self.objects.get(&ObjectRef::cluster(
            Kind::Namespace,
            module.metadata.namespace.as_str(),
        ));
        let namespace = namespace.map(|object| serde_json::from_value(object["metadata"].clone()).unwrap());
        let lists: Vec<ModuleImagesConfig> = self.all(Kind::ModuleImagesConfig);
        let list = lists.iter().find(|list| list.metadata.name == name);
        let pods: Vec<Pod> = self.all(Kind::Pod);
        let workers = pods.iter().filter(|pod| {
            let worker = pod.label(names::WORKER_ACTION).is_some();
            worker && (pod.module_name(), &pod.metadata.namespace) == (name, &module.metadata.namespace)
        });
        let workers: BTreeSet<Arc<str>> = workers.map(|pod| pod.node_name().into()).collect();
        let plan = module::plan(&module::View {
            module,
            compiled,
            tally,
            workers: &workers,
            images: list,
            namespace: namespace.as_ref(),
            has_siblings: modules.len() > 1,
        });
        plans.push(plan);
        let sets: Vec<DaemonSet> = self.all(Kind::DaemonSet);
        let sets: Vec<DaemonSet> = sets
            .into_iter()
            .filter(|set| {
                set.metadata
                    .labels
                    .get(names::MODULE_NAME)
                    .is_some_and(|of| of == name)
            })
            .collect();
        plans.push(device_plugin::plan(&device_plugin::View {
            module,
            tally,
            daemon_sets: &sets,
        }));
        if let Some(list) = list {
            let pods = self.pods(|pod| pod.label(names::IMAGE_OWNER) == Some(name));
            plans.push(images::plan(&images::View {
                images: list,
                pods: &pods,
                answers: &BTreeMap::new(),
                placement: None,
                installation,
                now: Timestamp(self.now),
            }));
        }
        if apply {
            // Each was made from the same state, so what conflicts is planned again in the next round.
            for plan in plans.iter().take(1).chain(plans.iter().skip(2)) {
                self.apply_or_skip(plan);
            }
            self.apply_or_skip(&plans[1]);
        }
        plans
    }

    /// Applies a plan up to its first conflict.
    fn apply_or_skip(&mut self, plan: &Plan) {
        for action in &plan.actions {
            if let Action::Patch {
                target, precondition, ..
            } = action
            {
                let current = self
                    .objects
                    .get(target)
                    .map(|object| &object["metadata"]["resourceVersion"]);
                let wanted = precondition.resource_version.as_deref();
                if current.is_none() || wanted.is_some_and(|wanted| current.is_some_and(|now| now != wanted))
                {
                    return;
                }
            }
            self.carry_out(action);
        }
    }
}
