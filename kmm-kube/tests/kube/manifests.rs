//! The manifests of `deploy/`, against what the operator and the adapter say of themselves.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::document;
use kmm_core::driver::WATCHED;
use kmm_core::reconcile::OperatorConfig;
use kmm_core::reconcile::names;
use kmm_kube::snapshot::OPERATOR_CONFIG;
use serde_json::Value;
use serde_json::json;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn read(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(deploy().join(path)).unwrap();
    let stream = document::read(&text, &document::Limits::default());
    assert!(stream.findings.is_empty(), "{path}: {:?}", stream.findings);
    stream
        .documents
        .iter()
        .map(|document| document.root.to_json())
        .collect()
}

/// Objects of the folders that are installed.
fn objects() -> Vec<Value> {
    let mut all = Vec::new();
    for folder in ["base", "webhook/base", "webhook/cert-manager"] {
        for file in listed(folder) {
            if !file.starts_with("..") {
                all.extend(read(&format!("{folder}/{file}")));
            }
        }
    }
    all
}

fn listed(folder: &str) -> Vec<String> {
    let kustomization = &read(&format!("{folder}/kustomization.yaml"))[0];
    let resources = kustomization["resources"].as_array().unwrap();
    resources
        .iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

fn find(kind: &str, name: &str) -> Value {
    let mut found = objects()
        .into_iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found
        .next()
        .unwrap_or_else(|| panic!("there is no {kind} {name}"));
    assert!(found.next().is_none(), "{kind} {name} is there twice");
    object
}

fn config() -> OperatorConfig {
    let map = find("ConfigMap", "kmm-operator-config");
    let text = map["data"]["config.yaml"].as_str().unwrap();
    let stream = document::read(text, &document::Limits::default());
    OperatorConfig::read(&stream.documents[0].root.to_json()).unwrap()
}

fn port_of(address: &str) -> u64 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

fn port(deployment: &Value, name: &str) -> u64 {
    let ports = deployment["spec"]["template"]["spec"]["containers"][0]["ports"].as_array();
    let port = ports.unwrap().iter().find(|port| port["name"] == name);
    port.unwrap()["containerPort"].as_u64().unwrap()
}

#[test]
fn every_file_is_listed() {
    for folder in ["base", "crds", "webhook/base", "webhook/cert-manager"] {
        let listed: BTreeSet<String> = listed(folder).into_iter().collect();
        for entry in std::fs::read_dir(deploy().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_used = listed.contains(&name) || name == "kustomization.yaml" || name == "hub.yaml";
            assert!(is_used, "{folder}/{name} is installed by nobody");
        }
    }
}

#[test]
fn the_configuration_is_one_and_fits_the_ports() {
    let config = config();
    let deployment = find("Deployment", "kmm-operator");
    assert_eq!(
        port(&deployment, "health"),
        port_of(&config.health_probe_bind_address)
    );
    assert_eq!(
        port(&deployment, "metrics"),
        port_of(&config.metrics.bind_address)
    );
    let webhook = find("Deployment", "kmm-webhook");
    assert_eq!(port(&webhook, "webhook"), u64::from(config.webhook_port));
    assert_eq!(
        port(&webhook, "health"),
        port_of(&config.health_probe_bind_address)
    );
}

/// The configuration file is there for keys that a reader may want to change, with the values that hold without it.
#[test]
fn the_configuration_says_what_holds_by_default() {
    let (ours, mut default) = (config(), OperatorConfig::default());
    default
        .health_probe_bind_address
        .clone_from(&ours.health_probe_bind_address);
    default.metrics.clone_from(&ours.metrics);
    assert_eq!(ours, default);
}

#[test]
fn the_lease_may_be_changed_and_no_other() {
    let role = find("Role", "kmm-operator-leader-election");
    let rules = role["rules"].as_array().unwrap();
    let named: Vec<&Value> = rules
        .iter()
        .filter(|rule| !rule["resourceNames"].is_null())
        .collect();
    assert_eq!(named.len(), 1);
    let id = config().leader_election.resource_id;
    assert_eq!(named[0]["resourceNames"], json!([id]));
    // A name that is not there yet cannot be named: creating is for all.
    let rest: Vec<&Value> = rules
        .iter()
        .filter(|rule| rule["resourceNames"].is_null())
        .collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["verbs"], json!(["create"]));
}

#[test]
fn no_role_grants_everything_or_reaches_secrets() {
    for role in objects() {
        if role["kind"] != "ClusterRole" && role["kind"] != "Role" {
            continue;
        }
        for rule in role["rules"].as_array().unwrap() {
            let text = rule.to_string();
            assert!(!text.contains('*'), "{text}");
            for never in [
                "secrets",
                "roles",
                "escalate",
                "impersonate",
                "pods/exec",
                "tokenreviews",
            ] {
                assert!(!text.contains(never), "{text}");
            }
        }
    }
}

/// Who explains reads what the operator watches and its settings, and writes nothing.
#[test]
fn the_role_of_explain_lists_what_is_watched() {
    let role = find("ClusterRole", "kmm-explain");
    let settings = json!({
        "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [OPERATOR_CONFIG], "verbs": ["get"],
    });
    let mut listed = BTreeSet::new();
    let (settled, lists): (Vec<_>, Vec<_>) = role["rules"]
        .as_array()
        .unwrap()
        .iter()
        .partition(|rule| **rule == settings);
    assert_eq!(settled.len(), 1);
    for rule in lists {
        assert_eq!(rule["verbs"], json!(["list"]));
        let group = rule["apiGroups"][0].as_str().unwrap();
        for resource in rule["resources"].as_array().unwrap() {
            listed.insert((group.to_owned(), resource.as_str().unwrap().to_owned()));
        }
    }
    let watched = WATCHED.iter().map(|kind| {
        let group = kind.api_version().split_once('/').map_or("", |(group, _)| group);
        (group.to_owned(), kind.plural().to_owned())
    });
    assert_eq!(listed, watched.collect());
}

#[test]
fn pods_are_restricted() {
    let namespace = find("Namespace", "kmm-operator-system");
    let level = &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    assert_eq!(level, "restricted");
    for name in ["kmm-operator", "kmm-webhook"] {
        let deployment = find("Deployment", name);
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
        assert_ne!(pod["securityContext"]["runAsUser"], 0, "{name}");
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        let container = &pod["containers"][0];
        let wanted = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], wanted, "{name}");
        for part in ["livenessProbe", "readinessProbe"] {
            assert!(container[part]["httpGet"]["port"].is_string(), "{name}: {part}");
        }
        assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        let account = find("ServiceAccount", pod["serviceAccountName"].as_str().unwrap());
        assert_eq!(account["metadata"]["namespace"], "kmm-operator-system");
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(deployment["spec"]["selector"]["matchLabels"], *labels, "{name}");
    }
}

#[test]
fn services_find_their_pods_and_ports() {
    for (service, deployment) in [
        ("kmm-operator-metrics", "kmm-operator"),
        ("kmm-webhook", "kmm-webhook"),
    ] {
        let (service, deployment) = (find("Service", service), find("Deployment", deployment));
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(service["spec"]["selector"], *labels);
        let target = service["spec"]["ports"][0]["targetPort"].as_str().unwrap();
        port(&deployment, target);
    }
}

#[test]
fn a_module_goes_without_its_webhook() {
    let configuration = find("ValidatingWebhookConfiguration", "kmm-webhook");
    let webhooks = configuration["webhooks"].as_array().unwrap();
    let of_modules = webhooks
        .iter()
        .find(|webhook| webhook["name"] == "vmodule.kb.io")
        .unwrap();
    let conditions = of_modules["matchConditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 1);
    // What it means is seen on an API server, by `cargo xtask manifests`.
    assert_eq!(
        conditions[0]["expression"],
        "!has(object.metadata.deletionTimestamp) || object.spec != oldObject.spec"
    );
}

#[test]
fn webhooks_refuse_where_they_cannot_be_asked() {
    let configuration = find("ValidatingWebhookConfiguration", "kmm-webhook");
    let webhooks = configuration["webhooks"].as_array().unwrap();
    assert_eq!(webhooks.len(), 3);
    for webhook in webhooks {
        assert_eq!(webhook["failurePolicy"], "Fail");
        assert_eq!(webhook["sideEffects"], "None");
        assert_eq!(webhook["clientConfig"]["service"]["name"], "kmm-webhook");
    }
    // Other namespaces can be deleted even while no webhook answers.
    let namespaces = webhooks
        .iter()
        .find(|one| one["rules"][0]["resources"][0] == "namespaces");
    let selector = &namespaces.unwrap()["namespaceSelector"]["matchLabels"];
    assert_eq!(*selector, json!({names::CONTAINS_MODULES: ""}));
}
