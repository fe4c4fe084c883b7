//! Short waits, so that what comes at about the same time is answered by one write instead of many.
//!
//! Decisions are right at any time: a wait only makes them fewer.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;

use kmm_core::driver::Key;
use kmm_core::reconcile::names;
use serde_json::Value;
use tokio::time::Instant;

use crate::watch::News;
use crate::watch::Source;

/// How long nodes are not assigned anything after the first news of Modules: several are often applied together.
const MODULES: Duration = Duration::from_millis(300);
/// How long a node whose worker pod has ended waits for its other worker pods at most.
const WORKERS: Duration = Duration::from_secs(1);
/// When to look again, while something waits.
const LOOK: Duration = Duration::from_millis(100);

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    /// Until when nodes are not assigned anything.
    modules: Option<Instant>,
    /// Worker pods that have not come to their end, by node.
    busy: HashMap<String, HashSet<String>>,
    /// When the first worker pod of a node ended after the last decision for it.
    ended: HashMap<String, Instant>,
}

impl Moments {
    /// Takes news over.
    pub(crate) fn hear(&mut self, source: Source, news: &News, now: Instant) {
        match (source, news) {
            // After a wait there is as long a time without one, so that news without end stops nothing.
            (Source::Modules | Source::ModuleImagesConfigs, News::Is(_) | News::Gone(_))
                if self.modules.is_none_or(|until| now >= until + MODULES) =>
            {
                self.modules = Some(now + MODULES);
            }
            (Source::ModulePods, News::ListBegins) => {
                self.busy.clear();
                self.ended.clear();
            }
            (Source::ModulePods, News::Is(pod)) => self.pod(pod, has_ended(pod), now),
            (Source::ModulePods, News::Gone(pod)) => self.pod(pod, true, now),
            _ => {}
        }
    }

    fn pod(&mut self, pod: &Value, ended: bool, now: Instant) {
        let metadata = &pod["metadata"];
        if metadata["labels"][names::WORKER_ACTION].is_null() {
            return;
        }
        let (Some(node), Some(uid)) = (pod["spec"]["nodeName"].as_str(), metadata["uid"].as_str()) else {
            return;
        };
        if !ended {
            self.busy
                .entry(node.to_owned())
                .or_default()
                .insert(uid.to_owned());
            return;
        }
        let Some(busy) = self.busy.get_mut(node) else {
            return;
        };
        if busy.remove(uid) {
            self.ended.entry(node.to_owned()).or_insert(now);
        }
        if busy.is_empty() {
            self.busy.remove(node);
        }
    }

    /// Whether a key waits.
    pub(crate) fn hold(&self, key: &Key, now: Instant) -> bool {
        match key {
            Key::Assign(_) => self.modules.is_some_and(|until| now < until),
            Key::NodeModules(node) => {
                let ended = self.ended.get(node).filter(|_| self.busy.contains_key(node));
                ended.is_some_and(|ended| now < *ended + WORKERS)
            }
            Key::PluginLabels(_)
            | Key::Module(_)
            | Key::Namespace(_)
            | Key::Images(_)
            | Key::DevicePlugin(_) => false,
        }
    }

    /// A key is decided now.
    pub(crate) fn decided(&mut self, key: &Key) {
        if let Key::NodeModules(node) = key {
            self.ended.remove(node);
        }
    }

    /// When to look again, where something may wait.
    pub(crate) fn next(&self, now: Instant) -> Option<Duration> {
        let held =
            |(node, ended): (&String, &Instant)| self.busy.contains_key(node) && now < *ended + WORKERS;
        let waits = self.modules.is_some_and(|until| now < until) || self.ended.iter().any(held);
        waits.then_some(LOOK)
    }
}

fn has_ended(pod: &Value) -> bool {
    let phase = pod["status"]["phase"].as_str();
    matches!(phase, Some("Succeeded" | "Failed")) || pod["metadata"]["deletionTimestamp"].is_string()
}

#[cfg(test)]
mod tests {
    use kmm_core::resolve::ModuleName;
    use serde_json::json;

    use super::*;

    fn pod(uid: &str, phase: &str) -> News {
        News::Is(json!({
            "metadata": {"uid": uid, "labels": {names::WORKER_ACTION: "Load"}},
            "spec": {"nodeName": "w1"}, "status": {"phase": phase},
        }))
    }

    fn key() -> Key {
        Key::NodeModules("w1".to_owned())
    }

    #[test]
    fn a_node_waits_for_its_other_worker_pods() {
        let (mut moments, now) = (Moments::default(), Instant::now());
        let hear = |moments: &mut Moments, news: News| moments.hear(Source::ModulePods, &news, now);
        hear(&mut moments, pod("a", "Pending"));
        assert!(!moments.hold(&key(), now), "nothing has ended");
        hear(&mut moments, pod("a", "Succeeded"));
        assert!(!moments.hold(&key(), now), "nothing else runs");
        hear(&mut moments, pod("b", "Running"));
        assert!(moments.hold(&key(), now), "b runs");
        assert!(moments.next(now).is_some());
        let other = Key::NodeModules("w2".to_owned());
        assert!(!moments.hold(&other, now), "another node");
        assert!(!moments.hold(&key(), now + WORKERS), "long enough");
        assert_eq!(
            moments.next(now + WORKERS),
            None,
            "nobody looks for what no longer waits"
        );
        hear(&mut moments, pod("b", "Failed"));
        assert!(!moments.hold(&key(), now), "all have ended");
        moments.decided(&key());
        assert_eq!(moments.next(now), None);
    }

    #[test]
    fn a_decision_ends_a_wait_and_a_pod_that_was_gone_begins_none() {
        let (mut moments, now) = (Moments::default(), Instant::now());
        for news in [pod("a", "Running"), pod("b", "Running"), pod("a", "Succeeded")] {
            moments.hear(Source::ModulePods, &news, now);
        }
        assert!(moments.hold(&key(), now));
        moments.decided(&key());
        assert!(!moments.hold(&key(), now));
        // Its end was told before.
        moments.hear(Source::ModulePods, &pod("a", "Succeeded"), now);
        assert!(!moments.hold(&key(), now));
        moments.hear(Source::ModulePods, &News::ListBegins, now);
        assert!(moments.busy.is_empty());
    }

    #[test]
    fn news_of_modules_hold_nodes_for_a_moment_and_not_for_ever() {
        let (mut moments, begun) = (Moments::default(), Instant::now());
        let assign = Key::Assign("w1".to_owned());
        let mut free = 0;
        for tenth in 0..30 {
            let now = begun + Duration::from_millis(100) * tenth;
            moments.hear(Source::Modules, &News::Is(json!({})), now);
            free += u32::from(!moments.hold(&assign, now));
        }
        assert!((10..20).contains(&free), "{free} of 30");
        assert!(!moments.hold(&Key::Module(ModuleName::default()), begun));
    }
}
