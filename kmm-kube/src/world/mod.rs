//! The cluster as the operator knows it, and what follows from that.
//!
//! Nothing here talks to the API server: messages go in, keys that are to be looked at come out, and for each key there is
//! a plan. All decisions are those of [`kmm_core::reconcile`].

mod kept;
mod plans;
mod shares;
mod wake;

use std::collections::BTreeSet;

use kmm_core::api::ModuleImagesConfig;
use kmm_core::api::NodeModulesConfig;
use kmm_core::reconcile::DaemonSet;
use kmm_core::reconcile::Installation;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::resolve::ModuleName;
use serde_json::Value;

use crate::queue::Work;
use crate::store::Change;
use crate::store::Name;
use crate::store::Store;

use self::kept::KeptModule;
use self::kept::KeptNamespace;
use self::kept::KeptNode;
use self::kept::ModulePod;
use self::kept::PullPod;
use self::shares::Shares;

/// A decision that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Controller {
    /// What a node is to have.
    Assign,
    /// What a node has.
    NodeModules,
    /// Labels of device plugins and DRA drivers.
    PluginLabels,
    /// Images and counts of a Module, and its end.
    Module,
    /// Whether images exist.
    Images,
    /// The DaemonSet of a device plugin.
    DevicePlugin,
}

impl Controller {
    /// As it stands in logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::NodeModules => "node-modules",
            Self::PluginLabels => "plugin-labels",
            Self::Module => "module",
            Self::Images => "images",
            Self::DevicePlugin => "device-plugin",
        }
    }
}

/// What a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// A node.
    Node(String),
    /// A Module, or its ModuleImagesConfig, which has its name.
    Module(ModuleName),
}

/// A decision about something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) controller: Controller,
    pub(crate) subject: Subject,
}

impl Key {
    fn node(controller: Controller, node: &str) -> Self {
        Self {
            controller,
            subject: Subject::Node(node.to_owned()),
        }
    }

    fn module(controller: Controller, module: &ModuleName) -> Self {
        Self {
            controller,
            subject: Subject::Module(module.clone()),
        }
    }
}

impl Work for Key {
    type Subject = Subject;

    fn subject(&self) -> Subject {
        self.subject.clone()
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let controller = self.controller.name();
        match &self.subject {
            Subject::Node(node) => write!(f, "{controller} {node}"),
            Subject::Module(module) => write!(f, "{controller} {}/{}", module.namespace, module.name),
        }
    }
}

/// A list or a watch whose objects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    Nodes,
    Namespaces,
    Modules,
    NodeModulesConfigs,
    ModuleImagesConfigs,
    DaemonSets,
    /// Pods with the name of a Module.
    ModulePods,
    /// Pods that pull images.
    PullPods,
}

impl Source {
    pub(crate) const ALL: [Self; 8] = [
        Self::Nodes,
        Self::Namespaces,
        Self::Modules,
        Self::NodeModulesConfigs,
        Self::ModuleImagesConfigs,
        Self::DaemonSets,
        Self::ModulePods,
        Self::PullPods,
    ];

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Nodes => Kind::Node,
            Self::Namespaces => Kind::Namespace,
            Self::Modules => Kind::Module,
            Self::NodeModulesConfigs => Kind::NodeModulesConfig,
            Self::ModuleImagesConfigs => Kind::ModuleImagesConfig,
            Self::DaemonSets => Kind::DaemonSet,
            Self::ModulePods | Self::PullPods => Kind::Pod,
        }
    }

    /// The label that its objects have, where not all of the kind are wanted.
    pub(crate) fn label(self) -> Option<&'static str> {
        use kmm_core::reconcile::names;
        match self {
            Self::DaemonSets | Self::ModulePods => Some(names::MODULE_NAME),
            Self::PullPods => Some(names::IMAGE_OWNER),
            Self::Nodes
            | Self::Namespaces
            | Self::Modules
            | Self::NodeModulesConfigs
            | Self::ModuleImagesConfigs => None,
        }
    }
}

/// News about objects.
#[derive(Debug)]
pub(crate) enum News {
    /// The state of an object.
    Is(Value),
    /// An object is gone, by the watch.
    Gone(Value),
    /// A list begins.
    ListBegins,
    /// A list is complete.
    ListEnds,
}

/// All that is known.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) installation: Installation,
    nodes: Store<KeptNode>,
    namespaces: Store<KeptNamespace>,
    modules: Store<KeptModule>,
    configs: Store<NodeModulesConfig>,
    images: Store<ModuleImagesConfig>,
    daemon_sets: Store<DaemonSet>,
    pods: Store<ModulePod>,
    pull_pods: Store<PullPod>,
    /// Worker and plugin pods, by node.
    pods_of_node: BTreeSet<(String, Name)>,
    shares: Shares,
    listed: BTreeSet<Source>,
    /// What is to be looked at since it was last asked.
    awake: BTreeSet<Key>,
}

impl World {
    /// A cluster of which nothing is known yet.
    pub(crate) fn new(installation: Installation) -> Self {
        Self {
            installation,
            ..Self::default()
        }
    }

    /// Takes news in.
    pub(crate) fn hear(&mut self, source: Source, news: News) {
        if matches!(news, News::ListEnds) {
            self.listed.insert(source);
        }
        match source {
            Source::Nodes => {
                for (name, change) in changes(&mut self.nodes, news) {
                    self.node_changed(&name, &change);
                }
            }
            Source::Namespaces => {
                for (name, change) in changes(&mut self.namespaces, news) {
                    self.namespace_changed(&name, &change);
                }
            }
            Source::Modules => {
                for (name, change) in changes(&mut self.modules, news) {
                    self.module_changed(&name, &change);
                }
            }
            Source::NodeModulesConfigs => {
                for (name, change) in changes(&mut self.configs, news) {
                    self.config_changed(&name, &change);
                }
            }
            Source::ModuleImagesConfigs => {
                for (name, change) in changes(&mut self.images, news) {
                    self.images_changed(&name, &change);
                }
            }
            Source::DaemonSets => {
                for (name, change) in changes(&mut self.daemon_sets, news) {
                    self.daemon_set_changed(&name, &change);
                }
            }
            Source::ModulePods => {
                for (name, change) in changes(&mut self.pods, news) {
                    self.pod_changed(&name, &change);
                }
            }
            Source::PullPods => {
                for (name, change) in changes(&mut self.pull_pods, news) {
                    self.pull_pod_changed(&name, &change);
                }
            }
        }
    }

    /// Takes in what the API server answered to a write or a question: the object, or that there is none.
    pub(crate) fn answered(&mut self, target: &ObjectRef, object: Option<Value>) {
        let sources: &[Source] = match target.kind {
            Kind::Node => &[Source::Nodes],
            Kind::Namespace => &[Source::Namespaces],
            Kind::Module => &[Source::Modules],
            Kind::NodeModulesConfig => &[Source::NodeModulesConfigs],
            Kind::ModuleImagesConfig => &[Source::ModuleImagesConfigs],
            Kind::DaemonSet => &[Source::DaemonSets],
            Kind::Pod => &[Source::ModulePods, Source::PullPods],
            // Nothing that is decided here reads it.
            Kind::ModuleBuildSignConfig => &[],
        };
        match object {
            Some(object) => {
                for source in sources {
                    self.hear(*source, News::Is(object.clone()));
                }
            }
            None => {
                let name = Name {
                    name: target.name.clone(),
                    namespace: target.namespace.clone(),
                };
                for source in sources {
                    self.absent(*source, name.clone());
                }
            }
        }
    }

    fn absent(&mut self, source: Source, name: Name) {
        match source {
            Source::Nodes => {
                let (name, change) = self.nodes.absent(name);
                self.node_changed(&name, &change);
            }
            Source::Namespaces => {
                let (name, change) = self.namespaces.absent(name);
                self.namespace_changed(&name, &change);
            }
            Source::Modules => {
                let (name, change) = self.modules.absent(name);
                self.module_changed(&name, &change);
            }
            Source::NodeModulesConfigs => {
                let (name, change) = self.configs.absent(name);
                self.config_changed(&name, &change);
            }
            Source::ModuleImagesConfigs => {
                let (name, change) = self.images.absent(name);
                self.images_changed(&name, &change);
            }
            Source::DaemonSets => {
                let (name, change) = self.daemon_sets.absent(name);
                self.daemon_set_changed(&name, &change);
            }
            Source::ModulePods => {
                let (name, change) = self.pods.absent(name);
                self.pod_changed(&name, &change);
            }
            Source::PullPods => {
                let (name, change) = self.pull_pods.absent(name);
                self.pull_pod_changed(&name, &change);
            }
        }
    }

    /// Whether every list was complete once. Before that nothing is decided: what is not seen yet would pass for gone.
    pub(crate) fn is_complete(&self) -> bool {
        self.listed.len() == Source::ALL.len()
    }

    /// What is to be looked at, since it was last asked; nothing before every list was complete.
    pub(crate) fn wakened(&mut self) -> BTreeSet<Key> {
        if !self.is_complete() {
            return BTreeSet::new();
        }
        self.refresh_shares();
        std::mem::take(&mut self.awake)
    }

    fn pods_on<'w>(&'w self, node: &'w str) -> impl Iterator<Item = &'w ModulePod> {
        let first = (node.to_owned(), Name::default());
        let pods = self.pods_of_node.range(first..);
        pods.take_while(move |(on, _)| on == node)
            .filter_map(|(_, name)| self.pods.get(name))
    }
}

fn changes<T: crate::store::Kept>(store: &mut Store<T>, news: News) -> Vec<(Name, Change<T>)> {
    match news {
        News::Is(object) => vec![store.put(object)],
        News::Gone(object) => vec![store.removed(&object)],
        News::ListBegins => {
            store.begin_list();
            Vec::new()
        }
        News::ListEnds => store.end_list(),
    }
}

/// Whether a Kubernetes of this version (`v1.35.2`, `v1.34.1+k3s1`) mounts images as volumes without being asked to.
pub(crate) fn has_image_volumes(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse::<u32>().ok()
    });
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (1, 35),
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}
