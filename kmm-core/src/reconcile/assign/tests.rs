//! What keeps a node out, and that its mend lets it in.

use serde_json::json;

use super::*;
use crate::reconcile::testing::read;

const IMAGE: &str = "registry.example.com/nic:6.1.0-30-amd64";
const CORDON: &str = "node.kubernetes.io/unschedulable";

/// A node that is to have a Module, whose image exists.
#[derive(Clone)]
struct Situation {
    node: Value,
    module: Value,
    images: Value,
}

impl Situation {
    /// What the Module is said to be on the node.
    fn cause(&self) -> Cause {
        let module: Arc<Module> = Arc::new(read(self.module.clone()));
        let compiled = Arc::new(Compiled::new(&module));
        let images: ModuleImagesConfig = read(self.images.clone());
        let mut candidates = [Candidate::new(&module, &compiled, Some(&images))];
        let node: Node = read(self.node.clone());
        let mut reasons = plan(&node, None, &mut candidates).plan.reasons.into_iter();
        let reason = reasons.next().unwrap();
        assert_eq!(reasons.next(), None);
        reason.cause
    }

    fn container(&mut self) -> &mut Value {
        &mut self.module["spec"]["moduleLoader"]["container"]
    }
}

fn fits() -> Situation {
    let mappings =
        json!([{"regexp": "^6\\.1\\.", "containerImage": "registry.example.com/nic:${KERNEL_FULL_VERSION}"}]);
    Situation {
        node: json!({
            "metadata": {"name": "n1", "uid": "n", "labels": {"nic": ""}},
            "status": {"nodeInfo": {"kernelVersion": "6.1.0-30-amd64"}},
        }),
        module: json!({
            "metadata": {"name": "nic", "namespace": "drivers"},
            "spec": {
                "selector": {"nic": ""},
                "moduleLoader": {"container": {"modprobe": {"moduleName": "nic"}, "kernelMappings": mappings}},
            },
        }),
        images: json!({
            "metadata": {"name": "nic", "namespace": "drivers"},
            "status": {"imagesStates": [{"image": IMAGE, "status": "Exists"}]},
        }),
    }
}

/// What is changed.
type Change = fn(&mut Situation);

#[test]
fn what_mends_it_lets_the_node_in() {
    assert_eq!(fits().cause().code(), "Assigning");
    let rows: [(&str, &str, Change, Change); 11] = [
        (
            "no label",
            "NotSelected",
            |it| it.node["metadata"]["labels"] = json!({}),
            |it| it.node["metadata"]["labels"] = json!({"nic": ""}),
        ),
        (
            "a cordon, taken off",
            "NodeUnschedulable",
            |it| it.node["spec"]["taints"] = json!([{"key": CORDON, "effect": "NoSchedule"}]),
            |it| it.node["spec"] = json!({}),
        ),
        (
            "a cordon, tolerated",
            "NodeUnschedulable",
            |it| it.node["spec"]["taints"] = json!([{"key": CORDON, "effect": "NoSchedule"}]),
            |it| it.module["spec"]["tolerations"] = json!([{"key": CORDON, "operator": "Exists"}]),
        ),
        (
            "no mapping",
            "NoMapping",
            |it| it.node["status"]["nodeInfo"]["kernelVersion"] = json!("6.12.0-1-amd64"),
            |it| {
                it.container()["kernelMappings"][0]["regexp"] = json!("^6\\.12\\.");
                it.images["status"]["imagesStates"][0]["image"] =
                    json!("registry.example.com/nic:6.12.0-1-amd64");
            },
        ),
        (
            "a broken template",
            "Unresolved",
            |it| it.container()["kernelMappings"][0]["containerImage"] = json!("nic:${KERNEL"),
            |it| it.container()["kernelMappings"][0]["containerImage"] = json!(IMAGE),
        ),
        (
            "a broken regexp",
            "Unresolved",
            |it| it.container()["kernelMappings"][0]["regexp"] = json!("("),
            |it| it.container()["kernelMappings"][0]["regexp"] = json!("^6"),
        ),
        (
            "a kernel with too few parts",
            "Unresolved",
            |it| {
                it.node["status"]["nodeInfo"]["kernelVersion"] = json!("6");
                it.container()["kernelMappings"][0]["regexp"] = json!("^6");
            },
            |it| it.node["status"]["nodeInfo"]["kernelVersion"] = json!("6.1.0-30-amd64"),
        ),
        (
            "an image of which nothing is known",
            "ImageNotReady",
            |it| it.images["status"] = json!({}),
            |it| it.images["status"]["imagesStates"] = json!([{"image": IMAGE, "status": "Exists"}]),
        ),
        (
            "an image that does not exist, and another one",
            "ImageNotReady",
            |it| it.images["status"]["imagesStates"][0]["status"] = json!("DoesNotExist"),
            |it| {
                it.container()["kernelMappings"][0]["containerImage"] = json!("other:1");
                it.images["status"]["imagesStates"] = json!([{"image": "other:1", "status": "Exists"}]);
            },
        ),
        (
            "no label with a version",
            "VersionLabelMissing",
            |it| it.container()["version"] = json!("2"),
            |it| {
                let Cause::VersionLabelMissing { label, wanted } = it.cause() else {
                    panic!("{:?}", it.cause());
                };
                it.node["metadata"]["labels"][label] = json!(wanted);
            },
        ),
        (
            "another version",
            "VersionHeld",
            |it| {
                it.container()["version"] = json!("2");
                it.node["metadata"]["labels"][labels_of_mends("VersionHeld")] = json!("1");
            },
            |it| it.node["metadata"]["labels"][labels_of_mends("VersionHeld")] = json!("2"),
        ),
    ];
    for (situation, code, shut, open) in rows {
        let mut it = fits();
        shut(&mut it);
        assert_eq!(it.cause().code(), code, "{situation}");
        open(&mut it);
        assert_eq!(it.cause().code(), "Assigning", "{situation}");
    }
}

/// The label that the mend of a cause names, for the Module of this test.
fn labels_of_mends(code: &str) -> String {
    let help = Cause::HELP.iter().find(|help| help.code == code).unwrap();
    let mut words = help.mend.split([' ', '`', '=']);
    let label = words.find(|word| word.contains("/version-")).unwrap();
    label.replace("NAMESPACE", "drivers").replace("MODULE", "nic")
}
