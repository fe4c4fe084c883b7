//! What the kubelets of the cluster can do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::watch::News;

/// The nodes whose kubelets cannot mount images as volumes. Kubelets may be older than the API server, and nodes come, go
/// and are upgraded while the operator runs.
#[derive(Debug)]
pub(crate) struct Kubelets {
    old: BTreeSet<String>,
    /// What a list that is under way has brought so far.
    listed: Option<BTreeSet<String>>,
    image_volumes: bool,
}

impl Kubelets {
    /// Before any node is known.
    pub(crate) fn new(image_volumes: bool) -> Self {
        Self {
            old: BTreeSet::new(),
            listed: None,
            image_volumes,
        }
    }

    /// Takes news of nodes over; whether all can mount images, where that is another answer than before.
    pub(crate) fn hear(&mut self, news: &News) -> Option<bool> {
        match news {
            News::ListBegins => self.listed = Some(BTreeSet::new()),
            News::Is(node) => {
                let version = node["status"]["nodeInfo"]["kubeletVersion"]
                    .as_str()
                    .unwrap_or_default();
                let (name, old) = (name(node), !has_image_volumes(version));
                let into = self.listed.as_mut().unwrap_or(&mut self.old);
                if old {
                    into.insert(name);
                } else {
                    into.remove(&name);
                }
            }
            News::Gone(node) => {
                let name = name(node);
                self.old.remove(&name);
            }
            News::ListEnds => self.old = self.listed.take().unwrap_or_default(),
        }
        // In the middle of a list nothing is known.
        if self.listed.is_some() {
            return None;
        }
        let image_volumes = self.old.is_empty();
        let changed = image_volumes != self.image_volumes;
        self.image_volumes = image_volumes;
        changed.then_some(image_volumes)
    }
}

fn name(node: &Value) -> String {
    node["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Whether a Kubernetes of this version (`v1.35.2`, `v1.34.1+k3s1`) mounts images as volumes without being asked to.
fn has_image_volumes(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse::<u32>().ok()
    });
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (1, 35),
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, version: &str) -> News {
        News::Is(json!({"metadata": {"name": name}, "status": {"nodeInfo": {"kubeletVersion": version}}}))
    }

    #[test]
    fn the_oldest_kubelet_counts() {
        let mut kubelets = Kubelets::new(true);
        assert_eq!(kubelets.hear(&News::ListBegins), None);
        assert_eq!(kubelets.hear(&node("a", "v1.36.3")), None);
        assert_eq!(kubelets.hear(&node("b", "v1.34.9")), None);
        assert_eq!(kubelets.hear(&News::ListEnds), Some(false));
        assert_eq!(kubelets.hear(&node("c", "v1.36.3")), None);
        assert_eq!(kubelets.hear(&node("b", "v1.35.0")), Some(true));
        assert_eq!(kubelets.hear(&node("d", "v1.33.0")), Some(false));
        let gone = News::Gone(json!({"metadata": {"name": "d"}}));
        assert_eq!(kubelets.hear(&gone), Some(true));
    }

    #[test]
    fn versions_that_mount_images() {
        for version in ["v1.35.0", "v1.36.3", "v1.35.2+k3s1", "v2.0.0", "1.35"] {
            assert!(has_image_volumes(version), "{version}");
        }
        for version in ["v1.34.9", "v1.9.35", "", "v1", "vX.Y"] {
            assert!(!has_image_volumes(version), "{version}");
        }
    }
}
