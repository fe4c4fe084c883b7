//! What a node is to have: one node, all Modules.
//!
//! This is the half of the Go operator's Module controller that writes NodeModulesConfigs, turned round: it looks at one
//! node at a time. It also keeps the labels of the node that device plugins are bound to.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::api::ImageState;
use crate::api::Module;
use crate::api::ModuleImagesConfig;
use crate::api::NodeModuleSpec;
use crate::api::NodeModulesConfig;
use crate::api::V1BETA1;
use crate::module::Compiled;
use crate::resolve::ModuleName;
use crate::resolve::ResolveError;
use crate::resolve::Resolved;
use crate::resolve::Resolver;

use super::Action;
use super::Cause;
use super::Kind;
use super::Node;
use super::ObjectRef;
use super::Part;
use super::Plan;
use super::Reason;
use super::module::Noted;
use super::module::Share;
use super::module::Standing;
use super::names;
use super::names::NodeLabel;
use super::state;

/// Kernels that a candidate remembers. Nodes say what they like, so there is no end to kernels.
const KERNELS: usize = 1_000;

/// A Module, made ready to be looked at from many nodes.
#[derive(Clone, Debug)]
pub struct Candidate {
    name: ModuleName,
    labels: Labels,
    module: Arc<Module>,
    compiled: Arc<Compiled>,
    resolver: Resolver<Arc<Compiled>>,
    states: HashMap<String, ImageState>,
    /// From a kernel, as nodes report it, to the entry that it comes to: most nodes only compare theirs with it.
    entries: HashMap<String, NodeModuleSpec>,
}

/// Labels of a Module on nodes and their NodeModulesConfigs.
#[derive(Clone, Debug)]
struct Labels {
    configured: String,
    in_use: String,
    target: String,
    version: String,
}

impl Candidate {
    /// A Module, the same compiled, and its ModuleImagesConfig, if there is one yet.
    pub fn new(module: &Arc<Module>, compiled: &Arc<Compiled>, images: Option<&ModuleImagesConfig>) -> Self {
        let name = module_name(module);
        let mut candidate = Self {
            labels: Labels {
                configured: names::configured(&name),
                in_use: names::in_use(&name),
                target: names::device_plugin_target(&name),
                version: names::version_worker_pod(&name),
            },
            name,
            module: Arc::clone(module),
            compiled: Arc::clone(compiled),
            resolver: Resolver::new(Arc::clone(compiled)),
            states: HashMap::new(),
            entries: HashMap::new(),
        };
        candidate.see_images(images);
        candidate
    }

    /// Takes over what is known of its images now.
    pub fn see_images(&mut self, images: Option<&ModuleImagesConfig>) {
        let states = images.into_iter().flat_map(|images| &images.status.images_states);
        self.states = states.map(|state| (state.image.clone(), state.status)).collect();
    }

    /// Takes the Module over as it is now. What was resolved stays, where the same compilation comes with it.
    pub fn see_module(&mut self, module: &Arc<Module>, compiled: &Arc<Compiled>) {
        self.module = Arc::clone(module);
        if !Arc::ptr_eq(&self.compiled, compiled) {
            self.compiled = Arc::clone(compiled);
            self.forget_kernels();
        }
    }

    fn forget_kernels(&mut self) {
        self.resolver = Resolver::new(Arc::clone(&self.compiled));
        self.entries.clear();
    }

    /// Name and namespace.
    pub fn name(&self) -> &ModuleName {
        &self.name
    }

    /// The Module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// What a node that is not there, or not known, adds to the counts: only what is noted of it.
    pub fn share_of_noted(&self, noted: &Noted<'_>) -> Share {
        let Labels {
            configured, in_use, ..
        } = &self.labels;
        noted.share(&self.name, configured, in_use)
    }
}

/// Name and namespace of a Module.
pub fn module_name(module: &Module) -> ModuleName {
    ModuleName {
        name: module.metadata.name.clone(),
        namespace: module.metadata.namespace.clone(),
    }
}

/// What is decided for one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignment {
    /// What is to be done.
    pub plan: Plan,
    /// What the node adds to the counts of each Module, in the order of the candidates.
    pub shares: Vec<Share>,
}

/// Decides what a node is to have.
///
/// `candidates` are all Modules of the cluster, or at least each one that selects the node or that its NodeModulesConfig
/// or its labels name: what is named there and is no candidate is taken for gone.
pub fn plan(node: &Node, config: Option<&NodeModulesConfig>, candidates: &mut [Candidate]) -> Assignment {
    let mut out = Assignment::default();
    out.plan.basis.push(state::seen(
        ObjectRef::cluster(Kind::NodeModulesConfig, node.name()),
        config.map(|config| &config.metadata),
    ));
    let mut draft = Draft::new(config);
    let mut targets = BTreeMap::new();
    let noted = Noted::new(node.name(), config);
    let architecture: Arc<str> = node.facts.architecture.as_str().into();
    let kernel: Arc<str> = node.facts.kernel_version.as_str().into();
    for candidate in candidates.iter_mut() {
        let (decision, standing) = decide(node, &kernel, candidate);
        let cause = draft.take(node, candidate, decision);
        out.plan
            .because(Reason::on_node(&candidate.name, node.name(), cause));
        let target = is_plugin_target(node, candidate);
        targets.extend(target_label(node, &candidate.labels.target, target));
        out.shares.push(Share {
            architecture: Arc::clone(&architecture),
            standing,
            plugin_target: target,
            ..candidate.share_of_noted(&noted)
        });
    }
    withdraw_the_gone(node, config, candidates, &mut draft, &mut targets, &mut out.plan);
    if let Some(action) = draft.action(node, config) {
        out.plan.act(action);
    }
    if !targets.is_empty() {
        out.plan
            .act(Action::labels(node.reference(), node.same(), &targets));
    }
    out
}

/// What is decided for one Module on the node.
enum Decision {
    /// The node is to have it.
    Have,
    /// The node keeps what it has.
    Keep(Cause),
    /// The node is not to have it.
    Drop(Cause),
}

fn decide(node: &Node, kernel: &Arc<str>, candidate: &mut Candidate) -> (Decision, Standing) {
    if candidate.resolver.kernels() >= KERNELS {
        candidate.forget_kernels();
    }
    let Candidate {
        name,
        labels,
        module,
        compiled,
        resolver,
        states,
        entries,
    } = candidate;
    let out = |cause| (Decision::Drop(cause), Standing::Outside);
    if module.metadata.deletion_timestamp.is_some() {
        return out(Cause::ModuleDeleting);
    }
    let Some(loader) = compiled.loader() else {
        return out(Cause::NoModuleLoader);
    };
    if node.deleting {
        return out(Cause::NodeGoing);
    }
    if !node.facts.is_selected(compiled.selector()) {
        return out(Cause::NotSelected);
    }
    let mut untolerated = node.facts.untolerated(compiled.tolerations()).peekable();
    if untolerated.peek().is_some() {
        let taints = untolerated.map(ToString::to_string).collect();
        let cause = Cause::NodeUnschedulable { taints };
        return (Decision::Drop(cause), Standing::Unschedulable);
    }
    let resolved = match resolver.resolve(&node.facts.kernel_version) {
        Ok(resolved) => resolved,
        Err(error) => return unresolved(node, error),
    };
    let kernel = || Arc::clone(kernel);
    if !loader.version.is_empty() {
        let wanted = loader.version.clone();
        match node.facts.labels.get(&labels.version) {
            Some(label) if *label == wanted => {}
            Some(label) => {
                let label = label.clone();
                let cause = Cause::VersionHeld { wanted, label };
                return (Decision::Keep(cause), Standing::Held { kernel: kernel() });
            }
            None => {
                // Nothing moves the label of administrators over to this one yet.
                let label = labels.version.clone();
                let cause = Cause::VersionLabelMissing { wanted, label };
                return (Decision::Drop(cause), Standing::Held { kernel: kernel() });
            }
        }
    }
    let state = states.get(resolved.container_image.as_str()).copied();
    let decision = match state {
        Some(ImageState::Exists) => {
            if !entries.contains_key(&node.facts.kernel_version) {
                entries.insert(node.facts.kernel_version.clone(), entry(name, resolved));
            }
            Decision::Have
        }
        // What the node has stays until the new image is there.
        None | Some(ImageState::DoesNotExist | ImageState::NeedsBuilding | ImageState::NeedsSigning) => {
            let image = resolved.container_image.clone();
            Decision::Keep(Cause::ImageNotReady { image, state })
        }
    };
    (decision, Standing::Targeted { kernel: kernel() })
}

fn unresolved(node: &Node, error: &ResolveError) -> (Decision, Standing) {
    let kernel = node.facts.kernel().matched().to_owned();
    match error {
        ResolveError::NoModuleLoader => (Decision::Drop(Cause::NoModuleLoader), Standing::Outside),
        ResolveError::NoMapping { .. } => (Decision::Drop(Cause::NoMapping { kernel }), Standing::NoMapping),
        // A broken Module changes nothing on nodes that have it.
        ResolveError::Regexp { .. } | ResolveError::Kernel { .. } | ResolveError::Template { .. } => {
            let error = error.to_string();
            (
                Decision::Keep(Cause::Unresolved { kernel, error }),
                Standing::Unresolved,
            )
        }
    }
}

/// The entry of a NodeModulesConfig that a Module comes to.
pub(super) fn entry(name: &ModuleName, resolved: &Resolved) -> NodeModuleSpec {
    NodeModuleSpec {
        image_repo_secret: resolved.image_repo_secret.clone(),
        name: name.name.clone(),
        namespace: name.namespace.clone(),
        service_account_name: if resolved.service_account_name.is_empty() {
            "default".to_owned()
        } else {
            resolved.service_account_name.clone()
        },
        tolerations: resolved.tolerations.clone(),
        version: resolved.module_version.clone(),
        config: resolved.module_config(),
    }
}

/// The NodeModulesConfig as it is being changed.
struct Draft<'c> {
    /// Entries in their order; `None` for those that are dropped.
    modules: Vec<Option<Cow<'c, NodeModuleSpec>>>,
    places: HashMap<(&'c str, &'c str), usize>,
    old_labels: Option<&'c BTreeMap<String, String>>,
    labels: Map<String, Value>,
    changed: bool,
}

impl<'c> Draft<'c> {
    fn new(config: Option<&'c NodeModulesConfig>) -> Self {
        let modules: &[NodeModuleSpec] = config.map_or(&[], |config| &config.spec.modules);
        let places = modules.iter().enumerate();
        Self {
            places: places
                .map(|(place, entry)| ((entry.namespace.as_str(), entry.name.as_str()), place))
                .collect(),
            modules: modules.iter().map(|entry| Some(Cow::Borrowed(entry))).collect(),
            old_labels: config.map(|config| &config.metadata.labels),
            labels: Map::new(),
            changed: false,
        }
    }

    fn has_label(&self, key: &str) -> bool {
        self.old_labels.is_some_and(|labels| labels.contains_key(key))
    }

    /// Takes a decision over, and says what it comes to.
    fn take(&mut self, node: &Node, candidate: &Candidate, decision: Decision) -> Cause {
        let name = &candidate.name;
        match decision {
            Decision::Have => match candidate.entries.get(&node.facts.kernel_version) {
                Some(entry) => self.put(candidate, entry),
                // An entry is made whenever this is decided.
                None => Cause::Withdrawing,
            },
            Decision::Keep(cause) => cause,
            Decision::Drop(cause) => {
                let had = self.remove(name, &candidate.labels.configured);
                match cause {
                    // This says nothing of what happens to an entry that is there.
                    Cause::NotSelected if had => Cause::Withdrawing,
                    cause => cause,
                }
            }
        }
    }

    fn put(&mut self, candidate: &Candidate, wanted: &NodeModuleSpec) -> Cause {
        let Candidate { name, labels, .. } = candidate;
        let image = wanted.config.container_image.clone();
        let place = self.places.get(&(name.namespace.as_str(), name.name.as_str()));
        let place = place.and_then(|&place| self.modules.get_mut(place));
        let mut writing = false;
        match place {
            Some(Some(entry)) if same_entry(entry, wanted) => {}
            Some(slot) => {
                *slot = Some(Cow::Owned(wanted.clone()));
                writing = true;
            }
            None => {
                self.modules.push(Some(Cow::Owned(wanted.clone())));
                writing = true;
            }
        }
        self.changed |= writing;
        for label in [&labels.configured, &labels.in_use] {
            if !self.has_label(label) {
                self.labels.insert(label.clone(), json!(""));
                writing = true;
            }
        }
        if writing {
            Cause::Assigning { image }
        } else {
            Cause::Assigned { image }
        }
    }

    /// Whether there was anything to remove.
    fn remove(&mut self, name: &ModuleName, label: &str) -> bool {
        let place = self.places.get(&(name.namespace.as_str(), name.name.as_str()));
        let slot = place.and_then(|&place| self.modules.get_mut(place));
        let entry = slot.and_then(Option::take);
        self.changed |= entry.is_some();
        let labelled = self.has_label(label);
        if labelled {
            self.labels.insert(label.to_owned(), Value::Null);
        }
        entry.is_some() || labelled
    }

    /// The write that makes the NodeModulesConfig so, if one is needed.
    fn action(self, node: &Node, config: Option<&NodeModulesConfig>) -> Option<Action> {
        let owner_missing = config.is_some_and(|config| {
            let owners = &config.metadata.owner_references;
            !owners
                .iter()
                .any(|owner| owner.kind == "Node" && owner.uid == node.uid)
        });
        if !self.changed && self.labels.is_empty() && !owner_missing {
            return None;
        }
        let modules: Vec<Cow<'_, NodeModuleSpec>> = self.modules.into_iter().flatten().collect();
        let target = ObjectRef::cluster(Kind::NodeModulesConfig, node.name());
        let Some(config) = config else {
            // Where nothing is to be had, nothing is made.
            if modules.is_empty() {
                return None;
            }
            let object = new_config(node, &Value::Object(self.labels), &json!(modules));
            return Some(Action::Create { object });
        };
        let mut patch = json!({});
        if !self.labels.is_empty() {
            patch["metadata"]["labels"] = Value::Object(self.labels);
        }
        if owner_missing {
            let mut owners: Vec<Value> = config
                .metadata
                .owner_references
                .iter()
                .filter(|owner| owner.kind != "Node")
                .map(|owner| json!(owner))
                .collect();
            owners.push(owner(node));
            patch["metadata"]["ownerReferences"] = Value::Array(owners);
        }
        if self.changed {
            patch["spec"]["modules"] = json!(modules);
        }
        Some(Action::Patch {
            target,
            part: Part::Object,
            precondition: state::unchanged(&config.metadata),
            patch,
        })
    }
}

/// A NodeModulesConfig that a node does not have yet.
pub(super) fn new_config(node: &Node, labels: &Value, modules: &Value) -> Value {
    json!({
        "apiVersion": V1BETA1,
        "kind": Kind::NodeModulesConfig.name(),
        "metadata": {"name": node.name(), "labels": labels, "ownerReferences": [owner(node)]},
        "spec": {"modules": modules},
    })
}

fn owner(node: &Node) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "name": node.name(), "uid": node.uid})
}

/// Whether two entries say the same; an absent list and an empty one do.
fn same_entry(a: &NodeModuleSpec, b: &NodeModuleSpec) -> bool {
    let NodeModuleSpec {
        image_repo_secret,
        name,
        namespace,
        service_account_name,
        tolerations,
        version,
        config,
    } = a;
    *image_repo_secret == b.image_repo_secret
        && *name == b.name
        && *namespace == b.namespace
        && *service_account_name == b.service_account_name
        && *tolerations == b.tolerations
        && *version == b.version
        && super::same_config(config, &b.config)
}

/// Entries and labels of Modules that are no candidates: those Modules have gone.
fn withdraw_the_gone(
    node: &Node,
    config: Option<&NodeModulesConfig>,
    candidates: &[Candidate],
    draft: &mut Draft<'_>,
    targets: &mut BTreeMap<String, Option<String>>,
    plan: &mut Plan,
) {
    let known: HashSet<&ModuleName> = candidates.iter().map(|candidate| &candidate.name).collect();
    let entries = config.into_iter().flat_map(|config| &config.spec.modules);
    let entries = entries.map(|entry| ModuleName {
        name: entry.name.clone(),
        namespace: entry.namespace.clone(),
    });
    let labels = config
        .into_iter()
        .flat_map(|config| config.metadata.labels.keys());
    let labels = labels.filter_map(|key| names::module_configured(key));
    let named: BTreeSet<ModuleName> = entries
        .chain(labels)
        .filter(|name| !known.contains(name))
        .collect();
    for name in &named {
        if draft.remove(name, &names::configured(name)) {
            plan.because(Reason::on_node(name, node.name(), Cause::ModuleGone));
        }
    }
    for key in node.facts.labels.keys() {
        if let Some(NodeLabel::DevicePluginTarget(name)) = NodeLabel::parse(key)
            && !known.contains(&name)
        {
            targets.insert(key.clone(), None);
        }
    }
}

/// Whether the device plugin of the Module is for the node.
///
/// Pressure on disk, memory and process numbers is tolerated, as DaemonSets do.
fn is_plugin_target(node: &Node, candidate: &Candidate) -> bool {
    let Candidate { module, compiled, .. } = candidate;
    module.spec.device_plugin.is_some()
        && module.metadata.deletion_timestamp.is_none()
        && !node.deleting
        && node.facts.is_selected(compiled.selector())
        && node.facts.is_schedulable(compiled.tolerations())
}

fn target_label(node: &Node, label: &str, wanted: bool) -> Option<(String, Option<String>)> {
    match (wanted, node.facts.labels.contains_key(label)) {
        (true, false) => Some((label.to_owned(), Some(String::new()))),
        (false, true) => Some((label.to_owned(), None)),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests;
