//! Lists and watches, as news.

use std::borrow::Cow;
use std::fmt;

use futures::Stream;
use futures::StreamExt;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::names;
use kube::Api;
use kube::Client;
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use serde::Deserialize;
use serde::Deserializer;
use serde_json::Value;

use crate::trimmed::Trimmed;

/// Objects that are asked for at a time. A page is in memory as a whole, and a node may be tens of kilobytes.
const PAGE: u32 = 50;

/// An object as it came, as far as anybody reads it.
///
/// It is read into what is kept of it later, one by one: an object that cannot be read does not stop the watch.
#[derive(Clone, Debug)]
struct Object {
    metadata: ObjectMeta,
    whole: Value,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Trimmed(whole) = Trimmed::deserialize(deserializer)?;
        let text = |key: &str| whole["metadata"][key].as_str().map(str::to_owned);
        // What the watch itself reads.
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            annotations: serde_json::from_value(whole["metadata"]["annotations"].clone()).unwrap_or_default(),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, whole })
    }
}

impl Resource for Object {
    type DynamicType = Kind;
    type Scope = kube::core::DynamicResourceScope;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.name().into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        let group = kind.api_version().split_once('/');
        group.map_or("", |(group, _)| group).into()
    }

    fn version(kind: &Kind) -> Cow<'_, str> {
        let api_version = kind.api_version();
        let version = api_version.split_once('/');
        version.map_or(api_version, |(_, version)| version).into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        kind.plural().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// A list and a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    Nodes,
    Namespaces,
    Modules,
    NodeModulesConfigs,
    ModuleImagesConfigs,
    /// DaemonSets with the name of a Module.
    DaemonSets,
    /// Pods with the name of a Module: workers, device plugins, DRA drivers.
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

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModulePods => f.write_str("pods of Modules"),
            Self::PullPods => f.write_str("pods that pull images"),
            Self::Nodes
            | Self::Namespaces
            | Self::Modules
            | Self::NodeModulesConfigs
            | Self::ModuleImagesConfigs
            | Self::DaemonSets => f.write_str(self.kind().plural()),
        }
    }
}

/// News about the objects of a source.
#[derive(Debug)]
pub(crate) enum News {
    /// The state of an object.
    Is(Value),
    /// An object is gone.
    Gone(Value),
    /// A list begins.
    ListBegins,
    /// A list is complete.
    ListEnds,
}

/// Everything about the objects of a source, for ever: a watch that breaks is taken up again, with a wait that grows.
pub(crate) fn news(
    client: &Client,
    source: Source,
) -> impl Stream<Item = Result<News, watcher::Error>> + use<> {
    let api: Api<Object> = Api::all_with(client.clone(), &source.kind());
    let mut config = watcher::Config::default().page_size(PAGE);
    if let Some(label) = source.label() {
        config = config.labels(label);
    }
    watcher(api, config).default_backoff().map(move |event| {
        Ok(match event? {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                News::Is(with_kind(object.whole, source.kind()))
            }
            watcher::Event::Delete(object) => News::Gone(with_kind(object.whole, source.kind())),
            watcher::Event::Init => News::ListBegins,
            watcher::Event::InitDone => News::ListEnds,
        })
    })
}

/// The object with its kind: in lists, those of Kubernetes' own kinds do not say it.
pub(crate) fn with_kind(mut object: Value, kind: Kind) -> Value {
    // What is no object is told where it is read.
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".to_owned(), kind.api_version().into());
        fields.insert("kind".to_owned(), kind.name().into());
    }
    object
}
