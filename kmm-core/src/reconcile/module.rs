//! A Module: its images, its counts, its end.
//!
//! What nodes are to have is decided in [`assign`](super::assign), node by node; here only their sum is looked at.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::api::DaemonSetStatus;
use crate::api::ImageState;
use crate::api::Module;
use crate::api::ModuleConfig;
use crate::api::ModuleImageSpec;
use crate::api::ModuleImagesConfig;
use crate::api::NodeModulesConfig;
use crate::api::ObjectMeta;
use crate::api::V1BETA1;
use crate::module::Compiled;
use crate::resolve::ModuleName;
use crate::resolve::Resolver;

use super::Action;
use super::Cause;
use super::Kind;
use super::LeftOut;
use super::ObjectRef;
use super::Part;
use super::Plan;
use super::Precondition;
use super::Reason;
use super::assign::module_name;
use super::names;
use super::reason::NAMED;
use super::state;

/// How a Module stands to a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The Module is not for the node.
    #[default]
    Outside,
    /// It is, but for taints.
    Unschedulable,
    /// It is, but no mapping takes the kernel.
    NoMapping,
    /// It is, but cannot be resolved for the kernel.
    Unresolved,
    /// It is, but ordered upgrade holds it back.
    Held {
        /// The kernel, as the node reports it.
        kernel: Arc<str>,
    },
    /// It is.
    Targeted {
        /// The kernel, as the node reports it.
        kernel: Arc<str>,
    },
}

/// What one node adds to the counts of one Module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Share {
    /// The node.
    pub node: Arc<str>,
    /// Its processor architecture.
    pub architecture: Arc<str>,
    /// How the Module stands to it.
    pub standing: Standing,
    /// Whether the device plugin is for it.
    pub plugin_target: bool,
    /// Whether its NodeModulesConfig says that it is to have the Module.
    pub configured: bool,
    /// Whether it has what it is to have.
    pub available: bool,
    /// Whether it may have the Module.
    pub in_use: bool,
}

/// What the NodeModulesConfig of a node says, ready to be asked for many Modules.
#[derive(Debug)]
pub struct Noted<'c> {
    node: Arc<str>,
    labels: Option<&'c BTreeMap<String, String>>,
    /// By namespace and name.
    wanted: HashMap<(&'c str, &'c str), &'c ModuleConfig>,
    found: HashMap<(&'c str, &'c str), &'c ModuleConfig>,
}

impl<'c> Noted<'c> {
    /// What is noted of a node.
    pub fn new(node: &str, config: Option<&'c NodeModulesConfig>) -> Self {
        let mut noted = Self {
            node: node.into(),
            labels: config.map(|config| &config.metadata.labels),
            wanted: HashMap::new(),
            found: HashMap::new(),
        };
        for entry in config.into_iter().flat_map(|config| &config.spec.modules) {
            let name = (entry.namespace.as_str(), entry.name.as_str());
            noted.wanted.entry(name).or_insert(&entry.config);
        }
        for entry in config.into_iter().flat_map(|config| &config.status.modules) {
            // Without a boot it is only what may be loaded.
            if let Some(config) = entry.config.as_ref().filter(|_| !entry.boot_id.is_empty()) {
                let name = (entry.namespace.as_str(), entry.name.as_str());
                noted.found.entry(name).or_insert(config);
            }
        }
        noted
    }

    /// What the node adds to the counts of a Module by this alone, whatever the node is. `configured` and `in_use` are the
    /// labels of the Module on NodeModulesConfigs.
    pub(super) fn share(&self, name: &ModuleName, configured: &str, in_use: &str) -> Share {
        let has = |label| self.labels.is_some_and(|labels| labels.contains_key(label));
        let configured = has(configured);
        let name = (name.namespace.as_str(), name.name.as_str());
        let both = self.wanted.get(&name).zip(self.found.get(&name));
        Share {
            node: Arc::clone(&self.node),
            configured,
            in_use: has(in_use),
            available: configured && both.is_some_and(|(wanted, found)| super::same_config(wanted, found)),
            ..Share::default()
        }
    }
}

/// The counts of one Module over all nodes, kept up to date share by share.
///
/// Memory grows with the number of distinct kernels, and with the nodes that are left out or may have the Module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// From a kernel, as nodes report it, to how many schedulable nodes run it, by architecture.
    kernels: BTreeMap<Arc<str>, BTreeMap<Arc<str>, usize>>,
    schedulable: usize,
    plugin_targets: usize,
    configured: usize,
    available: usize,
    in_use: BTreeSet<Arc<str>>,
    left_out: BTreeMap<LeftOut, BTreeSet<Arc<str>>>,
}

impl Tally {
    /// The counts of all shares.
    pub fn of<'s>(shares: impl IntoIterator<Item = &'s Share>) -> Self {
        let mut tally = Self::default();
        for share in shares {
            tally.add(share);
        }
        tally
    }

    /// Takes a share in.
    pub fn add(&mut self, share: &Share) {
        self.plugin_targets += usize::from(share.plugin_target);
        self.configured += usize::from(share.configured);
        self.available += usize::from(share.available);
        if share.in_use {
            self.in_use.insert(Arc::clone(&share.node));
        }
        let (schedulable, kernel, left_out) = sort(&share.standing);
        self.schedulable += usize::from(schedulable);
        if let Some(kernel) = kernel {
            let architectures = self.kernels.entry(Arc::clone(kernel)).or_default();
            *architectures.entry(Arc::clone(&share.architecture)).or_default() += 1;
        }
        if let Some(why) = left_out {
            self.left_out
                .entry(why)
                .or_default()
                .insert(Arc::clone(&share.node));
        }
    }

    /// Takes a share out that was taken in before.
    pub fn remove(&mut self, share: &Share) {
        self.plugin_targets -= usize::from(share.plugin_target && self.plugin_targets > 0);
        self.configured -= usize::from(share.configured && self.configured > 0);
        self.available -= usize::from(share.available && self.available > 0);
        if share.in_use {
            self.in_use.remove(&share.node);
        }
        let (schedulable, kernel, left_out) = sort(&share.standing);
        self.schedulable -= usize::from(schedulable && self.schedulable > 0);
        if let Some(kernel) = kernel
            && let Some(architectures) = self.kernels.get_mut(kernel)
        {
            if let Some(count) = architectures.get_mut(&share.architecture) {
                *count = count.saturating_sub(1);
            }
            architectures.retain(|_, count| *count > 0);
            if architectures.is_empty() {
                self.kernels.remove(kernel);
            }
        }
        if let Some(why) = left_out
            && let Some(nodes) = self.left_out.get_mut(&why)
        {
            nodes.remove(&share.node);
            if nodes.is_empty() {
                self.left_out.remove(&why);
            }
        }
    }

    /// Nodes that the device plugin is for.
    pub fn plugin_targets(&self) -> usize {
        self.plugin_targets
    }

    /// The kernels of the nodes that the Module is for, as they report them, in their order, each with the architectures
    /// of its nodes.
    pub fn kernels(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &str>)> {
        let kernels = self.kernels.iter();
        kernels.map(|(kernel, architectures)| {
            (
                &**kernel,
                architectures.keys().map(|architecture| &**architecture),
            )
        })
    }
}

/// Whether a node counts as schedulable, which kernel it adds, and what it is left out for.
fn sort(standing: &Standing) -> (bool, Option<&Arc<str>>, Option<LeftOut>) {
    match standing {
        Standing::Outside => (false, None, None),
        Standing::Unschedulable => (false, None, Some(LeftOut::Taints)),
        Standing::NoMapping => (true, None, Some(LeftOut::NoMapping)),
        Standing::Unresolved => (true, None, Some(LeftOut::Unresolved)),
        Standing::Held { kernel } => (true, Some(kernel), Some(LeftOut::Version)),
        Standing::Targeted { kernel } => (true, Some(kernel), None),
    }
}

/// What the Module controller is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The Module.
    pub module: &'a Module,
    /// The same, compiled.
    pub compiled: &'a Compiled,
    /// Its counts.
    pub tally: &'a Tally,
    /// The nodes on which worker pods of it are; nothing is read of it where the Module is not being deleted.
    pub workers: &'a BTreeSet<Arc<str>>,
    /// Its ModuleImagesConfig, if there is one.
    pub images: Option<&'a ModuleImagesConfig>,
    /// The metadata of its namespace; `None` where it is not known.
    pub namespace: Option<&'a ObjectMeta>,
    /// Whether there are other Modules in the namespace, deleted ones that are still there included.
    pub has_siblings: bool,
}

/// Decides for one Module.
pub fn plan(view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    if view.module.metadata.deletion_timestamp.is_some() {
        finalize(view, &mut plan);
        return plan;
    }
    let name = module_name(view.module);
    // Without its finalizer a Module may go before anybody takes the mark off its namespace again.
    if let Some(action) = add_finalizer(view.module) {
        plan.act(action);
    }
    mark_namespace(view, &mut plan);
    if view.compiled.loader().is_some() {
        plan.actions.extend(images(view));
        left_out(view, &name, &mut plan);
    } else {
        plan.because(Reason::of_module(&name, Cause::NoModuleLoader));
    }
    plan.actions.extend(status(view));
    let cause = if plan.is_empty() {
        Cause::ModuleCurrent
    } else {
        Cause::ModuleWriting
    };
    plan.because(Reason::of_module(&name, cause));
    plan
}

/// Lets a Module go when no node may have it any more.
///
/// A worker pod counts by itself: what marks its node may have been collected as garbage, with an earlier node of the name,
/// and be made anew a moment later.
fn finalize(view: &View<'_>, plan: &mut Plan) {
    let Tally {
        in_use, configured, ..
    } = view.tally;
    let in_use = &(in_use | view.workers);
    let metadata = &view.module.metadata;
    let name = module_name(view.module);
    let held = in_use.len().max(*configured);
    if held > 0 {
        let nodes = named(in_use);
        plan.because(Reason::of_module(
            &name,
            Cause::WaitingForNodes { count: held, nodes },
        ));
        return;
    }
    // The namespace stays protected until the module has gone from the nodes.
    if !view.has_siblings
        && let Some(namespace) = view.namespace
        && namespace.labels.contains_key(names::CONTAINS_MODULES)
    {
        plan.act(namespace_label(&namespace.name, None, Precondition::default()));
    }
    if metadata
        .finalizers
        .iter()
        .any(|finalizer| finalizer == names::MODULE_FINALIZER)
    {
        let rest: Vec<&String> = metadata
            .finalizers
            .iter()
            .filter(|finalizer| *finalizer != names::MODULE_FINALIZER)
            .collect();
        plan.act(patch_module(
            view.module,
            Part::Object,
            json!({"metadata": {"finalizers": rest}}),
        ));
    }
    plan.because(Reason::of_module(&name, Cause::ModuleReleased));
}

fn mark_namespace(view: &View<'_>, plan: &mut Plan) {
    if let Some(namespace) = view.namespace
        && !namespace.labels.contains_key(names::CONTAINS_MODULES)
    {
        plan.act(namespace_label(
            &namespace.name,
            Some(""),
            Precondition::default(),
        ));
    }
}

/// Sets the mark of a namespace, or removes it.
pub(super) fn namespace_label(namespace: &str, value: Option<&str>, precondition: Precondition) -> Action {
    Action::Patch {
        target: ObjectRef::cluster(Kind::Namespace, namespace),
        part: Part::Object,
        precondition,
        patch: json!({"metadata": {"labels": {names::CONTAINS_MODULES: value}}}),
    }
}

fn add_finalizer(module: &Module) -> Option<Action> {
    let finalizers = &module.metadata.finalizers;
    if finalizers
        .iter()
        .any(|finalizer| finalizer == names::MODULE_FINALIZER)
    {
        return None;
    }
    let mut finalizers: Vec<&str> = finalizers.iter().map(String::as_str).collect();
    finalizers.push(names::MODULE_FINALIZER);
    Some(patch_module(
        module,
        Part::Object,
        json!({"metadata": {"finalizers": finalizers}}),
    ))
}

/// A patch of the Module. Finalizers are a list, so others' must not be lost; a status is nobody else's.
fn patch_module(module: &Module, part: Part, patch: Value) -> Action {
    let mut precondition = state::unchanged(&module.metadata);
    match part {
        Part::Object => {}
        Part::Status => precondition.resource_version = None,
    }
    Action::Patch {
        target: ObjectRef::namespaced(
            Kind::Module,
            module.metadata.namespace.as_str(),
            module.metadata.name.as_str(),
        ),
        part,
        precondition,
        patch,
    }
}

/// The write that makes the ModuleImagesConfig as it should be, if one is needed.
fn images(view: &View<'_>) -> Option<Action> {
    let View { module, images, .. } = view;
    let container = module
        .spec
        .module_loader
        .as_ref()
        .map(|loader| &loader.container)?;
    let current = images.map_or(&[][..], |images| images.spec.images.as_slice());
    let wanted = image_list(view, current);
    let owner = controller_of(module);
    let Some(images) = images else {
        return Some(Action::Create {
            object: json!({
                "apiVersion": V1BETA1,
                "kind": Kind::ModuleImagesConfig.name(),
                "metadata": {
                    "name": module.metadata.name,
                    "namespace": module.metadata.namespace,
                    "ownerReferences": [owner],
                },
                "spec": images_spec(module, &container.image_pull_policy, &wanted),
            }),
        });
    };
    let mut next = images.spec.clone();
    next.images = wanted;
    next.image_repo_secret.clone_from(&module.spec.image_repo_secret);
    next.image_pull_policy.clone_from(&container.image_pull_policy);
    next.push_built_image = true;
    next.image_rebuild_trigger_generation = module.spec.image_rebuild_trigger_generation;
    next.tolerations.clone_from(&module.spec.tolerations);
    let mut patch =
        super::patch::difference(&json!(images.spec), &json!(next)).map(|spec| json!({ "spec": spec }));
    let owned = images.metadata.owner_references.iter();
    if !owned.clone().any(|owner| owner.uid == module.metadata.uid) {
        let owners: Vec<Value> = owned.map(|owner| json!(owner)).chain([owner]).collect();
        patch.get_or_insert_with(|| json!({}))["metadata"] = json!({ "ownerReferences": owners });
    }
    Some(Action::Patch {
        target: ObjectRef::namespaced(
            Kind::ModuleImagesConfig,
            module.metadata.namespace.as_str(),
            module.metadata.name.as_str(),
        ),
        part: Part::Object,
        precondition: state::unchanged(&images.metadata),
        patch: patch?,
    })
}

fn images_spec(module: &Module, policy: &str, images: &[ModuleImageSpec]) -> Value {
    let mut spec = json!({"imagePullPolicy": policy, "pushBuiltImage": true});
    if !images.is_empty() {
        spec["images"] = json!(images);
    }
    if let Some(secret) = &module.spec.image_repo_secret {
        spec["imageRepoSecret"] = json!(secret);
    }
    if let Some(generation) = module.spec.image_rebuild_trigger_generation {
        spec["imageRebuildTriggerGeneration"] = json!(generation);
    }
    if !module.spec.tolerations.is_empty() {
        spec["tolerations"] = json!(module.spec.tolerations);
    }
    spec
}

/// The images that the nodes need, each once.
///
/// Those that are listed keep their place, new ones follow in the order of their kernels: the list changes only when the
/// images do. Where several kernels share an image, the one that is listed stays as long as a node runs it.
fn image_list(view: &View<'_>, current: &[ModuleImageSpec]) -> Vec<ModuleImageSpec> {
    let mut resolver = Resolver::new(view.compiled);
    let mut wanted: BTreeMap<usize, ModuleImageSpec> = BTreeMap::new();
    let places: BTreeMap<&str, usize> = current
        .iter()
        .enumerate()
        .rev()
        .map(|(place, spec)| (spec.image.as_str(), place))
        .collect();
    let mut new: BTreeMap<String, usize> = BTreeMap::new();
    for kernel in view.tally.kernels.keys() {
        let Ok(resolved) = resolver.resolve(kernel) else {
            continue;
        };
        let spec = ModuleImageSpec {
            image: resolved.container_image.clone(),
            kernel_version: resolved.kernel.matched().to_owned(),
            build: resolved.build.clone(),
            sign: resolved.sign.clone(),
            skip_wait_missing_image: false,
            registry_tls: Some(resolved.registry_tls.clone()),
            dir_name: resolved.modprobe.dir_name.clone(),
        };
        let place = match places.get(spec.image.as_str()) {
            Some(&place) => place,
            None => {
                let next = current.len() + new.len();
                *new.entry(spec.image.clone()).or_insert(next)
            }
        };
        let listed = current
            .get(place)
            .is_some_and(|old| old.kernel_version == spec.kernel_version);
        if listed || !wanted.contains_key(&place) {
            wanted.insert(place, spec);
        }
    }
    wanted.into_values().collect()
}

/// The reference of what a Module owns.
pub(super) fn controller_of(module: &Module) -> Value {
    json!({
        "apiVersion": V1BETA1,
        "kind": Kind::Module.name(),
        "name": module.metadata.name,
        "uid": module.metadata.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Names the nodes that the Module is for and that do not get it.
fn left_out(view: &View<'_>, name: &ModuleName, plan: &mut Plan) {
    for (&why, nodes) in &view.tally.left_out {
        let cause = Cause::NodesLeftOut {
            why,
            count: nodes.len(),
            nodes: named(nodes),
        };
        plan.because(Reason::of_module(name, cause));
    }
    if view.tally.schedulable == 0 && view.tally.left_out.is_empty() {
        plan.because(Reason::of_module(name, Cause::NoNodes));
    }
}

fn named(nodes: &BTreeSet<Arc<str>>) -> Vec<String> {
    nodes.iter().take(NAMED).map(ToString::to_string).collect()
}

/// The write that makes the part of the status that is about loading as it should be, if one is needed.
fn status(view: &View<'_>) -> Option<Action> {
    let Tally {
        schedulable,
        configured,
        available,
        ..
    } = view.tally;
    let mut next = view.module.status.clone();
    if view.compiled.loader().is_some() {
        next.module_loader = DaemonSetStatus {
            nodes_matching_selector_number: count(*schedulable),
            desired_number: count(*configured),
            available_number: count(*available),
        };
        // The counter is told once the images are there again. Which are is known to the ModuleImagesConfig alone.
        if let Some(images) = view.images.filter(|images| is_applied(images)) {
            next.image_rebuild_trigger_generation = images.status.image_rebuild_trigger_generation;
        }
    } else {
        next.module_loader = DaemonSetStatus::default();
    }
    let change = super::patch::difference(&json!(view.module.status), &json!(next))?;
    Some(patch_module(
        view.module,
        Part::Status,
        json!({ "status": change }),
    ))
}

/// Whether the rebuild counter is applied: all images were looked for anew, and are there.
fn is_applied(images: &ModuleImagesConfig) -> bool {
    if images.spec.image_rebuild_trigger_generation != images.status.image_rebuild_trigger_generation {
        return false;
    }
    let states = images.status.images_states.iter();
    let exist: HashSet<&str> = states
        .filter(|state| state.status == ImageState::Exists)
        .map(|state| state.image.as_str())
        .collect();
    let mut specs = images.spec.images.iter();
    specs.all(|spec| exist.contains(spec.image.as_str()))
}

/// A count as Kubernetes keeps it.
pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
