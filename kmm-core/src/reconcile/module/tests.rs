//! One table: situation, plan, reasons.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::reconcile::testing::assert_lines;
use crate::reconcile::testing::lines;
use crate::reconcile::testing::read;

const KERNEL: &str = "6.1.0-30-amd64";
const IMAGE: &str = "registry.example.com/nic:6.1.0-30-amd64";

/// A situation in the making: a Module that is as it should be on one node.
#[derive(Clone)]
struct Situation {
    module: Value,
    images: Option<Value>,
    namespace: Option<Value>,
    siblings: bool,
    shares: Vec<Share>,
    workers: BTreeSet<Arc<str>>,
}

impl Situation {
    fn plan(&self) -> Plan {
        let module: Module = read(self.module.clone());
        let images: Option<ModuleImagesConfig> = self.images.clone().map(read);
        let namespace: Option<ObjectMeta> = self.namespace.clone().map(read);
        plan(&View {
            module: &module,
            compiled: &Compiled::new(&module),
            tally: &Tally::of(&self.shares),
            workers: &self.workers,
            images: images.as_ref(),
            namespace: namespace.as_ref(),
            has_siblings: self.siblings,
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn images(&mut self) -> &mut Value {
        self.images.as_mut().unwrap()
    }

    fn deleting(self) -> Self {
        self.change(|it| it.module["metadata"]["deletionTimestamp"] = json!("2026-11-21T08:00:00Z"))
    }

    fn nowhere(self) -> Self {
        self.change(|it| it.shares.clear())
    }
}

fn share(node: &str, standing: Standing) -> Share {
    Share {
        node: node.into(),
        standing,
        ..Share::default()
    }
}

fn settled() -> Situation {
    let owner = json!([{
        "apiVersion": V1BETA1, "kind": "Module", "name": "nic", "uid": "m", "controller": true, "blockOwnerDeletion": true,
    }]);
    let kernel = KERNEL.into();
    Situation {
        module: json!({
            "metadata": {"name": "nic", "namespace": "drivers", "uid": "m", "finalizers": [names::MODULE_FINALIZER]},
            "spec": {"selector": {"pool": "a"}, "moduleLoader": {"container": {
                "modprobe": {"moduleName": "nic", "dirName": "/opt"},
                "kernelMappings": [{"regexp": "^6\\.", "containerImage": "registry.example.com/nic:$KERNEL_FULL_VERSION"}],
            }}},
            "status": {"moduleLoader": {"nodesMatchingSelectorNumber": 1, "desiredNumber": 1, "availableNumber": 1}},
        }),
        images: Some(json!({
            "metadata": {"name": "nic", "namespace": "drivers", "uid": "i", "ownerReferences": owner},
            "spec": {
                "imagePullPolicy": "", "pushBuiltImage": true,
                "images": [{"image": IMAGE, "kernelVersion": KERNEL, "dirName": "/opt", "registryTLS": {}}],
            },
            "status": {"imagesStates": [{"image": IMAGE, "status": "Exists"}]},
        })),
        namespace: Some(json!({"name": "drivers", "labels": {names::CONTAINS_MODULES: ""}})),
        siblings: false,
        shares: vec![Share {
            architecture: "amd64".into(),
            configured: true,
            available: true,
            in_use: true,
            ..share("n1", Standing::Targeted { kernel })
        }],
        workers: BTreeSet::new(),
    }
}

const RELEASE: &str = r#"patch Module nic {"metadata":{"finalizers":[]}}"#;
const UNMARK: &str =
    r#"patch Namespace drivers {"metadata":{"labels":{"kmm.node.k8s.io/contains-modules":null}}}"#;
const EMPTY: &str = r#"status Module nic {"moduleLoader":{"availableNumber":null,"desiredNumber":null,"nodesMatchingSelectorNumber":null}}"#;

#[test]
fn situations() {
    let held = Standing::Held {
        kernel: KERNEL.into(),
    };
    let rows: Vec<(&str, Situation, Vec<&str>)> = vec![
        ("as it should be", settled(), vec!["because ModuleCurrent"]),
        (
            "it loads nothing",
            settled().change(|it| it.module["spec"]["moduleLoader"] = Value::Null),
            vec![EMPTY, "because NoModuleLoader", "because ModuleWriting"],
        ),
        (
            "it loads nothing, and that is known",
            settled().change(|it| {
                it.module["spec"]["moduleLoader"] = Value::Null;
                it.module["status"] = json!({});
            }),
            vec!["because NoModuleLoader", "because ModuleCurrent"],
        ),
        // Row 6.31: that there is no ModuleImagesConfig yet is no error.
        (
            "it is new",
            settled().nowhere().change(|it| {
                it.module["metadata"]["finalizers"] = json!(["example.com/other"]);
                it.module["status"] = json!({});
                it.images = None;
                it.namespace = Some(json!({"name": "drivers"}));
            }),
            vec![
                r#"patch Module nic {"metadata":{"finalizers":["example.com/other","kmm.node.kubernetes.io/module-finalizer"]}}"#,
                r#"patch Namespace drivers {"metadata":{"labels":{"kmm.node.k8s.io/contains-modules":""}}}"#,
                "create ModuleImagesConfig nic",
                "because NoNodes",
                "because ModuleWriting",
            ],
        ),
        (
            "its namespace is not known",
            settled().change(|it| it.namespace = None),
            vec!["because ModuleCurrent"],
        ),
        (
            "it has other credentials, tolerations and policy",
            settled().change(|it| {
                it.module["spec"]["imageRepoSecret"] = json!({"name": "pull"});
                it.module["spec"]["tolerations"] = json!([{"key": "a"}]);
                it.module["spec"]["moduleLoader"]["container"]["imagePullPolicy"] = json!("Always");
            }),
            vec![
                r#"patch ModuleImagesConfig nic {"spec":{"imagePullPolicy":"Always","imageRepoSecret":{"name":"pull"},"tolerations":[{"key":"a"}]}}"#,
                "because ModuleWriting",
            ],
        ),
        (
            "its images belong to nobody",
            settled().change(|it| it.images()["metadata"]["ownerReferences"] = json!([])),
            vec![
                r#"patch ModuleImagesConfig nic {"metadata":{"ownerReferences":[{"apiVersion":"kmm.sigs.x-k8s.io/v1beta1","blockOwnerDeletion":true,"controller":true,"kind":"Module","name":"nic","uid":"m"}]}}"#,
                "because ModuleWriting",
            ],
        ),
        (
            "nodes are left out",
            settled().change(|it| {
                it.shares.extend([
                    share("n2", Standing::Unschedulable),
                    share("n3", Standing::NoMapping),
                    share("n4", Standing::Unresolved),
                    share("n5", held),
                    share("n6", Standing::Outside),
                ]);
            }),
            vec![
                r#"status Module nic {"moduleLoader":{"nodesMatchingSelectorNumber":4}}"#,
                "because NodesLeftOut",
                "because NodesLeftOut",
                "because NodesLeftOut",
                "because NodesLeftOut",
                "because ModuleWriting",
            ],
        ),
        (
            "all nodes are left out",
            settled()
                .nowhere()
                .change(|it| it.shares.push(share("n2", Standing::Unschedulable))),
            vec![
                r#"patch ModuleImagesConfig nic {"spec":{"images":null}}"#,
                EMPTY,
                "because NodesLeftOut",
                "because ModuleWriting",
            ],
        ),
        (
            "it is deleted, nodes have it",
            settled().deleting(),
            vec!["because WaitingForNodes"],
        ),
        (
            "it is deleted, a node is to have it and may not have it yet",
            settled().deleting().change(|it| it.shares[0].in_use = false),
            vec!["because WaitingForNodes"],
        ),
        (
            "it is deleted, and a worker pod of it is on a node of which nothing else is noted",
            settled()
                .deleting()
                .nowhere()
                .change(|it| it.workers = ["n1".into()].into()),
            vec!["because WaitingForNodes"],
        ),
        (
            "it is deleted",
            settled().deleting().nowhere(),
            vec![UNMARK, RELEASE, "because ModuleReleased"],
        ),
        (
            "it is deleted, there are others",
            settled().deleting().nowhere().change(|it| it.siblings = true),
            vec![RELEASE, "because ModuleReleased"],
        ),
        (
            "it is deleted, the namespace is not known",
            settled().deleting().nowhere().change(|it| it.namespace = None),
            vec![RELEASE, "because ModuleReleased"],
        ),
        (
            "it is released, somebody else holds it",
            settled().deleting().nowhere().change(|it| {
                it.module["metadata"]["finalizers"] = json!(["example.com/other"]);
                it.namespace = Some(json!({"name": "drivers"}));
            }),
            vec!["because ModuleReleased"],
        ),
    ];
    for (situation, row, wanted) in rows {
        assert_lines(situation, &row.plan(), &wanted);
    }
}

/// Row 6.36: the rebuild counter is told as applied when the images are there again.
#[test]
fn the_rebuild_counter() {
    let row = settled().change(|it| {
        it.module["spec"]["imageRebuildTriggerGeneration"] = json!(2);
        it.module["status"]["imageRebuildTriggerGeneration"] = json!(1);
        it.images()["spec"]["imageRebuildTriggerGeneration"] = json!(2);
    });
    assert_lines("not applied", &row.plan(), &["because ModuleCurrent"]);
    for states in [json!([]), json!([{"image": IMAGE, "status": "NeedsBuilding"}])] {
        let row = row.clone().change(|it| {
            it.images()["status"] = json!({"imagesStates": states, "imageRebuildTriggerGeneration": 2});
        });
        assert_lines("being looked for", &row.plan(), &["because ModuleCurrent"]);
    }
    let row = row.change(|it| it.images()["status"]["imageRebuildTriggerGeneration"] = json!(2));
    assert_eq!(
        lines(&row.plan()),
        [
            r#"status Module nic {"imageRebuildTriggerGeneration":2}"#,
            "because ModuleWriting"
        ]
    );
    let gone = row.change(|it| it.images = None);
    assert!(!lines(&gone.plan()).iter().any(|line| line.starts_with("status")));
}

/// Images that several kernels share are listed once, for the kernel that is listed already.
#[test]
fn shared_images() {
    let mut row = settled();
    let mapping = json!([{"regexp": "^6\\.", "containerImage": "registry.example.com/nic:all"}]);
    row.module["spec"]["moduleLoader"]["container"]["kernelMappings"] = mapping;
    let listed = |row: &Situation| {
        let plan = row.plan();
        let patch = plan.actions.iter().find_map(|action| match action {
            Action::Patch { patch, .. } => patch["spec"]["images"].as_array().cloned(),
            Action::Create { .. } | Action::Delete { .. } | Action::Event(_) | Action::AskRegistry(_) => None,
        });
        let specs = patch.unwrap_or_else(|| {
            row.images.as_ref().unwrap()["spec"]["images"]
                .as_array()
                .unwrap()
                .clone()
        });
        let name = |spec: &Value| {
            (
                spec["image"].as_str().unwrap().to_owned(),
                spec["kernelVersion"].as_str().unwrap().to_owned(),
            )
        };
        specs.iter().map(name).collect::<Vec<_>>()
    };
    let all = "registry.example.com/nic:all".to_owned();
    let first = "6.0.1-1".to_owned();
    row.shares.push(share(
        "n2",
        Standing::Targeted {
            kernel: first.as_str().into(),
        },
    ));
    assert_eq!(listed(&row), [(all.clone(), first)]);
    row.images()["spec"]["images"] = json!([{"image": all, "kernelVersion": KERNEL}]);
    assert_eq!(listed(&row), [(all, KERNEL.to_owned())]);
}

/// Shares that are taken out leave nothing behind.
#[test]
fn a_tally_forgets() {
    let kernel = || KERNEL.into();
    let shares = [
        share("a", Standing::Outside),
        share("b", Standing::Unschedulable),
        share("c", Standing::NoMapping),
        share("d", Standing::Unresolved),
        share("e", Standing::Held { kernel: kernel() }),
        settled().shares.remove(0),
    ];
    let mut tally = Tally::of(&shares);
    assert_eq!(tally.kernels().count(), 1);
    for share in &shares {
        tally.remove(share);
    }
    assert_eq!(tally, Tally::default());
}
