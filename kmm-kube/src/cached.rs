//! From what watches bring to changes for the driver.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use kmm_core::driver::Change;
use kmm_core::driver::Driver;
use kmm_core::driver::Seen;
use kmm_core::driver::WATCHED;
use kmm_core::reconcile::Kind;
use kmm_core::reconcile::ObjectRef;
use kmm_core::reconcile::Timestamp;
use serde_json::Value;

use crate::watch::News;
use crate::watch::Source;

/// How far the lists are.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    lists: BTreeMap<Source, List>,
    /// Objects that cannot be read, and of which nothing older is known. They would pass for gone, and what they are for
    /// would be unloaded: so their kind is not complete.
    unreadable: BTreeSet<ObjectRef>,
    told: BTreeSet<Kind>,
}

#[derive(Debug, Default)]
struct List {
    /// What the list that is under way has brought so far.
    under_way: Option<BTreeSet<ObjectRef>>,
    /// Whether one was complete.
    ended: bool,
    /// Whether an object of the kind was written since the list began.
    written: bool,
}

impl Lists {
    /// Takes news over; the highest version that came with it.
    pub(crate) fn hear(&mut self, driver: &mut Driver, source: Source, news: News, now: Timestamp) -> u64 {
        let list = self.lists.entry(source).or_default();
        let mut version = 0;
        match news {
            News::ListBegins => {
                list.under_way = Some(BTreeSet::new());
                list.written = false;
            }
            News::Is(object) => {
                version = version_of(&object);
                if let (Some(under_way), Some(target)) = (&mut list.under_way, ObjectRef::of(&object)) {
                    under_way.insert(target);
                }
                self.put(driver, source, &object, now);
            }
            News::Gone(object) => {
                version = version_of(&object);
                if let Some(target) = ObjectRef::of(&object) {
                    self.unreadable.remove(&target);
                    let version = version.to_string();
                    driver.observe(&Change::Gone { target, version }, now);
                }
            }
            News::ListEnds => {
                list.ended = true;
                let (listed, written) = (list.under_way.take().unwrap_or_default(), list.written);
                self.unreadable
                    .retain(|target| target.kind != source.kind() || listed.contains(target));
                let known = driver.cache().all(source.kind());
                let lost: Vec<ObjectRef> = known
                    .filter(|seen| is_of(seen, source) && !listed.contains(seen.target()))
                    .map(|seen| seen.target().clone())
                    .collect();
                for target in lost {
                    let version = String::new();
                    driver.observe(&Change::Gone { target, version }, now);
                }
                // Of two sources the other may be behind; what was written there is waited for by its plan.
                if !written && self.told.contains(&source.kind()) {
                    driver.listed(source.kind());
                }
            }
        }
        self.tell_complete(driver);
        version
    }

    /// An object of a kind was written.
    pub(crate) fn written(&mut self, kind: Kind) {
        for (source, list) in &mut self.lists {
            list.written |= source.kind() == kind;
        }
    }

    /// What keeps the lists from being complete.
    pub(crate) fn unreadable(&self) -> impl Iterator<Item = &ObjectRef> {
        self.unreadable.iter()
    }

    fn put(&mut self, driver: &mut Driver, source: Source, object: &Value, now: Timestamp) {
        let Some(target) = ObjectRef::of(object) else {
            tracing::error!(?source, kind = %object["kind"], "an object of a kind that was not asked for");
            return;
        };
        let before = driver.cache().find(&target).cloned();
        match Seen::read(object, before.as_deref()) {
            Ok(seen) => {
                self.unreadable.remove(&target);
                driver.observe(&Change::Put(Arc::new(seen)), now);
            }
            Err(error) => {
                tracing::error!(%error, "what was known of it before still counts");
                if before.is_none() {
                    self.unreadable.insert(target);
                }
            }
        }
    }

    /// Tells the driver of kinds whose sources have all been listed once.
    fn tell_complete(&mut self, driver: &mut Driver) {
        for kind in WATCHED {
            let mut sources = Source::ALL.iter().filter(|source| source.kind() == kind);
            let complete = sources.all(|source| self.lists.get(source).is_some_and(|list| list.ended));
            let readable = !self.unreadable.iter().any(|target| target.kind == kind);
            if complete && readable && self.told.insert(kind) {
                driver.listed(kind);
            }
        }
    }
}

/// Whether an object came from a source.
fn is_of(seen: &Seen, source: Source) -> bool {
    match (source.label(), seen.pod()) {
        (Some(label), Some(pod)) => pod.label(label).is_some(),
        (Some(_) | None, None) | (None, Some(_)) => true,
    }
}

pub(crate) fn version_of(object: &Value) -> u64 {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use kmm_core::reconcile::Installation;
    use kmm_core::reconcile::names;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(0);

    fn module(name: &str, version: u32) -> Value {
        json!({
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
            "metadata": {
                "name": name, "namespace": "drivers", "uid": name, "resourceVersion": version.to_string(),
            },
            "spec": {"selector": {}},
        })
    }

    fn known(driver: &Driver) -> Vec<&str> {
        let modules = driver.cache().all(Kind::Module);
        modules.map(|seen| seen.target().name.as_str()).collect()
    }

    fn list(lists: &mut Lists, driver: &mut Driver, source: Source, objects: Vec<Value>) {
        lists.hear(driver, source, News::ListBegins, NOW);
        for object in objects {
            lists.hear(driver, source, News::Is(object), NOW);
        }
        lists.hear(driver, source, News::ListEnds, NOW);
    }

    #[test]
    fn a_list_removes_what_it_does_not_have() {
        let (mut lists, mut driver) = (Lists::default(), Driver::new(Installation::default()));
        let source = Source::Modules;
        list(
            &mut lists,
            &mut driver,
            source,
            vec![module("a", 1), module("b", 2)],
        );
        assert_eq!(known(&driver), ["a", "b"]);
        list(&mut lists, &mut driver, source, vec![module("b", 2)]);
        assert_eq!(known(&driver), ["b"]);
    }

    fn pod(name: &str, labels: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "drivers", "labels": labels, "resourceVersion": "5"},
            "spec": {"nodeName": "w1", "containers": [{"name": "c"}]},
        })
    }

    /// Two lists bring pods; what one of them does not have may be the other's.
    #[test]
    fn lists_of_one_kind_keep_apart() {
        let (mut lists, mut driver) = (Lists::default(), Driver::new(Installation::default()));
        let worker = json!({names::MODULE_NAME: "nic", names::WORKER_ACTION: "Load"});
        let worker = pod("worker", &worker);
        list(&mut lists, &mut driver, Source::ModulePods, vec![worker]);
        let pull = pod("pull", &json!({names::IMAGE_OWNER: "nic"}));
        list(&mut lists, &mut driver, Source::PullPods, vec![pull]);
        assert_eq!(driver.cache().all(Kind::Pod).count(), 2);
        list(&mut lists, &mut driver, Source::PullPods, vec![]);
        let left: Vec<_> = driver.cache().all(Kind::Pod).collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].target().name, "worker");
    }

    /// Without it, a Module that cannot be read would be unloaded from every node.
    #[test]
    fn what_cannot_be_read_keeps_the_work_from_beginning() {
        let (mut lists, mut driver) = (Lists::default(), Driver::new(Installation::default()));
        let mut broken = module("a", 1);
        broken["spec"] = json!({"selector": 5});
        for source in Source::ALL {
            let objects = if source == Source::Modules {
                vec![broken.clone()]
            } else if source == Source::Nodes {
                vec![json!({
                    "apiVersion": "v1", "kind": "Node", "metadata": {"name": "w1", "resourceVersion": "3"},
                })]
            } else {
                Vec::new()
            };
            list(&mut lists, &mut driver, source, objects);
        }
        assert_eq!(lists.unreadable().count(), 1);
        assert_eq!(driver.ready(NOW).count(), 0);
        lists.hear(&mut driver, Source::Modules, News::Is(module("a", 2)), NOW);
        assert_eq!(lists.unreadable().count(), 0);
        assert!(driver.ready(NOW).count() > 0);
        // What was known counts.
        lists.hear(&mut driver, Source::Modules, News::Is(broken), NOW);
        assert_eq!(known(&driver), ["a"]);
    }
}
