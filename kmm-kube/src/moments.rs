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
/// How long they wait at most for images that are being pulled: each that is found later is another write for each node.
const PULLS: Duration = Duration::from_secs(3);
/// How long a pull pod is waited for. One that takes longer is most likely for an image that is not there.
const PULL: Duration = Duration::from_secs(10);
/// How long the status of a Module may be behind while nodes are busy.
const STATUS: Duration = Duration::from_secs(5);
/// How long a node whose worker pod has ended waits for its other worker pods at most.
const WORKERS: Duration = Duration::from_secs(1);
/// When to look again, while something waits.
const LOOK: Duration = Duration::from_millis(100);

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    /// Since when nodes are not assigned anything.
    modules: Option<Instant>,
    /// Pull pods that have not come to their end, and when they were first seen.
    pulls: HashMap<String, Instant>,
    /// When the last of them ended.
    pulled: Option<Instant>,
    /// When something was last decided for a Module.
    told: HashMap<Key, Instant>,
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
                if self
                    .modules
                    .is_none_or(|begun| now >= begun + 2 * self.pause(now)) =>
            {
                self.modules = Some(now);
            }
            (Source::PullPods, News::ListBegins) => self.pulls.clear(),
            (Source::PullPods, News::Is(pod)) => self.pull(pod, has_ended(pod), now),
            (Source::PullPods, News::Gone(pod)) => self.pull(pod, true, now),
            (Source::ModulePods, News::ListBegins) => {
                self.busy.clear();
                self.ended.clear();
            }
            (Source::ModulePods, News::Is(pod)) => self.pod(pod, has_ended(pod), now),
            (Source::ModulePods, News::Gone(pod)) => self.pod(pod, true, now),
            _ => {}
        }
    }

    fn pull(&mut self, pod: &Value, ended: bool, now: Instant) {
        let Some(uid) = pod["metadata"]["uid"].as_str() else {
            return;
        };
        if !ended {
            self.pulls.entry(uid.to_owned()).or_insert(now);
        } else if self.pulls.remove(uid).is_some() {
            self.pulled = Some(now);
        }
    }

    /// Whether images are being pulled, or were until now: what came of it is still to be written down.
    fn is_pulling(&self, now: Instant) -> bool {
        self.pulls.values().any(|seen| now < *seen + PULL)
            || self.pulled.is_some_and(|pulled| now < pulled + MODULES)
    }

    /// How long a wait of nodes takes.
    fn pause(&self, now: Instant) -> Duration {
        if self.is_pulling(now) { PULLS } else { MODULES }
    }

    /// Whether nodes wait for Modules.
    fn is_held(&self, now: Instant) -> bool {
        self.modules.is_some_and(|begun| now < begun + self.pause(now))
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
            Key::Assign(_) => self.is_held(now),
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

    /// Whether a key of a Module comes before the nodes, which may be busy for minutes: its images always, as they are what
    /// nodes wait for, its status every few seconds.
    pub(crate) fn is_urgent(&self, key: &Key, now: Instant) -> bool {
        match key {
            Key::Images(_) => true,
            Key::Module(_) | Key::DevicePlugin(_) => {
                self.told.get(key).is_none_or(|told| now >= *told + STATUS)
            }
            Key::Assign(_) | Key::NodeModules(_) | Key::PluginLabels(_) | Key::Namespace(_) => false,
        }
    }

    /// A key is decided now.
    pub(crate) fn decided(&mut self, key: &Key, now: Instant) {
        match key {
            Key::NodeModules(node) => {
                self.ended.remove(node);
            }
            Key::Module(_) | Key::DevicePlugin(_) => {
                self.told.retain(|_, told| now < *told + STATUS);
                self.told.insert(key.clone(), now);
            }
            Key::Assign(_) | Key::PluginLabels(_) | Key::Images(_) | Key::Namespace(_) => {}
        }
    }

    /// When to look again, where something may wait.
    pub(crate) fn next(&self, now: Instant) -> Option<Duration> {
        let held =
            |(node, ended): (&String, &Instant)| self.busy.contains_key(node) && now < *ended + WORKERS;
        let waits = self.is_held(now) || self.ended.iter().any(held);
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
        moments.decided(&key(), now);
        assert_eq!(moments.next(now), None);
    }

    #[test]
    fn a_decision_ends_a_wait_and_a_pod_that_was_gone_begins_none() {
        let (mut moments, now) = (Moments::default(), Instant::now());
        for news in [pod("a", "Running"), pod("b", "Running"), pod("a", "Succeeded")] {
            moments.hear(Source::ModulePods, &news, now);
        }
        assert!(moments.hold(&key(), now));
        moments.decided(&key(), now);
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

    fn pull(uid: &str, phase: &str) -> News {
        News::Is(json!({"metadata": {"uid": uid}, "status": {"phase": phase}}))
    }

    /// Each image that is found after the nodes were assigned what there was is another write for each of them.
    #[test]
    fn nodes_wait_for_images_that_are_being_pulled_but_not_for_long() {
        let (mut moments, begun) = (Moments::default(), Instant::now());
        let assign = Key::Assign("w1".to_owned());
        let at = |tenths: u32| begun + Duration::from_millis(100) * tenths;
        for uid in ["a", "b"] {
            moments.hear(Source::PullPods, &pull(uid, "Pending"), at(0));
        }
        assert!(!moments.hold(&assign, at(0)), "nothing was found");
        moments.hear(Source::PullPods, &pull("a", "Succeeded"), at(5));
        moments.hear(Source::ModuleImagesConfigs, &News::Is(json!({})), at(6));
        assert!(moments.hold(&assign, at(15)), "b is being pulled");
        assert!(moments.next(at(15)).is_some());
        moments.hear(
            Source::PullPods,
            &News::Gone(json!({"metadata": {"uid": "b"}})),
            at(20),
        );
        assert!(
            moments.hold(&assign, at(21)),
            "that it is there has not been seen"
        );
        assert!(!moments.hold(&assign, at(24)), "it has");
        // One that never ends stops nothing.
        moments.hear(Source::PullPods, &pull("c", "Pending"), at(100));
        let mut free = 0;
        for tenth in 100..200 {
            moments.hear(Source::ModuleImagesConfigs, &News::Is(json!({})), at(tenth));
            free += u32::from(!moments.hold(&assign, at(tenth)));
        }
        assert!((30..60).contains(&free), "{free} of 100");
        moments.hear(Source::ModuleImagesConfigs, &News::Is(json!({})), at(300));
        assert!(!moments.hold(&assign, at(304)), "it takes too long");
    }

    #[test]
    fn modules_are_told_of_while_nodes_are_busy() {
        let (mut moments, now) = (Moments::default(), Instant::now());
        let name = ModuleName::default();
        let (images, module) = (Key::Images(name.clone()), Key::Module(name));
        assert!(moments.is_urgent(&module, now) && moments.is_urgent(&images, now));
        moments.decided(&module, now);
        moments.decided(&images, now);
        assert!(!moments.is_urgent(&module, now + STATUS / 2), "a moment ago");
        assert!(moments.is_urgent(&images, now));
        assert!(moments.is_urgent(&module, now + STATUS));
        assert!(!moments.is_urgent(&key(), now), "nodes have their turn");
    }
}
