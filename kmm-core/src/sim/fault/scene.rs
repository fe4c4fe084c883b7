//! Where schedules begin.

use serde_json::Value;
use serde_json::json;

use crate::reconcile::ImageCheck;
use crate::reconcile::Images;
use crate::reconcile::Installation;
use crate::reconcile::OperatorConfig;
use crate::reconcile::Timestamp;
use crate::sim::Cluster;
use crate::sim::Limit;

/// The namespace of every Module.
pub(super) const NAMESPACE: &str = "drivers";
/// Kernels of nodes; no mapping takes the last one.
pub(super) const KERNELS: [&str; 3] = ["6.1.0-37-amd64", "6.12.9-amd64", "5.10.0-1-amd64"];
/// Nodes that there may be.
pub(super) const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// The node whose workers do not tell on which boot they ran.
const QUIET: &str = NODES[1];
/// Modules that there may be: one with a device plugin, and one without, which may be versioned.
pub(super) const MODULES: [&str; 2] = ["nic", "fs"];
/// Tags of their images.
pub(super) const TAGS: [&str; 3] = ["1", "2", "3"];

/// Clusters to begin with: fresh and settled ones, small and not so small.
#[derive(Debug)]
pub struct Scenes(Vec<Cluster>);

impl Scenes {
    /// All of them.
    pub fn new() -> Self {
        let mut scenes = Vec::new();
        for check in [ImageCheck::Pod, ImageCheck::Registry] {
            for nodes in 1..=NODES.len() {
                for modules in 1..=MODULES.len() {
                    let mut cluster = Cluster::new(installation(check, nodes != 2), Timestamp(1_795_247_896));
                    // These all have what they need: what is applied is made here.
                    for (place, name) in NODES.iter().take(nodes).enumerate() {
                        let _taken = cluster.apply(&node(name, KERNELS[place % 2]));
                    }
                    if let Some(machine) = cluster.machine_mut(QUIET) {
                        machine.quiet();
                    }
                    for name in MODULES.iter().take(modules) {
                        let _taken = cluster.apply(&module(name, TAGS[0], false));
                    }
                    scenes.push(cluster.clone());
                    cluster.settle(Limit::default());
                    cluster.take_timeline();
                    // A settled one is what most schedules need to get anywhere.
                    scenes.extend([cluster.clone(), cluster]);
                }
            }
        }
        Self(scenes)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn find(&self, place: usize) -> Option<Cluster> {
        self.0.get(place).cloned()
    }
}

impl Default for Scenes {
    fn default() -> Self {
        Self::new()
    }
}

fn installation(check: ImageCheck, image_volumes: bool) -> Installation {
    Installation {
        config: OperatorConfig {
            images: Images { check },
            ..OperatorConfig::default()
        },
        worker_image: "registry.example.com/kmm-worker:1".to_owned(),
        image_volumes,
    }
}

pub(super) fn node(name: &str, kernel: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"pool": "acme"}},
        "status": {
            "nodeInfo": {"kernelVersion": kernel, "architecture": "amd64"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

pub(super) fn image(module: &str, tag: &str) -> String {
    format!("registry.example.com/{module}:{tag}-${{KERNEL_FULL_VERSION}}")
}

pub(super) fn module(name: &str, tag: &str, versioned: bool) -> Value {
    let mut container = json!({
        "modprobe": {"moduleName": name},
        "kernelMappings": [{"regexp": r"^6\.", "containerImage": image(name, tag)}],
    });
    if versioned {
        container["version"] = json!(tag);
    }
    let mut module = json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"pool": "acme"}, "moduleLoader": {"container": container}},
    });
    if name == MODULES[0] {
        module["spec"]["devicePlugin"] = plugin();
    }
    module
}

pub(super) fn plugin() -> Value {
    json!({"container": {"image": "registry.example.com/plugin:1"}})
}
