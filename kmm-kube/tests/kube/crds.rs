//! The CRDs, field by field against a table of the Go operator's, and objects that it wrote.
//!
//! `data/crds/fields.tsv`: kind and version, field (`[]` an item of a list, `{}` a value of a map), type, and what else the
//! schema says of it. `kubernetes` marks fields whose schema is that of a Kubernetes type; they are not gone into.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use kmm_core::document::Node;
use kmm_core::schema;
use kmm_core::schema::Resource;
use kmm_kube::crd;
use kmm_kube::crd::Conversion;
use kmm_kube::crd::Install;
use kmm_kube::crd::WebhookService;
use serde_json::Value;

/// Fields whose schema is that of a Kubernetes type.
const KUBERNETES: [&str; 7] = [
    "config",
    "env",
    "resources",
    "selectors",
    "tolerations",
    "volumeMounts",
    "volumes",
];

fn all() -> Vec<Value> {
    let mut all = crd::definitions(Install::Cluster, &Conversion::default());
    all.extend(crd::definitions(Install::Hub, &Conversion::default()));
    all
}

fn find(name: &str) -> Value {
    all()
        .into_iter()
        .find(|crd| crd["spec"]["names"]["kind"] == name)
        .unwrap()
}

#[derive(Default)]
struct Walk {
    lines: BTreeSet<String>,
}

impl Walk {
    fn node(&mut self, kind: &str, path: &str, schema: &Value, required: bool) {
        let name = path.rsplit('.').next().unwrap_or_default();
        // `config` of a NodeModulesConfig is the operator's own, that of a device class is not.
        let opaque = KUBERNETES.contains(&name) && (name != "config" || schema["type"] == "array");
        let is_map = schema.get("additionalProperties").is_some();
        let mut flags: Vec<String> = Vec::new();
        let mut flag = |name: &str, value: &Value| match value {
            Value::Null => {}
            value => flags.push(format!("{name}={value}")),
        };
        flag("default", &schema["default"]);
        flag("minItems", &schema["minItems"]);
        flag("maxItems", &schema["maxItems"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let join = |value: &Value, with: &str| {
            let items: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
            items.join(with)
        };
        for (name, value) in [
            ("format", text(&schema["format"])),
            ("pattern", text(&schema["pattern"])),
            ("enum", join(&schema["enum"], "|")),
            ("keys", join(&schema["x-kubernetes-list-map-keys"], ",")),
            (
                "rule",
                text(&schema["x-kubernetes-validations"][0]["message"]).replace(' ', "_"),
            ),
        ] {
            if !value.is_empty() {
                flags.push(format!("{name}={value}"));
            }
        }
        if required {
            flags.push("required".to_owned());
        }
        if schema["x-kubernetes-map-type"] == "atomic" {
            flags.push("atomic".to_owned());
        }
        if opaque {
            flags.push("kubernetes".to_owned());
        }
        flags.sort();
        let shown = if is_map {
            "map"
        } else {
            schema["type"].as_str().unwrap_or("?")
        };
        if !path.is_empty() {
            self.lines
                .insert(format!("{kind}\t{path}\t{shown}\t{}", flags.join(" ")));
        }
        if opaque {
            return;
        }
        let names: BTreeSet<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect();
        for (field, child) in schema["properties"].as_object().into_iter().flatten() {
            let dot = if path.is_empty() { "" } else { "." };
            self.node(kind, &format!("{path}{dot}{field}"), child, names.contains(field));
        }
        if let Some(items) = schema.get("items") {
            self.node(kind, &format!("{path}[]"), items, false);
        }
        if let Some(values) = schema.get("additionalProperties") {
            self.node(kind, &format!("{path}{{}}"), values, false);
        }
    }
}

#[test]
fn every_field_is_upstreams_and_none_is_missing() {
    let mut walk = Walk::default();
    for crd in all() {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let kind = format!("{kind}/{}", version["name"].as_str().unwrap());
            walk.node(&kind, "", &version["schema"]["openAPIV3Schema"], false);
        }
    }
    let table = include_str!("../data/crds/fields.tsv");
    let theirs: BTreeSet<String> = table.lines().map(str::to_owned).collect();
    let ours = walk.lines;
    let missing: Vec<&String> = theirs.difference(&ours).collect();
    let extra: Vec<&String> = ours.difference(&theirs).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing: {missing:#?}\nextra: {extra:#?}"
    );
    assert!(ours.len() > 400, "{}", ours.len());
}

#[test]
fn names_scopes_and_versions_are_upstreams() {
    let mut rows = Vec::new();
    for install in [Install::Cluster, Install::Hub] {
        for crd in crd::definitions(install, &Conversion::default()) {
            let spec = &crd["spec"];
            let names = &spec["names"];
            let versions = spec["versions"].as_array().unwrap();
            let versions: Vec<String> = versions
                .iter()
                .map(|version| {
                    assert_eq!(version["subresources"]["status"], serde_json::json!({}));
                    let stored = if version["storage"] == true { "*" } else { "" };
                    let deprecated = if version["deprecated"] == true { "!" } else { "" };
                    format!("{}{stored}{deprecated}", version["name"].as_str().unwrap())
                })
                .collect();
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            rows.push(format!(
                "{install:?} {} {} {} {}",
                text(&crd["metadata"]["name"]),
                text(&spec["scope"]),
                text(&names["shortNames"][0]),
                versions.join(" ")
            ));
        }
    }
    assert_eq!(
        rows,
        [
            "Cluster modules.kmm.sigs.x-k8s.io Namespaced - v1beta1*",
            "Cluster nodemodulesconfigs.kmm.sigs.x-k8s.io Cluster nmc v1beta1*",
            "Cluster moduleimagesconfigs.kmm.sigs.x-k8s.io Namespaced mic v1beta1*",
            "Cluster modulebuildsignconfigs.kmm.sigs.x-k8s.io Namespaced mbsc v1beta1*",
            "Cluster preflightvalidations.kmm.sigs.x-k8s.io Cluster pfv v1beta1! v1beta2*",
            "Hub managedclustermodules.hub.kmm.sigs.x-k8s.io Cluster - v1beta1*",
            "Hub moduleimagesconfigs.kmm.sigs.x-k8s.io Namespaced mic v1beta1*",
            "Hub modulebuildsignconfigs.kmm.sigs.x-k8s.io Namespaced mbsc v1beta1*",
        ]
    );
}

#[test]
fn a_webhook_converts_only_what_has_two_versions() {
    let service = WebhookService {
        namespace: "kmm".to_owned(),
        name: "webhook".to_owned(),
    };
    let crds = crd::definitions(Install::Cluster, &Conversion::Webhook(service));
    for crd in crds {
        let conversion = &crd["spec"]["conversion"];
        if crd["spec"]["names"]["kind"] == "PreflightValidation" {
            let client = &conversion["webhook"]["clientConfig"]["service"];
            assert_eq!(client["path"], "/convert");
            assert_eq!(client["namespace"], "kmm");
        } else {
            assert_eq!(*conversion, Value::Null);
        }
    }
}

#[test]
fn both_versions_of_a_kind_have_the_same_specification() {
    let crd = find("PreflightValidation");
    let spec = |place: usize| {
        crd["spec"]["versions"][place]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
    };
    assert_ne!(spec(0), Value::Null);
    assert_eq!(spec(0), spec(1));
}

/// What the Go operator left in a cluster is stored as it is: no fault, no unknown field, nothing changed.
#[test]
fn objects_of_the_go_operator_round_trip() {
    let recorded: [&str; 2] = [
        include_str!("../../../kmm-core/tests/data/reconcile/settled.json"),
        include_str!("../../../kmm-core/tests/data/reconcile/settled-after-change.json"),
    ];
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for recorded in recorded {
        let objects: Vec<Value> = serde_json::from_str(recorded).unwrap();
        for object in objects {
            let text = |key: &str| object[key].as_str().unwrap();
            let Some(resource) = Resource::find(text("apiVersion"), text("kind")) else {
                continue;
            };
            let report = schema::check(resource, &Node::from(&object));
            assert_eq!(report.errors, [], "{object}");
            assert_eq!(report.unknown, [], "{object}");
            for part in ["spec", "status"] {
                assert_eq!(report.stored[part], object[part], "{object}");
            }
            *kinds.entry(text("kind").to_owned()).or_default() += 1;
        }
    }
    let kinds: Vec<(&str, usize)> = kinds
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .collect();
    assert_eq!(
        kinds,
        [("Module", 4), ("ModuleImagesConfig", 4), ("NodeModulesConfig", 8)]
    );
}
