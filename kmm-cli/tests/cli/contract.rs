//! JSON is what `docs/guide/json.md` says: its tables are read, and the outputs held to them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Value;

use super::data;
use super::kmm;
use super::kmm_with_input;
use super::manifests;
use super::stderr;
use super::stdout;
use super::workspace;

/// Field and type of each table.
type Tables = BTreeMap<String, Vec<(String, String)>>;

fn tables() -> Tables {
    let guide = fs::read_to_string(workspace().join("docs/guide/json.md")).unwrap();
    let mut tables = Tables::new();
    let mut current = None;
    for line in guide.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells.get(1).map(|cell| cell.trim_matches('`').to_owned());
        match (name, &current) {
            (Some(name), None) => {
                tables.insert(name.clone(), Vec::new());
                current = Some(name);
            }
            (Some(field), Some(table)) if !field.starts_with("---") => {
                tables.get_mut(table).unwrap().push((field, cells[2].to_owned()));
            }
            (Some(_), Some(_)) => {}
            (None, _) => current = None,
        }
    }
    tables
}

/// Holds values to the tables, and notes which fields it has seen.
struct Checker {
    tables: Tables,
    seen: BTreeSet<(String, String)>,
}

impl Checker {
    fn check(&mut self, value: &Value, kind: &str, place: &str) {
        let kind = kind.trim_end_matches(", optional");
        if let Some(kind) = kind.strip_suffix(" or null") {
            if !value.is_null() {
                self.check(value, kind, place);
            }
            return;
        }
        if let Some(kind) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
            let items = value
                .as_array()
                .unwrap_or_else(|| panic!("{place} is no list: {value}"));
            items.iter().for_each(|item| self.check(item, kind, place));
            return;
        }
        if let Some(kind) = kind.strip_prefix('{').and_then(|kind| kind.strip_suffix('}')) {
            let fields = value
                .as_object()
                .unwrap_or_else(|| panic!("{place} is no object: {value}"));
            fields.values().for_each(|value| self.check(value, kind, place));
            return;
        }
        match kind {
            "string" => assert!(value.is_string(), "{place} is no string: {value}"),
            "number" => assert!(value.is_u64(), "{place} is no number: {value}"),
            "boolean" => assert!(value.is_boolean(), "{place} is no boolean: {value}"),
            "CRD" => assert!(value.is_object() || value.is_array(), "{place}: {value}"),
            table => self.check_object(value, table),
        }
    }

    fn check_object(&mut self, value: &Value, table: &str) {
        let object = value
            .as_object()
            .unwrap_or_else(|| panic!("{table} is no object: {value}"));
        let fields = self
            .tables
            .get(table)
            .unwrap_or_else(|| panic!("there is no table `{table}`"))
            .clone();
        for key in object.keys() {
            assert!(
                fields.iter().any(|(field, _)| field == key),
                "`{table}` does not document `{key}`"
            );
        }
        for (field, kind) in &fields {
            let Some(value) = object.get(field) else {
                assert!(
                    kind.ends_with(", optional"),
                    "`{table}` promises `{field}`: {value}"
                );
                continue;
            };
            self.seen.insert((table.to_owned(), field.clone()));
            self.check(value, kind, &format!("`{table}.{field}`"));
        }
    }
}

const ODD: &str = r#"
kind: Module
apiVersion: kmm.sigs.x-k8s.io/v1beta1
metadata: {name: odd, namespace: drivers}
spec:
  selector: {}
  moduleLoader:
    container:
      modprobe: {moduleName: odd}
      containerImage: registry.example.com/container:1
      inTreeModulesToRemove: [a]
      kernelMappings:
        - {literal: 6.1.0-37-amd64, containerImage: "registry.example.com/a:1"}
        - {literal: 6.1.0-37-amd64, containerImage: "registry.example.com/a:1"}
        - {literal: 6.1.1+, containerImage: "registry.example.com/a:1"}
        - {literal: 6.1.0-37-amd64-rt, containerImage: "registry.example.com/a:1"}
        - {literal: '6.1', containerImage: "registry.example.com/a:1"}
        - {containerImage: "registry.example.com/a:1"}
        - {regexp: '\f', containerImage: "registry.example.com/a:1"}
        - {regexp: '^7\.', containerImage: "registry.example.com/a:${KERNEL_X"}
        - {regexp: '^8\.1$', literal: "9", containerImage: "registry.example.com/a:1"}
        - {regexp: '(', containerImage: "registry.example.com/a:1"}
        - {regexp: '6', containerImage: "registry.example.com/a:1"}
---
kind: Module
apiVersion: kmm.sigs.x-k8s.io/v1beta1
metadata: {name: nothing, namespace: drivers}
spec: {selector: {}}
"#;

#[test]
fn outputs_are_what_the_guide_says() {
    let mut checker = Checker {
        tables: tables(),
        seen: BTreeSet::new(),
    };
    let mut files: Vec<String> = manifests()
        .iter()
        .filter(|path| path.starts_with(workspace().join("examples")))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    files.extend(
        [
            "module.yaml",
            "stream.yaml",
            "broken.yaml",
            "control-characters.yaml",
            "images.yaml",
            "images-unknown.yaml",
        ]
        .map(data),
    );
    files.push("-".to_owned());
    let kernels = [
        "6.1.0-37-amd64",
        "6.1.1+",
        "6.8.0-60-generic",
        "7.1.1",
        "7.1",
        "9.9",
    ];
    let look = |checker: &mut Checker, args: &[&str], table: &str| {
        let output = kmm_with_input(&[args, &["-o", "json"]].concat(), ODD.as_bytes());
        // An image that could not be read is an answer about that image.
        if output.status.code() == Some(2) && args.get(..2) != Some(&["image", "check"]) {
            assert_eq!(stdout(&output), "", "{args:?}");
            assert!(!args.contains(&"-"), "{args:?}: {}", stderr(&output));
            return;
        }
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["version"], 1);
        checker.check(&value, table, table);
    };
    for file in &files {
        look(&mut checker, &["validate", file], "Validate");
        let mut args = vec!["-f", file];
        kernels.iter().for_each(|kernel| args.extend(["-k", kernel]));
        let nodes = ["--nodes", "examples/nodes.json"];
        look(&mut checker, &[&["resolve"], &args[..]].concat(), "Resolve");
        look(
            &mut checker,
            &[&["explain"], &args[..], &nodes].concat(),
            "Explain",
        );
        look(
            &mut checker,
            &[&["coverage"], &args[..], &nodes].concat(),
            "Coverage",
        );
        let simulated = ["simulate", "-f", file, "--event", "cordon debian-1"];
        look(&mut checker, &[&simulated[..], &nodes].concat(), "Simulate");
        look(&mut checker, &[&["images"], &args[..], &nodes].concat(), "Images");
        look(&mut checker, &[&["modprobe"], &args[..]].concat(), "Modprobe");
        look(
            &mut checker,
            &[&["modprobe", "--unload", "--form", "container"], &args[..]].concat(),
            "Modprobe",
        );
    }
    look(&mut checker, &["decode", &data("dmesg.txt")], "Decode");
    look(&mut checker, &["match", "^6", "6.1", "5.10"], "Match");
    look(
        &mut checker,
        &["template", "-k", "6.1.0", "a:$KERNEL_X", "a:${KERNEL_X"],
        "Template",
    );
    let folder = tempfile::tempdir().unwrap();
    let objects = super::kernel_objects::objects(folder.path());
    let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
    look(&mut checker, &[&["modinfo"], &objects[..]].concat(), "Modinfo");
    let output = super::preflight::of_an_empty_registry(&["--plain-http", "-o", "json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["version"], 1);
    checker.check(&value, "Preflight", "Preflight");
    let signed = folder.path().join("rootfs/opt/lib/modules/6.1/signed.ko");
    fs::create_dir_all(signed.parent().unwrap()).unwrap();
    fs::copy(objects[0], signed).unwrap();
    let signed = format!("dir:{}/rootfs", folder.path().display());
    let images = [
        signed.as_str(),
        "dir:examples/images/right",
        "dir:examples/images/wrong",
    ];
    look(
        &mut checker,
        &[&["image", "inspect"], &images[..]].concat(),
        "ImageInspect",
    );
    let certificate = ["--cert", "kmm-files/tests/signatures/rsa.pem"];
    for more in [
        &[][..],
        &certificate,
        &["-f", "-", "-m", "odd", "-k", "6.1.0-37-amd64"],
    ] {
        look(
            &mut checker,
            &[&["image", "check"], &images[..], more].concat(),
            "ImageCheck",
        );
    }
    let kernels = ["-m", "odd", "-k", "5.10.0-1"];
    look(
        &mut checker,
        &[&["image", "check", "-f", "-"], &kernels[..]].concat(),
        "ImageCheck",
    );
    for (table, fields) in &checker.tables {
        for (field, _) in fields {
            let seen = checker.seen.contains(&(table.clone(), field.clone()));
            assert!(seen, "no output has `{table}.{field}`");
        }
    }
}

/// The keys of an object, in the order of the text.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[derive(Deserialize)]
struct Results<T> {
    results: Vec<T>,
}

#[test]
fn keys_of_resolve_stand_in_order() {
    let order: Vec<String> = tables()["Record"]
        .iter()
        .map(|(field, _)| field.clone())
        .collect();
    let args = [
        "resolve",
        "-f",
        &data("module.yaml"),
        "-o",
        "json",
        "-k",
        "6.1.0-37-amd64",
        "-k",
        "9",
    ];
    let output = kmm(&args);
    let answer: Results<Keys> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer.results.len(), 2);
    for Keys(keys) in answer.results {
        assert_eq!(keys, order);
    }
}
