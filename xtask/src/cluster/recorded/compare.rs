//! Objects as lines, one for each field that is told apart, and the differences that are rows of `docs/compat.md`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use anyhow::Result;
use anyhow::ensure;
use serde::Deserialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::takeover;
use crate::steps;

/// A difference that is meant; the tests of kmm-core read the same list.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    /// Its row of `docs/compat.md`.
    pub(super) row: String,
    /// What is compared: every write, or the state that a step leaves.
    r#in: In,
    /// What a line has that differs for this reason.
    has: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum In {
    Writes,
    States,
}

/// The differences of states, each with its row.
pub(super) fn rows() -> Result<Vec<Row>> {
    let mut rows = Vec::<Row>::deserialize(Value::Array(takeover::recorded("differences.json")?))?;
    rows.retain(|row| row.r#in == In::States);
    let guide = std::fs::read_to_string(steps::root().join("docs/compat.md"))?;
    for row in &rows {
        let named = guide
            .lines()
            .any(|line| line.starts_with(&format!("| `{}`", row.row)));
        ensure!(named, "docs/compat.md has no row `{}`", row.row);
    }
    Ok(rows)
}

/// What is compared of objects: one line for each label, finalizer and field.
pub(super) fn lines<'o>(objects: impl IntoIterator<Item = &'o Value>) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for object in objects {
        let (name, kept) = comparable(object);
        for (label, value) in kept["labels"].as_object().into_iter().flatten() {
            lines.insert(format!("{name} label {label}={value}"));
        }
        for part in ["finalizers", "owners", "spec", "status"] {
            leaves(&kept[part], &format!("{name} {part}"), &mut lines);
        }
        lines.insert(format!("{name} is there"));
    }
    lines
}

/// How often each row explains a difference, or what no row explains.
pub(super) fn explained(
    theirs: &BTreeSet<String>,
    ours: &BTreeSet<String>,
    rows: &[Row],
) -> Result<BTreeMap<String, usize>, String> {
    let mut explained = BTreeMap::new();
    let mut unexplained = Vec::new();
    for line in theirs.symmetric_difference(ours) {
        let row = rows
            .iter()
            .find(|row| row.has.iter().all(|text| line.contains(text)));
        match row {
            Some(row) => *explained.entry(row.row.clone()).or_default() += 1,
            None => unexplained.push(format!(
                "{}: {line}",
                if ours.contains(line) {
                    "only here"
                } else {
                    "only there"
                }
            )),
        }
    }
    if unexplained.is_empty() {
        Ok(explained)
    } else {
        Err(unexplained.join("\n"))
    }
}

fn leaves(value: &Value, path: &str, lines: &mut BTreeSet<String>) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                leaves(value, &format!("{path}.{key}"), lines);
            }
        }
        Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                let place = ["name", "image"]
                    .into_iter()
                    .find_map(|key| value[key].as_str().map(str::to_owned))
                    .unwrap_or_else(|| place.to_string());
                leaves(value, &format!("{path}[{place}]"), lines);
            }
        }
        leaf => {
            lines.insert(format!("{path}={leaf}"));
        }
    }
}

/// What an object is called, and what is compared of it.
fn comparable(object: &Value) -> (String, Value) {
    let metadata = &object["metadata"];
    let kind = object["kind"].as_str().unwrap_or_default();
    let owners = metadata["ownerReferences"].as_array();
    let owners: Vec<Value> = owners
        .into_iter()
        .flatten()
        .map(|owner| {
            let mut owner = owner.clone();
            owner["uid"].take();
            owner
        })
        .collect();
    let mut kept = json!({
        "labels": metadata["labels"], "finalizers": metadata["finalizers"], "owners": owners,
    });
    // Of nodes the operator writes labels alone, and the counts of DaemonSets are written by their own controller.
    if kind != "Node" && kind != "Namespace" {
        kept["spec"] = object["spec"].clone();
    }
    if !matches!(kind, "Node" | "Namespace" | "DaemonSet") {
        kept["status"] = object["status"].clone();
    }
    for (list, by) in [
        ("/spec/modules", "name"),
        ("/status/modules", "name"),
        ("/spec/images", "image"),
        ("/status/imagesStates", "image"),
    ] {
        // Their order says nothing: it was another one at every look.
        if let Some(list) = kept.pointer_mut(list).and_then(Value::as_array_mut) {
            list.sort_by_key(|item| item[by].to_string());
        }
    }
    let name = format!("{}s {}", kind.to_lowercase(), name(object));
    (name, without_nothing(kept))
}

/// The name of an object; of a DaemonSet that of its Module: its own was random, and is not here (row `plugin-twins` of
/// docs/compat.md).
pub(super) fn name(object: &Value) -> &str {
    let metadata = &object["metadata"];
    let name = match object["kind"].as_str() {
        Some("DaemonSet") => &metadata["ownerReferences"][0]["name"],
        _ => &metadata["name"],
    };
    name.as_str().unwrap_or_default()
}

/// Without fields that say nothing: null, nought and what is empty. `""` says something of a label.
fn without_nothing(value: Value) -> Value {
    let says = |value: &Value| {
        *value != Value::Null && *value != json!(0) && *value != json!({}) && *value != json!([])
    };
    match value {
        Value::Object(map) => {
            let fields = map.into_iter().map(|(key, value)| (key, without_nothing(value)));
            Value::Object(fields.filter(|(_, value)| says(value)).collect::<Map<_, _>>())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_nothing).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_left_out_and_a_label_stays() {
        let object = json!({
            "kind": "Module", "metadata": {"name": "a", "labels": {"x": ""}},
            "status": {"dra": {}, "devicePlugin": {"desiredNumber": 0}, "moduleLoader": {"desiredNumber": 1}},
        });
        let wanted = [
            "modules a is there",
            "modules a label x=\"\"",
            "modules a status.moduleLoader.desiredNumber=1",
        ];
        assert_eq!(Vec::from_iter(lines([&object])), wanted.map(str::to_owned));
    }

    #[test]
    fn a_difference_has_a_row_or_is_told() {
        let rows = rows().unwrap();
        let one = |line: &str| BTreeSet::from([line.to_owned()]);
        let known = "nodes n00001 label kmm.node.kubernetes.io/drivers.acme-nic.device-plugin-target=\"\"";
        let found = explained(&one(known), &BTreeSet::new(), &rows).unwrap();
        assert_eq!(found, BTreeMap::from([("target-labels".to_owned(), 1)]));
        let strange = explained(
            &one("nodes n00002 label a=\"\""),
            &one("nodes n00002 label a=\"b\""),
            &rows,
        );
        assert_eq!(
            strange.unwrap_err(),
            "only there: nodes n00002 label a=\"\"\nonly here: nodes n00002 label a=\"b\""
        );
    }
}
