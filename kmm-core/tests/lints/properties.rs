//! Nothing that is given makes a rule panic, and what they say fits what they were given.

use kmm_core::build::Dockerfile;
use kmm_core::diag::Part;
use kmm_core::document::Node;
use proptest::prelude::*;
use serde_json::Value;

use crate::cases;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9./:@${}_+ -]{0,24}",
        2 => proptest::sample::select(vec![
            "^.+$", "^5.14", "6\\.1", "(", "\\f", "registry.example/x", "a.ko", "x=1 y", "${MOD_NAME}", "${", "é$é{é",
            "-d", "/opt", "../x", "", " ", "Always", "always", "FROM a AS b\nRUN depmod", "/opt/lib/modules/5.1.0/x.ko",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => text().prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let keys = proptest::sample::select(vec![
        "spec",
        "moduleLoader",
        "container",
        "kernelMappings",
        "modprobe",
        "regexp",
        "literal",
        "containerImage",
        "build",
        "sign",
        "selector",
        "data",
        "dockerfile",
        "buildArgs",
        "name",
        "value",
        "filesToSign",
        "rawArgs",
        "load",
    ]);
    leaf().prop_recursive(6, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((keys.clone(), inner), 0..6).prop_map(|pairs| Value::Object(
                pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            )),
        ]
    })
}

fn module() -> impl Strategy<Value = Value> {
    let list = || proptest::collection::vec(text(), 0..4);
    let mapping = (text(), text(), any::<bool>(), text(), list()).prop_map(|(image, kernel, literal, map, files)| {
        let field = if literal { "literal" } else { "regexp" };
        serde_json::json!({
            "containerImage": image, field: kernel,
            "build": {"dockerfileConfigMap": {"name": map}, "buildArgs": [{"name": image, "value": kernel}]},
            "sign": {"keySecret": {"name": map}, "certSecret": {"name": map}, "filesToSign": files, "unsignedImage": map},
        })
    });
    let mappings = proptest::collection::vec(mapping, 0..4);
    (mappings, text(), list(), list(), list(), text(), text()).prop_map(
        |(mappings, name, a, b, c, dir, version)| {
            serde_json::json!({
                "kind": "Module", "metadata": {"name": name, "namespace": dir},
                "spec": {"selector": {name.clone(): version}, "moduleLoader": {"container": {
                    "version": version, "imagePullPolicy": name, "kernelMappings": mappings,
                    "modprobe": {"moduleName": name, "dirName": dir, "firmwarePath": version, "parameters": a,
                        "rawArgs": {"load": b, "unload": c}, "modulesLoadingOrder": a},
                }}},
            })
        },
    )
}

/// Runs everything, and looks whether the bytes that findings name are there.
fn look(json: &Value) {
    let objects = [Node::from(json)];
    for found in cases::run(&objects, 0, true) {
        assert!(found.admission || !found.message.ends_with('.'), "{found}");
        if let Part::Within(range) = &found.part {
            let value = objects[0]
                .at(&found.path)
                .and_then(Node::as_str)
                .unwrap_or_default();
            assert!(
                value.get(range.clone()).is_some(),
                "{found}: {range:?} of {value:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_looked_at(mut tree in tree(), kind in 0..4_usize) {
        if let Value::Object(map) = &mut tree {
            let kinds = ["Module", "ManagedClusterModule", "PreflightValidation", "ConfigMap"];
            map.insert("kind".to_owned(), kinds[kind].into());
        }
        look(&tree);
    }

    #[test]
    fn any_module_is_looked_at(module in module()) {
        look(&module);
    }

    #[test]
    fn any_dockerfile_is_read(file in "([A-Z]{2,4}|FROM|ARG|RUN|COPY|ENV|ONBUILD| |\n|\\\\\n|#|=|\\$|\\{|\\}|\\(|\\)|\"|'|<<E|E\n|\\[|\\]|,|é|-|b|depmod|--from=|&&|;|a|/opt|`){0,60}") {
        let read = Dockerfile::read(&file);
        for found in &read.uses {
            prop_assert!(file.get(found.span.clone()).is_some());
            read.visibility(found);
        }
        for word in read.copies.iter().flat_map(|copy| copy.sources.iter().chain([&copy.destination]).chain(&copy.from)) {
            prop_assert!(file.get(word.span.clone()).is_some());
        }
        for depmod in &read.depmods {
            prop_assert!(file.get(depmod.span.clone()).is_some());
        }
        for fault in &read.faults {
            prop_assert!(file.get(fault.span.clone()).is_some());
        }
        for argument in read.arguments.iter().chain(&read.environment) {
            prop_assert!(file.get(argument.name.span.clone()).is_some());
        }
        look(&serde_json::json!({"kind": "ConfigMap", "apiVersion": "v1", "data": {"dockerfile": file}}));
    }

    #[test]
    fn any_text_is_read_as_dockerfile(file in "\\PC{0,80}") {
        Dockerfile::read(&file);
    }
}
