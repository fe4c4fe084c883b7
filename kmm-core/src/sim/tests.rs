use serde_json::Value;
use serde_json::json;

use super::*;
use crate::reconcile::ImageCheck;
use crate::reconcile::Images;
use crate::reconcile::Installation;
use crate::reconcile::Kind;
use crate::reconcile::ObjectRef;
use crate::reconcile::OperatorConfig;
use crate::reconcile::Timestamp;
use crate::resolve::ModuleName;

const NOW: Timestamp = Timestamp(1_795_247_896);
const READY: &str = "kmm.node.kubernetes.io/drivers.acme-nic.ready";

fn installations() -> Vec<Installation> {
    let mut all = Vec::new();
    for check in [ImageCheck::Pod, ImageCheck::Registry] {
        for image_volumes in [true, false] {
            all.push(Installation {
                config: OperatorConfig {
                    images: Images { check },
                    ..OperatorConfig::default()
                },
                worker_image: "registry.example.com/kmm-worker:1".to_owned(),
                image_volumes,
            });
        }
    }
    all
}

fn node(name: &str, kernel: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"pool": "acme"}},
        "status": {
            "nodeInfo": {"kernelVersion": kernel, "architecture": "amd64", "bootID": format!("{name}-boot-1")},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn module(image: &str) -> Value {
    json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
        "metadata": {"name": "acme-nic", "namespace": "drivers"},
        "spec": {
            "selector": {"pool": "acme"},
            "moduleLoader": {"container": {
                "modprobe": {"moduleName": "acme_nic"},
                "kernelMappings": [{"regexp": r"^6\.", "containerImage": image}],
            }},
            "devicePlugin": {"container": {"image": "registry.example.com/plugin:1"}},
        },
    })
}

fn name() -> ModuleName {
    ModuleName {
        name: "acme-nic".to_owned(),
        namespace: "drivers".to_owned(),
    }
}

fn loaded(cluster: &Cluster, node: &str) -> Option<String> {
    let config = cluster.machine(node)?.loaded().get(&name())?;
    Some(config.container_image.clone())
}

fn labels(cluster: &Cluster, node: &str) -> Vec<String> {
    let node = cluster
        .store()
        .find(&ObjectRef::cluster(Kind::Node, node))
        .unwrap();
    let labels = &node.seen.node().unwrap().facts.labels;
    labels.keys().filter(|key| key.contains("kmm")).cloned().collect()
}

fn settle(cluster: &mut Cluster) -> String {
    let settled = cluster.settle(Limit::default());
    let moments = cluster.take_timeline();
    let lines: Vec<String> = moments
        .iter()
        .map(|moment| format!("{} {}: {}", moment.at.0 - NOW.0, moment.deed.doer(), moment.deed))
        .collect();
    let text = lines.join("\n");
    assert_eq!(settled, Settled::Yes, "{text}");
    text
}

/// A rollout, a reboot into another kernel, another image, a cordon, a delete, under every installation.
#[test]
fn the_life_of_a_module() {
    for installation in installations() {
        let mut cluster = Cluster::new(installation, NOW);
        let img = |tag: &str| format!("registry.example.com/nic:{tag}-${{KERNEL_FULL_VERSION}}");
        for name in ["n1", "n2"] {
            cluster.apply(&node(name, "6.1.0-37-amd64")).unwrap();
        }
        cluster.apply(&module(&img("1"))).unwrap();
        let text = settle(&mut cluster);
        let first = "registry.example.com/nic:1-6.1.0-37-amd64";
        assert_eq!(loaded(&cluster, "n1").as_deref(), Some(first), "{text}");
        assert_eq!(
            labels(&cluster, "n2"),
            [
                "kmm.node.kubernetes.io/drivers.acme-nic.device-plugin-ready",
                "kmm.node.kubernetes.io/drivers.acme-nic.device-plugin-target",
                READY
            ],
            "{text}"
        );

        cluster.reboot("n1", Some("6.12.9-amd64")).unwrap();
        assert_eq!(loaded(&cluster, "n1"), None);
        let text = settle(&mut cluster);
        let second = "registry.example.com/nic:1-6.12.9-amd64";
        assert_eq!(loaded(&cluster, "n1").as_deref(), Some(second), "{text}");

        cluster.apply(&module(&img("2"))).unwrap();
        let text = settle(&mut cluster);
        assert_eq!(
            loaded(&cluster, "n1").as_deref(),
            Some("registry.example.com/nic:2-6.12.9-amd64"),
            "{text}"
        );
        assert!(text.contains("unloaded") && !text.contains(", over "), "{text}");

        cluster.cordon("n2", true).unwrap();
        let text = settle(&mut cluster);
        assert_eq!(loaded(&cluster, "n2"), None, "{text}");
        cluster.cordon("n2", false).unwrap();
        settle(&mut cluster);
        assert!(loaded(&cluster, "n2").is_some());

        let target = ObjectRef::namespaced(Kind::Module, "drivers", "acme-nic");
        cluster.delete(&target).unwrap();
        let text = settle(&mut cluster);
        assert!(cluster.store().find(&target).is_none(), "{text}");
        assert_eq!(loaded(&cluster, "n1"), None, "{text}");
        assert_eq!(labels(&cluster, "n1"), Vec::<String>::new(), "{text}");
        assert_eq!(cluster.store().all(Kind::Pod).count(), 0, "{text}");
        assert_eq!(cluster.store().all(Kind::ModuleImagesConfig).count(), 0, "{text}");
    }
}

/// An operator that starts in a settled cluster has nothing to write.
#[test]
fn a_restart_costs_no_writes() {
    for installation in installations() {
        let mut cluster = Cluster::new(installation, NOW);
        cluster.apply(&node("n1", "6.1.0-37-amd64")).unwrap();
        cluster.apply(&module("registry.example.com/nic:1")).unwrap();
        settle(&mut cluster);
        cluster.restart_operator();
        let version = cluster.store().version();
        let text = settle(&mut cluster);
        assert_eq!(cluster.store().version(), version, "{text}");
    }
}

/// An image that comes later is found by itself.
#[test]
fn an_image_that_comes_later() {
    for installation in installations() {
        let image = "registry.example.com/nic:1";
        let mut cluster = Cluster::new(installation, NOW);
        cluster.apply(&node("n1", "6.1.0-37-amd64")).unwrap();
        cluster.registry().set(image, false);
        cluster.apply(&module(image)).unwrap();
        cluster.settle(Limit::default());
        assert_eq!(loaded(&cluster, "n1"), None);
        cluster.registry().set(image, true);
        settle(&mut cluster);
        assert!(loaded(&cluster, "n1").is_some());
    }
}

/// A node that goes takes its objects with it.
#[test]
fn a_node_that_goes() {
    for installation in installations() {
        let mut cluster = Cluster::new(installation, NOW);
        cluster.apply(&node("n1", "6.1.0-37-amd64")).unwrap();
        cluster.apply(&module("registry.example.com/nic:1")).unwrap();
        cluster.settle(Limit {
            rounds: 9,
            seconds: 5,
        });
        cluster.delete(&ObjectRef::cluster(Kind::Node, "n1")).unwrap();
        let text = settle(&mut cluster);
        assert_eq!(cluster.store().all(Kind::NodeModulesConfig).count(), 0, "{text}");
        assert_eq!(
            cluster
                .store()
                .all(Kind::Pod)
                .filter(|pod| pod
                    .seen
                    .pod()
                    .unwrap()
                    .label("kmm.node.kubernetes.io/image-owner")
                    .is_none())
                .count(),
            0,
            "{text}"
        );
    }
}
