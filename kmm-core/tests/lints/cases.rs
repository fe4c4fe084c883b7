//! Cases as data: one file a case, one folder a code; `clean` holds correct manifests.

use std::path::Path;
use std::path::PathBuf;

use kmm_core::api::Module;
use kmm_core::diag::Diagnostic;
use kmm_core::diag::Part;
use kmm_core::diag::Severity;
use kmm_core::document::Node;
use kmm_core::validate::Cluster;
use kmm_core::validate::Facts;
use kmm_core::validate::Kind;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Subject;
use kmm_core::validate::check;
use kmm_core::validate::rules;
use serde_json::Value;

/// What every rule finds in one of the objects, the others being its neighbours.
pub(crate) fn run(objects: &[Node], index: usize, whole: bool) -> Vec<Diagnostic> {
    let node = &objects[index];
    let json = node.to_json();
    let kind = match json["kind"].as_str() {
        Some("Module") => Kind::Module,
        Some("ManagedClusterModule") => Kind::ManagedClusterModule,
        Some("PreflightValidation") => Kind::PreflightValidation,
        Some("ConfigMap") => Kind::ConfigMap,
        _ => return Vec::new(),
    };
    let module = match kind {
        Kind::Module => Some(json),
        Kind::ManagedClusterModule => Some(serde_json::json!({"spec": json["spec"]["moduleSpec"]})),
        Kind::PreflightValidation | Kind::ConfigMap => None,
    };
    let mut module: Option<Module> = module.and_then(|json| serde_json::from_value(json).ok());
    if let Some(loader) = module
        .as_mut()
        .and_then(|module| module.spec.module_loader.as_mut())
        && loader.container.modprobe.dir_name.is_empty()
    {
        loader.container.modprobe.dir_name = "/opt".to_owned();
    }
    let others = objects.iter().enumerate().filter(|(other, _)| *other != index);
    let neighbours = Neighbours::new(others.map(|(_, node)| node));
    let facts = Facts::of(kind, node, module.as_ref());
    let subject = Subject {
        kind,
        node,
        module: module.as_ref(),
        old: None,
        neighbours: &neighbours,
        cluster: &Cluster::default(),
        facts: &facts,
    };
    if whole {
        return check(&subject);
    }
    let all: Vec<_> = rules().copied().collect();
    kmm_core::validate::check_with(&subject, &all)
}

/// The folders of the cases, by name.
pub(crate) fn folders() -> Vec<PathBuf> {
    sorted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/lints"))
}

/// The cases of a folder: file name, what is in it, its objects.
pub(crate) fn cases(folder: &Path) -> Vec<(String, Value, Vec<Node>)> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let case: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The nodes are read from the text, so that the order of the fields is that of the file.
        let node: Node = serde_json::from_str(&text).unwrap();
        let objects = node.get("objects").and_then(Node::as_sequence).unwrap().to_vec();
        (path.display().to_string(), case, objects)
    };
    sorted(folder).into_iter().map(read).collect()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

/// A finding as the cases write it.
fn line(object: usize, found: &Diagnostic) -> String {
    let part = match &found.part {
        Part::Value => String::new(),
        Part::Key => " key".to_owned(),
        Part::Within(range) => format!(" {}..{}", range.start, range.end),
        Part::Source(_) => " source".to_owned(),
    };
    format!("{object} {} {}{part}", found.severity, found.path)
}

#[test]
fn every_case_finds_what_it_says() {
    let mut wrong = Vec::new();
    for folder in folders() {
        let code = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if code == "clean" {
            continue;
        }
        for (name, case, objects) in cases(&folder) {
            let mut found: Vec<String> = (0..objects.len())
                .flat_map(|index| {
                    run(&objects, index, false)
                        .into_iter()
                        .map(move |found| (index, found))
                })
                .filter(|(_, found)| found.code == code)
                .map(|(index, found)| line(index, &found))
                .collect();
            let mut expected: Vec<String> = case["expect"]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap().to_owned())
                .collect();
            found.sort();
            expected.sort();
            if found != expected {
                wrong.push(
                    serde_json::json!({"file": name, "found": found, "expected": expected}).to_string(),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_cases_that_fire_and_cases_that_do_not() {
    for rule in rules() {
        let folder = folders().into_iter().find(|folder| folder.ends_with(rule.code));
        let cases = cases(&folder.unwrap_or_else(|| panic!("no cases of {}", rule.code)));
        let fires = cases
            .iter()
            .filter(|(_, case, _)| !case["expect"].as_array().unwrap().is_empty());
        let fires = fires.count();
        assert!(fires >= 2, "{}: {fires} cases fire", rule.code);
        assert!(
            cases.len() - fires >= 2,
            "{}: {} cases pass",
            rule.code,
            cases.len() - fires
        );
    }
}

#[test]
fn correct_manifests_yield_notes_at_most() {
    let folder = folders()
        .into_iter()
        .find(|folder| folder.ends_with("clean"))
        .unwrap();
    let cases = cases(&folder);
    assert!(cases.len() >= 25, "{} correct manifests", cases.len());
    for (name, _, objects) in cases {
        for index in 0..objects.len() {
            let found: Vec<String> = run(&objects, index, true)
                .into_iter()
                .filter(|found| found.severity > Severity::Note)
                .map(|found| found.to_string())
                .collect();
            assert!(found.is_empty(), "{name}: {found:#?}");
        }
    }
}
