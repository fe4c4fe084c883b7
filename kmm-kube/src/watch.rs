//! Lists and watches, as news for the world.

use std::borrow::Cow;

use futures::Stream;
use futures::StreamExt;
use kmm_core::reconcile::Kind;
use kube::Api;
use kube::Client;
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use serde::Deserialize;
use serde::Deserializer;
use serde_json::Value;

use crate::world::News;
use crate::world::Source;

/// An object as it came.
///
/// It is read into what is kept of it later, one by one: an object that cannot be read does not stop the watch.
#[derive(Clone, Debug)]
struct Object {
    metadata: ObjectMeta,
    whole: Value,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = Value::deserialize(deserializer)?;
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

/// Everything about the objects of a source, for ever: a watch that breaks is taken up again, with a wait that grows.
pub(crate) fn news(
    client: &Client,
    source: Source,
) -> impl Stream<Item = Result<News, watcher::Error>> + use<> {
    let api: Api<Object> = Api::all_with(client.clone(), &source.kind());
    let mut config = watcher::Config::default();
    if let Some(label) = source.label() {
        config = config.labels(label);
    }
    watcher(api, config).default_backoff().map(|event| {
        Ok(match event? {
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => News::Is(object.whole),
            watcher::Event::Delete(object) => News::Gone(object.whole),
            watcher::Event::Init => News::ListBegins,
            watcher::Event::InitDone => News::ListEnds,
        })
    })
}
