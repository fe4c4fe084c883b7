//! Coverage against brute force over small sets of kernels.

use kmm_core::module::Compiled;
use kmm_core::node::NodeFacts;
use kmm_core::resolve::Coverage;
use kmm_core::resolve::Fleet;
use kmm_core::resolve::Reach;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use super::oracle;
use super::properties::KERNELS;
use super::properties::mapping;
use super::properties::module_of;

fn coverage(mappings: &Value, kernels: &[&str]) -> Coverage {
    let compiled = Compiled::new(&module_of(&json!({"kernelMappings": mappings})));
    Coverage::new([&compiled], &Fleet::of_kernels(kernels.iter().copied()))
}

fn reach(mappings: &Value) -> Vec<Reach> {
    let coverage = coverage(mappings, &[]);
    coverage.modules[0]
        .mappings
        .iter()
        .map(|mapping| mapping.reach.clone())
        .collect()
}

#[test]
fn why_mappings_can_never_win() {
    let found = reach(&json!([
        {"literal": "5.14.0"},
        {"regexp": "^5\\.14\\.0$"},
        {"regexp": "^5\\."},
        {"regexp": "^6\\."},
        {"regexp": "^[56]\\.[0-9]"},
        {"literal": "6.1.0"},
        {"regexp": "\\f"},
        {"literal": "7.0.0 "},
        {},
        {"regexp": "^7\\."},
        {"regexp": "("},
        {"regexp": "^8\\."},
        {"literal": "8.0.0"},
    ]));
    let shadowed = |by: &[usize]| Reach::Shadowed { by: by.to_vec() };
    assert_eq!(
        found[0],
        Reach::Reachable {
            witness: "5.14.0".to_owned()
        }
    );
    assert_eq!(found[1], shadowed(&[0]));
    assert!(matches!(&found[2], Reach::Reachable { witness } if witness.starts_with("5.")));
    assert!(matches!(&found[3], Reach::Reachable { witness } if witness.starts_with("6.")));
    assert_eq!(found[4], shadowed(&[2, 3]));
    assert_eq!(found[5], shadowed(&[3]));
    assert_eq!(
        found[6].to_string(),
        "can never win: `\\f` is a form feed, which no kernel release has"
    );
    assert!(matches!(&found[7], Reach::MatchesNothing { .. }));
    assert_eq!(found[8], Reach::Empty);
    assert!(!found[9].is_dead());
    assert!(matches!(&found[10], Reach::Refused { .. }));
    assert_eq!(found[11], Reach::Hidden { behind: 10 });
    assert_eq!(found[12], Reach::Hidden { behind: 10 });
}

#[test]
fn only_nodes_that_are_targeted_count() {
    let nodes: Vec<NodeFacts> = serde_json::from_value(json!([
        {"metadata": {"name": "a", "labels": {"pool": "x"}}, "status": {"nodeInfo": {"kernelVersion": "5.14.0"}}},
        {"metadata": {"name": "b", "labels": {"pool": "x"}}, "status": {"nodeInfo": {"kernelVersion": "6.1.0"}}},
        {"metadata": {"name": "c", "labels": {"pool": "x"}}, "status": {"nodeInfo": {"kernelVersion": "6.1.0"}},
         "spec": {"taints": [{"key": "t", "effect": "NoExecute"}]}},
        {"metadata": {"name": "d"}, "status": {"nodeInfo": {"kernelVersion": "7.0.0"}}},
    ]))
    .unwrap();
    let mut module = module_of(&json!({
        "containerImage": "a:1", "kernelMappings": [{"regexp": "^5"}, {"regexp": "^7"}],
    }));
    module.spec.selector.insert("pool".to_owned(), "x".to_owned());
    let compiled = Compiled::new(&module);
    let coverage = Coverage::new([&compiled], &Fleet::of_nodes(&nodes));
    assert!(!coverage.is_complete());
    let found = serde_json::to_value(&coverage).unwrap();
    assert_eq!(
        found["modules"][0]["kernels"],
        json!([
            {"kernel": "5.14.0", "nodes": 1, "mapping": 0, "error": null},
            {"kernel": "6.1.0", "nodes": 1, "mapping": null, "nodeNames": ["b"], "error": {
                "code": "noMapping",
                "message": "failed to find mapping for kernel 6.1.0: kernel mapping not found",
            }},
        ])
    );
    assert_eq!(coverage.modules[0].targeted_nodes, 2);
    assert_eq!(
        coverage.to_string().lines().collect::<Vec<_>>()[..3],
        [
            "ns/drv: 1 of 2 kernels covered",
            "kernel 5.14.0 (1 node): kernelMappings[0]",
            "kernel 6.1.0 (1 node): no mapping takes it: b",
        ]
    );
}

#[test]
fn a_module_without_loader_covers_and_misses_nothing() {
    let compiled = Compiled::new(&kmm_core::api::Module::default());
    let coverage = Coverage::new([&compiled], &Fleet::of_kernels(["6.1.0"]));
    assert!(coverage.is_complete());
    assert_eq!(coverage.to_string(), "/: nothing to load");
}

/// Short strings around those that the mappings of the properties look for.
fn universe() -> Vec<String> {
    let mut all: Vec<String> = KERNELS
        .iter()
        .filter(|raw| !raw.is_empty())
        .map(|raw| (*raw).to_owned())
        .collect();
    for head in ["5.14", "5.14.0", "5x14", "6.1", "6.1.0", "el8", "z"] {
        for tail in ["", ".0", "-amd64", "+", "+x", "-13-amd64", "x.el9"] {
            all.push(format!("{head}{tail}"));
            all.push(format!("1{head}{tail}"));
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn brute_force_agrees(mappings in proptest::collection::vec(mapping(), 1..5)) {
        let universe = universe();
        let json = json!(mappings);
        for (index, reach) in reach(&json).into_iter().enumerate() {
            let won = universe.iter().find(|raw| oracle::winner(&mappings, raw) == Ok(index));
            if reach.is_dead() {
                prop_assert_eq!(won, None, "mapping {} is not dead: {:?}", index, reach);
            }
            match reach {
                Reach::Reachable { witness } => {
                    // The witness is in matched form: a `+` at its end is one that is left after one is dropped.
                    let raw = if witness.ends_with('+') { format!("{witness}+") } else { witness };
                    prop_assert_eq!(oracle::winner(&mappings, &raw), Ok(index), "mapping {}: {}", index, raw);
                }
                Reach::Shadowed { by } => {
                    prop_assert!(!by.is_empty() && by.iter().all(|earlier| *earlier < index));
                }
                Reach::CannotTell => prop_assert!(false, "mapping {index} is too much"),
                Reach::MatchesNothing { .. }
                | Reach::Hidden { .. }
                | Reach::Refused { .. }
                | Reach::Empty => {}
            }
        }
        let raws: Vec<&str> = universe.iter().map(String::as_str).collect();
        let coverage = coverage(&json, &raws);
        let found = &coverage.modules[0];
        for kernel in &found.kernels {
            let expected = oracle::winner(&mappings, &kernel.kernel);
            prop_assert_eq!(kernel.mapping, expected.ok(), "{}", kernel.kernel);
        }
        for mapping in &found.mappings {
            let wins = found.kernels.iter().filter(|kernel| kernel.mapping == Some(mapping.index)).count();
            prop_assert_eq!(mapping.kernels, wins);
            let reachable = matches!(mapping.reach, Reach::Reachable { .. });
            prop_assert!(wins == 0 || reachable);
        }
    }
}
