//! For `docs/compat.md`: differences from the Go operator, and oddities kept on purpose, that no other test pins.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test, which reads the page"
)]

use std::collections::BTreeSet;

use kmm_core::api::Module;
use kmm_core::document::Node;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;
use kmm_core::pattern::ErrorKind;
use kmm_core::pattern::Pattern;
use kmm_core::resolve::Coverage;
use kmm_core::resolve::Fleet;
use kmm_core::resolve::ResolveError;
use kmm_core::resolve::Resolved;
use kmm_core::schema;
use kmm_core::schema::Resource;
use kmm_core::validate::Cluster;
use kmm_core::validate::Facts;
use kmm_core::validate::Kind;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Subject;
use kmm_core::validate::Surroundings;
use kmm_core::validate::admission;
use kmm_core::validate::examine;
use serde_json::Value;
use serde_json::json;

/// A good Module with `container` over the fields of its container.
fn manifest(container: &Value) -> Value {
    let mut json = json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1",
        "kind": "Module",
        "metadata": {"name": "nic", "namespace": "drivers"},
        "spec": {"selector": {}, "moduleLoader": {"container": {
            "modprobe": {"moduleName": "nic", "dirName": "/opt"},
            "kernelMappings": [{"regexp": "^6\\.1\\.", "containerImage": "registry.example/nic:$KERNEL_FULL_VERSION"}],
        }}},
    });
    for (field, value) in container.as_object().unwrap() {
        json["spec"]["moduleLoader"]["container"][field] = value.clone();
    }
    json
}

fn compiled(container: &Value) -> Compiled {
    Compiled::new(&serde_json::from_value::<Module>(manifest(container)).unwrap())
}

fn resolved(container: &Value, kernel: &str) -> Result<Resolved, ResolveError> {
    compiled(container).resolve(&KernelVersion::new(kernel))
}

fn codes(json: &Value) -> Vec<&'static str> {
    let found = examine(&Node::from(json), &Surroundings::default());
    found.iter().map(|found| found.code).collect()
}

/// What the webhook would refuse, first to last.
fn denials(json: &Value) -> Vec<String> {
    let (node, module) = (
        Node::from(json),
        serde_json::from_value::<Module>(json.clone()).unwrap(),
    );
    let subject = Subject {
        kind: Kind::Module,
        node: &node,
        module: Some(&module),
        old: None,
        neighbours: Neighbours::none(),
        cluster: &Cluster::default(),
        facts: Facts::none(),
    };
    let found: Vec<String> = admission::denials(&subject)
        .into_iter()
        .map(|denial| denial.message)
        .collect();
    assert_eq!(admission::webhook_message(&subject).as_ref(), found.first());
    found
}

/// A regexp that Go compiles, and that is too large for the engine here.
fn beyond_the_engine() -> String {
    format!("^6{}", "(x{1000})?".repeat(500))
}

#[test]
fn a_regexp_beyond_the_engine_is_an_error_that_says_so() {
    let error = Pattern::parse(&beyond_the_engine()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::EngineLimit);
    assert_eq!(
        error.to_string(),
        "the regexp is valid, but compiles to more memory than this engine gives to one pattern"
    );

    let container = json!({"kernelMappings": [
        {"literal": "6.1.0-1", "containerImage": "registry.example/nic:1"},
        {"regexp": beyond_the_engine(), "containerImage": "registry.example/nic:2"},
        {"regexp": ".", "containerImage": "registry.example/nic:3"},
    ]});
    let error = resolved(&container, "6.2.0-1").unwrap_err();
    assert!(
        matches!(error, ResolveError::Regexp { index: 1, .. }),
        "{}",
        error.code()
    );
    assert_eq!(resolved(&container, "6.1.0-1").unwrap().mapping.index, 0);
    // To Go it is no fault, so it is none of admission.
    assert!(denials(&manifest(&container)).is_empty());
}

#[test]
fn a_module_without_module_loader_is_an_outcome_of_its_own() {
    let compiled = Compiled::new(&Module::default());
    assert_eq!(
        compiled.resolve(&KernelVersion::new("6.1.0-1")),
        Err(ResolveError::NoModuleLoader)
    );
    assert!(Coverage::new([&compiled], &Fleet::of_kernels(["6.1.0-1"])).is_complete());
}

#[test]
fn the_webhook_has_every_fault_and_begins_with_gos() {
    let found = denials(&manifest(&json!({
        "modprobe": {"dirName": "/opt"},
        "kernelMappings": [
            {"containerImage": "registry.example/nic:1"},
            {"literal": "6.1.0", "regexp": "6", "containerImage": "registry.example/nic"},
        ],
    })));
    assert_eq!(
        found,
        [
            "failed to validate kernel mappings: regexp or literal must be set at kernelMappings[0]",
            "failed to validate kernel mappings: regexp and literal are mutually exclusive properties at kernelMappings[1]",
            "failed to validate kernel mappings: failed to validate image format: container image must explicitely set \
             a tag or digest; got: registry.example/nic",
            "failed to validate modprobe: load and unload rawArgs must be set when moduleName is unset",
        ]
    );
}

#[test]
fn an_old_fault_is_a_fault_on_update_too() {
    for (container, code) in [
        (json!({"imagePullPolicy": 5}), "KMM0101"),
        (json!({"modprobe": {}}), "KMM0218"),
    ] {
        let node = Node::from(&manifest(&container));
        let around = Surroundings {
            old: Some(&node),
            ..Surroundings::default()
        };
        let found = examine(&node, &around);
        let refused = |found: &kmm_core::diag::Diagnostic| found.code == code && found.admission;
        assert!(found.iter().any(refused), "{found:?}");
    }
}

#[cfg(feature = "yaml")]
#[test]
fn a_key_twice_is_an_error_and_the_last_counts() {
    let text = "apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: Module\nmetadata: {name: a, name: b}\nspec: {selector: {}}\n";
    let stream = kmm_core::document::read(text, &kmm_core::document::Limits::default());
    assert_eq!(stream.findings[0].diagnostic.code, "KMM0002");
    let name = stream.documents[0]
        .root
        .get("metadata")
        .and_then(|metadata| metadata.get("name"));
    assert_eq!(name.and_then(Node::as_str), Some("b"));
}

#[test]
fn schema_faults_stand_in_the_order_of_the_keys() {
    let json = json!({
        "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module", "metadata": {"name": "nic"},
        "spec": {"selector": 1, "imageRepoSecret": 2, "tolerations": 3},
    });
    let paths = || -> Vec<String> {
        let report = schema::check(Resource::Module, &Node::from(&json));
        report.errors.iter().map(|fault| fault.path.to_string()).collect()
    };
    let first = paths();
    assert_eq!(first.len(), 3);
    assert!(first.is_sorted(), "{first:?}");
    assert_eq!(first, paths());
}

#[test]
fn a_plus_is_dropped_from_the_kernel_and_kept_out_of_the_folder() {
    let container = json!({"kernelMappings": [
        {"literal": "6.1.0", "containerImage": "registry.example/nic:$KERNEL_FULL_VERSION"},
    ]});
    let found = resolved(&container, "6.1.0+").unwrap();
    assert_eq!(found.container_image, "registry.example/nic:6.1.0");
    assert_eq!(found.module_config().kernel_version, "6.1.0");
    let literal =
        json!({"kernelMappings": [{"literal": "6.1.0+", "containerImage": "registry.example/nic:1"}]});
    assert!(resolved(&literal, "6.1.0+").is_err());
    assert!(codes(&manifest(&literal)).contains(&"KMM1001"));
}

#[test]
fn a_plus_inside_is_an_underscore_in_templates_only() {
    let secret = json!({"name": "s"});
    let container = json!({
        "build": {"dockerfileConfigMap": {"name": "d"}},
        "sign": {"keySecret": secret, "certSecret": {"name": "c"},
                 "filesToSign": ["/opt/lib/modules/${KERNEL_FULL_VERSION}/nic.ko"]},
        "kernelMappings": [{"literal": "6.1.0+rt", "containerImage": "registry.example/nic:$KERNEL_FULL_VERSION"}],
    });
    let found = resolved(&container, "6.1.0+rt").unwrap();
    assert_eq!(found.container_image, "registry.example/nic:6.1.0_rt");
    assert_eq!(found.build_args().unwrap()[0].value, "6.1.0+rt");
    assert_eq!(
        found.sign.unwrap().files_to_sign,
        ["/opt/lib/modules/6.1.0_rt/nic.ko"]
    );
    assert!(codes(&manifest(&container)).contains(&"KMM1037"));
}

#[test]
fn a_regexp_is_searched_for_and_a_lint_shows_what_else_it_takes() {
    let container = json!({"kernelMappings": [{"regexp": "5\\.4", "containerImage": "registry.example/nic:$KERNEL_XYZ"}]});
    assert!(resolved(&container, "6.5.4-200.fc38.x86_64").is_ok());
    assert!(codes(&manifest(&container)).contains(&"KMM1005"));
}

#[test]
fn values_of_a_mapping_that_the_container_overrules_have_no_effect() {
    let container = json!({
        "build": {"dockerfileConfigMap": {"name": "a"}},
        "kernelMappings": [{
            "regexp": "^6\\.1\\.",
            "containerImage": "registry.example/nic:$KERNEL_FULL_VERSION",
            "build": {"dockerfileConfigMap": {"name": "b"}, "kanikoParams": {"tag": "v1.23.2"}, "selector": {"a": "b"},
                      "baseImageRegistryTLS": {"insecure": true}},
        }],
    });
    let build = resolved(&container, "6.1.0-1").unwrap().build.unwrap();
    assert_eq!(build.dockerfile_config_map.unwrap().name, "b");
    assert!(build.kaniko_params.is_none() && build.selector.is_empty());
    assert!(!build.base_image_registry_tls.insecure);
    let ignored = codes(&manifest(&container))
        .into_iter()
        .filter(|code| *code == "KMM1060");
    assert_eq!(ignored.count(), 3);
}

#[test]
fn name_and_namespace_are_bounded_without_a_version_too() {
    let mut json = manifest(&json!({}));
    json["metadata"]["name"] = "n".repeat(35).into();
    assert_eq!(
        denials(&json),
        [
            "module name and namespace have a combined length of 42 characters, which exceeds the maximum of 41 when \
             version is set"
        ]
    );
}

#[test]
fn raw_arguments_win_as_soon_as_they_are_there() {
    let container = json!({"modprobe": {"dirName": "/opt", "rawArgs": {"load": ["-vd", "/opt", "nic"]}, "parameters": ["a=1"]}});
    let commands = resolved(&container, "6.1.0-1").unwrap().commands().unwrap();
    assert_eq!(commands.load[0].to_shell(), "modprobe -vd /opt nic");
    assert_eq!(commands.unload[0].to_shell(), "modprobe");
    let found = codes(&manifest(&container));
    assert!(
        found.contains(&"KMM1046") && found.contains(&"KMM1048"),
        "{found:?}"
    );
}

#[test]
fn signing_templates_know_nothing_of_the_module() {
    let container = json!({
        "sign": {"keySecret": {"name": "k"}, "certSecret": {"name": "c"}, "unsignedImage": "registry.example/$MOD_NAME:1",
                 "filesToSign": ["/opt/$MOD_NAME.ko"]},
    });
    let sign = resolved(&container, "6.1.0-1").unwrap().sign.unwrap();
    assert_eq!(sign.unsigned_image, "registry.example/:1");
    assert_eq!(sign.files_to_sign, ["/opt/.ko"]);
    assert!(codes(&manifest(&container)).contains(&"KMM1022"));
}

#[test]
fn the_port_of_a_registry_passes_for_a_tag() {
    let container =
        json!({"kernelMappings": [{"literal": "6.1.0-1", "containerImage": "registry.example:5000/nic"}]});
    assert!(denials(&manifest(&container)).is_empty());
    assert!(codes(&manifest(&container)).contains(&"KMM1010"));
}

#[test]
fn a_folder_with_a_slash_at_its_end_refuses_every_file_to_sign() {
    let container = json!({
        "modprobe": {"moduleName": "nic", "dirName": "/opt/"},
        "sign": {"keySecret": {"name": "k"}, "certSecret": {"name": "c"}, "filesToSign": ["/opt/nic.ko"]},
    });
    assert_eq!(
        denials(&manifest(&container)),
        [r#"global Sign: filesToSign["/opt/nic.ko"] must be under dirName "/opt/""#]
    );
    assert!(codes(&manifest(&container)).contains(&"KMM1050"));
}

#[test]
fn kernels_that_differ_in_separators_share_a_name() {
    let first = KernelVersion::new("5.14.0-1.RT").dns_safe();
    assert_eq!(first, KernelVersion::new("5.14.0-1_rt").dns_safe());
    let container = json!({
        "build": {"dockerfileConfigMap": {"name": "d"}},
        "kernelMappings": [
            {"literal": "5.14.0-1.RT", "containerImage": "registry.example/nic:a"},
            {"literal": "5.14.0-1_rt", "containerImage": "registry.example/nic:b"},
        ],
    });
    assert!(codes(&manifest(&container)).contains(&"KMM1007"));
}

/// Row 6.45: among the kinds that decisions see and write there is no Secret and no ConfigMap.
#[cfg(feature = "yaml")]
#[test]
fn no_decision_sees_a_secret() {
    let kinds = kmm_core::reconcile::Kind::ALL.map(kmm_core::reconcile::Kind::name);
    assert!(!kinds.contains(&"Secret") && !kinds.contains(&"ConfigMap"));
}

/// The page lists every oddity of the Go operator that the decisions touch, and every test that it names is there.
#[test]
fn the_page_is_complete() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../docs/compat.md")).unwrap();
    let start = page.find("## What the operator decides").unwrap();
    let section = &page[start..];
    let section = &section[..section[3..].find("\n## ").unwrap()];
    for number in [
        4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 28, 29, 31, 32, 36, 37, 38, 39, 40, 41,
        45, 46, 47, 48, 49, 52, 54, 58, 59,
    ] {
        let row = format!("6.{number}");
        let mut places = section
            .match_indices(&row)
            .map(|(place, _)| section.as_bytes()[place + row.len()]);
        assert!(places.any(|next| !next.is_ascii_digit()), "{row}");
    }
    let mut tests = 0;
    for name in page.split('`').filter(|name| name.contains(".rs::")) {
        let (file, test) = name.split_once("::").unwrap();
        let test = test.rsplit("::").next().unwrap();
        // The page says in each section what its short names mean.
        let files = [
            "kmm-core",
            "kmm-core/tests/reconcile",
            "kmm-oci",
            "kmm-cli",
            "kmm-cli/tests/worker",
            ".",
        ];
        let texts = files.map(|folder| std::fs::read_to_string(root.join("..").join(folder).join(file)));
        let mut texts = texts.into_iter().flatten();
        // Some are made by a macro.
        let found = texts.any(|text| {
            text.contains(&format!("fn {test}("))
                || text.contains(&format!("({test}"))
                || (text.contains("macro_rules!") && text.contains(test))
        });
        assert!(found, "{name}");
        tests += 1;
    }
    assert!(tests > 90, "{tests}");
    let mut ids = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let id = line.split('`').nth(1).unwrap();
        assert!(ids.insert(id), "two rows `{id}`");
        let last = line.trim_end_matches('|').rsplit('|').next().unwrap();
        assert!(
            [".rs", "tests/", "cargo xtask"]
                .iter()
                .any(|test| last.contains(test)),
            "no test in the row `{id}`"
        );
    }
    for file in ["replay.rs", "upstream_node.rs"] {
        let text = std::fs::read_to_string(root.join("tests/reconcile").join(file)).unwrap();
        let named = text
            .match_indices("then_some(\"")
            .chain(text.match_indices("return Some(\""));
        for (place, before) in named {
            let id = text[place + before.len()..].split('"').next().unwrap();
            // A label's value is none.
            assert!(
                ids.contains(id) || !id.contains('-'),
                "{file} excuses what is different with `{id}`, which is no row"
            );
        }
    }
}
