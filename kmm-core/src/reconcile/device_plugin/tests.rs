//! One table: situation, plan, reasons.

use serde_json::Value;
use serde_json::json;

use super::*;
use crate::reconcile::module::Share;
use crate::reconcile::module::Standing;
use crate::reconcile::testing::assert_lines;
use crate::reconcile::testing::lines;
use crate::reconcile::testing::read;

const COUNTED: &str = r#"status Module nic {"devicePlugin":{"availableNumber":2,"desiredNumber":3,"nodesMatchingSelectorNumber":3}}"#;
const V1: &str = "nic-device-plugin-19afc";
const V2: &str = "nic-device-plugin-1a015";

fn module() -> Value {
    json!({
        "metadata": {"name": "nic", "namespace": "drivers", "uid": "m"},
        "spec": {
            "selector": {"pool": "a"},
            "moduleLoader": {"container": {"version": "1", "kernelMappings": [], "modprobe": {}}},
            "devicePlugin": {"container": {"image": "registry.example.com/plugin:1"}},
        },
        "status": {"devicePlugin": {"availableNumber": 2, "desiredNumber": 3, "nodesMatchingSelectorNumber": 3}},
    })
}

fn change(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap();
    let key = &key.replace("~1", "/");
    if value.is_null() {
        parent.as_object_mut().unwrap().remove(key.as_str());
    } else {
        parent[key.as_str()] = value;
    }
    object
}

/// What is planned where three nodes are targets.
fn plan_of(module: &Value, sets: &[Value]) -> Plan {
    let shares = ["n1", "n2", "n3"].map(|node| Share {
        node: node.into(),
        standing: Standing::Outside,
        plugin_target: true,
        ..Share::default()
    });
    let sets: Vec<DaemonSet> = sets.iter().cloned().map(read).collect();
    plan(&View {
        module: &read(module.clone()),
        tally: &Tally::of(&shares),
        daemon_sets: &sets,
    })
}

/// The DaemonSet that is made for a Module, with two pods available.
fn made(module: &Value) -> Value {
    let created = plan_of(module, &[])
        .actions
        .into_iter()
        .find_map(|action| match action {
            Action::Create { object } => Some(object),
            Action::Patch { .. } | Action::Delete { .. } | Action::Event(_) | Action::AskRegistry(_) => None,
        });
    let mut set = created.unwrap();
    set["metadata"]["uid"] = json!("s");
    set["metadata"]["generation"] = json!(1);
    set["metadata"]["creationTimestamp"] = json!("2026-11-21T08:00:00Z");
    set["status"] = json!({"desiredNumberScheduled": 2, "numberAvailable": 2, "observedGeneration": 1});
    set
}

fn named(set: &Value, name: &str) -> Value {
    change(set.clone(), "/metadata/name", json!(name))
}

fn going(object: &Value) -> Value {
    change(
        object.clone(),
        "/metadata/deletionTimestamp",
        json!("2026-11-21T08:00:00Z"),
    )
}

#[test]
fn situations() {
    let one = module();
    let set = made(&one);
    let none = change(one.clone(), "/spec/devicePlugin", Value::Null);
    let second = change(one.clone(), "/spec/moduleLoader/container/version", json!("2"));
    let bare = change(one.clone(), "/spec/moduleLoader", Value::Null);
    let other_role = |role| {
        let set = change(
            set.clone(),
            "/metadata/labels/kmm.node.kubernetes.io~1role",
            json!(role),
        );
        named(&set, role)
    };
    let old = named(
        &change(
            change(
                set.clone(),
                "/metadata/labels/kmm.node.kubernetes.io~1role",
                Value::Null,
            ),
            "/spec/selector/matchLabels/kmm.node.kubernetes.io~1role",
            Value::Null,
        ),
        "nic-device-plugin-old",
    );
    let unwanted = change(set.clone(), "/status/desiredNumberScheduled", json!(0));
    let image = "registry.example.com/plugin:2";
    let new_image = change(one.clone(), "/spec/devicePlugin/container/image", json!(image));
    let deleted = going(&one);
    let zero = r#"status Module nic {"devicePlugin":{"availableNumber":null,"desiredNumber":null,"nodesMatchingSelectorNumber":null}}"#;
    let delete = format!("delete DaemonSet {V1}");
    let rows: Vec<(&str, &Value, Vec<Value>, Vec<String>)> = vec![
        (
            "no plugin",
            &none,
            vec![],
            lines_of(&[zero, "because NoDevicePlugin"]),
        ),
        (
            "no plugin any more",
            &none,
            vec![set.clone()],
            lines_of(&[
                &delete,
                zero,
                "because OldDevicePluginRemoved",
                "because NoDevicePlugin",
            ]),
        ),
        (
            "the Module is being deleted",
            &deleted,
            vec![set.clone()],
            lines_of(&[
                &delete,
                "because OldDevicePluginRemoved",
                "because ModuleDeleting",
            ]),
        ),
        (
            "the Module is being deleted, the DaemonSet too",
            &deleted,
            vec![going(&set)],
            lines_of(&["because OldDevicePluginRemoved", "because ModuleDeleting"]),
        ),
        (
            "not made yet",
            &one,
            vec![],
            lines_of(&[
                &format!("create DaemonSet {V1}"),
                r#"status Module nic {"devicePlugin":{"availableNumber":null}}"#,
                "because DevicePluginWriting",
            ]),
        ),
        (
            "as it should be",
            &one,
            vec![set.clone()],
            lines_of(&["because DevicePluginCurrent"]),
        ),
        (
            "another image",
            &new_image,
            vec![set.clone()],
            vec!["patch".to_owned(), "because DevicePluginWriting".to_owned()],
        ),
        (
            "somebody took a label off",
            &one,
            vec![change(
                set.clone(),
                "/metadata/labels/kmm.node.kubernetes.io~1role",
                Value::Null,
            )],
            lines_of(&[
                &format!(
                    r#"patch DaemonSet {V1} {{"metadata":{{"labels":{{"kmm.node.kubernetes.io/role":"device-plugin"}}}}}}"#
                ),
                "because DevicePluginWriting",
            ]),
        ),
        (
            "it belongs to nobody",
            &one,
            vec![change(set.clone(), "/metadata/ownerReferences", json!([]))],
            vec!["patch".to_owned(), "because DevicePluginWriting".to_owned()],
        ),
        (
            "it is of an old release, without a role",
            &one,
            vec![old],
            lines_of(&[
                "delete DaemonSet nic-device-plugin-old",
                &format!("create DaemonSet {V1}"),
                "because DevicePluginReplaced",
            ]),
        ),
        (
            "it is being deleted",
            &one,
            vec![going(&set)],
            lines_of(&[&format!("create DaemonSet {V1}"), "because DevicePluginWriting"]),
        ),
        (
            "those of DRA drivers and old loaders are none of these",
            &one,
            vec![set.clone(), other_role("dra"), other_role("module-loader")],
            lines_of(&["because DevicePluginCurrent"]),
        ),
        (
            "nodes want the version before",
            &second,
            vec![set.clone()],
            lines_of(&[
                &format!("create DaemonSet {V2}"),
                "because DevicePluginWriting",
                "because OldDevicePluginKept",
            ]),
        ),
        (
            "no node wants the version before",
            &second,
            vec![unwanted.clone(), made(&second)],
            lines_of(&[
                &delete,
                r#"status Module nic {"devicePlugin":{"availableNumber":4}}"#,
                "because DevicePluginCurrent",
                "because OldDevicePluginRemoved",
            ]),
        ),
        (
            "nobody counted yet how many nodes want the version before",
            &second,
            vec![
                change(unwanted.clone(), "/status/observedGeneration", json!(0)),
                made(&second),
            ],
            lines_of(&[
                r#"status Module nic {"devicePlugin":{"availableNumber":4}}"#,
                "because DevicePluginCurrent",
                "because OldDevicePluginUncounted",
            ]),
        ),
        (
            "the one of the version before is going",
            &second,
            vec![
                going(&set),
                change(made(&second), "/status/numberAvailable", json!(0)),
            ],
            lines_of(&["because DevicePluginCurrent"]),
        ),
        // Row 6.40.
        (
            "no loader any more, so that there is no version",
            &bare,
            vec![unwanted, change(made(&bare), "/status/numberAvailable", json!(0))],
            lines_of(&[
                &delete,
                "because DevicePluginCurrent",
                "because OldDevicePluginRemoved",
            ]),
        ),
    ];
    for (situation, module, sets, wanted) in rows {
        let plan = plan_of(module, &sets);
        let mut found = lines(&plan);
        if wanted.first().is_some_and(|line| line == "patch") {
            assert!(found[0].starts_with("patch DaemonSet "), "{situation}: {found:?}");
            "patch".clone_into(&mut found[0]);
        }
        assert_eq!(found, wanted, "{situation}");
        // What was planned is what is wanted: carried out, nothing is left to be planned.
        for action in &plan.actions {
            if let Action::Patch {
                part: Part::Object,
                patch,
                ..
            } = action
            {
                let mut set = sets[0].clone();
                crate::reconcile::patch::apply(&mut set, patch);
                assert_lines(
                    situation,
                    &plan_of(module, &[set]),
                    &["because DevicePluginCurrent"],
                );
            }
        }
    }
    assert_eq!(
        lines(&plan_of(&change(one, "/status", json!({})), &[set])),
        [COUNTED, "because DevicePluginCurrent"]
    );
}

fn lines_of(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

/// Row 6.38: of two DaemonSets of one version the older stays, in whatever order they are seen.
#[test]
fn twins() {
    let one = module();
    let first = made(&one);
    let mut second = named(&first, "nic-device-plugin-a");
    second["metadata"]["creationTimestamp"] = json!("2026-11-21T08:00:01Z");
    second["status"]["numberAvailable"] = json!(0);
    let same_age = change(
        second.clone(),
        "/metadata/creationTimestamp",
        json!("2026-11-21T08:00:00Z"),
    );
    let same_age = named(&same_age, "nic-device-plugin-0");
    for (sets, goes) in [
        ([&first, &second], "nic-device-plugin-a"),
        ([&second, &first], "nic-device-plugin-a"),
        ([&first, &same_age], V1),
        ([&same_age, &first], V1),
    ] {
        let plan = plan_of(&one, &sets.map(Clone::clone));
        let wanted = [
            &format!("delete DaemonSet {goes}"),
            "because DevicePluginCurrent",
            "because OldDevicePluginRemoved",
        ];
        assert_lines("twins", &plan, &wanted);
    }
}

/// Without a loader the plugin goes where the Module's selector says.
#[test]
fn without_a_loader_the_selector_is_the_modules() {
    let bare = change(module(), "/spec/moduleLoader", Value::Null);
    assert_eq!(
        made(&bare)["spec"]["template"]["spec"]["nodeSelector"],
        json!({"pool": "a"})
    );
    let selector = made(&module())["spec"]["template"]["spec"]["nodeSelector"].clone();
    assert_eq!(
        selector,
        json!({
            "kmm.node.kubernetes.io/drivers.nic.ready": "",
            "kmm.node.kubernetes.io/drivers.nic.device-plugin-target": "",
            "beta.kmm.node.kubernetes.io/version-schedule-pod.drivers.nic": "1",
        })
    );
}

/// All that a Module can say of its plugin is in the pods.
#[test]
fn pods_say_all() {
    let mut module = module();
    module["spec"]["imageRepoSecret"] = json!({"name": "pull"});
    module["spec"]["tolerations"] = json!([{"key": "a"}]);
    module["spec"]["devicePlugin"] = json!({
        "container": {
            "image": "i:1", "args": ["-v"], "command": ["run"], "env": [{"name": "A", "value": "1"}],
            "imagePullPolicy": "Always", "resources": {"limits": {"cpu": "1"}},
            "volumeMounts": [{"name": "dev", "mountPath": "/dev"}],
        },
        "initContainer": {"image": "i:0"},
        "serviceAccountName": "plugin", "automountServiceAccountToken": false,
        "volumes": [{"name": "dev", "hostPath": {"path": "/dev"}}],
    });
    let template = made(&module)["spec"]["template"].clone();
    assert_eq!(
        template["metadata"]["finalizers"],
        json!(["kmm.node.kubernetes.io/node-labeler"])
    );
    let plugins = json!({"name": "kubelet-device-plugins", "mountPath": "/var/lib/kubelet/device-plugins"});
    let mut spec = template["spec"].clone();
    spec.as_object_mut().unwrap().remove("nodeSelector");
    assert_eq!(
        spec,
        json!({
            "containers": [{
                "name": "device-plugin", "image": "i:1", "args": ["-v"], "command": ["run"],
                "env": [{"name": "A", "value": "1"}], "imagePullPolicy": "Always",
                "resources": {"limits": {"cpu": "1"}}, "securityContext": {"privileged": true},
                "volumeMounts": [plugins, {"name": "dev", "mountPath": "/dev"}],
            }],
            "initContainers": [{"name": "device-plugin-init", "image": "i:0", "securityContext": {"privileged": true}}],
            "imagePullSecrets": [{"name": "pull"}],
            "priorityClassName": "system-node-critical",
            "serviceAccountName": "plugin", "automountServiceAccountToken": false,
            "tolerations": [{"key": "a"}],
            "volumes": [
                {"name": "kubelet-device-plugins", "hostPath": {"path": "/var/lib/kubelet/device-plugins", "type": "Directory"}},
                {"name": "dev", "hostPath": {"path": "/dev"}},
            ],
        })
    );
}
