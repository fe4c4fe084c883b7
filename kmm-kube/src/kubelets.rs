//! What the kubelets of the cluster can do.
//!
//! Kubelets may be older than the API server, and each is upgraded on its own: it is asked of every node.

use kmm_core::driver::Driver;
use serde_json::Value;

/// Takes over what the kubelet of a node can do.
pub(crate) fn hear(driver: &mut Driver, node: &Value) {
    let Some(name) = node["metadata"]["name"].as_str() else {
        return;
    };
    let kubelet = version(node);
    let image_volumes = has_image_volumes(kubelet);
    if driver.set_image_volumes(name, image_volumes) {
        tracing::info!(
            node = name,
            kubelet,
            image_volumes,
            "worker pods are made for this kubelet"
        );
    }
}

/// The version of the kubelet of a node.
fn version(node: &Value) -> &str {
    let version = &node["status"]["nodeInfo"]["kubeletVersion"];
    version.as_str().unwrap_or_default()
}

/// Whether a kubelet of this version (`v1.35.2`, `v1.34.1+k3s1`) mounts images as volumes without being asked to.
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
    use super::*;

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
