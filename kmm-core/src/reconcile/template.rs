//! Pod templates as they are wanted, against those that the API server has filled with defaults.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// Keys that the API server never fills in: where they are and are not wanted, somebody wanted them once.
const OURS: [&str; 11] = [
    "args",
    "command",
    "env",
    "volumeMounts",
    "initContainers",
    "imagePullSecrets",
    "nodeSelector",
    "tolerations",
    "serviceAccountName",
    "automountServiceAccountToken",
    "resources",
];

/// Maps of which every entry is said.
const WHOLE: [&str; 3] = ["nodeSelector", "labels", "matchLabels"];

/// The merge patch that makes a stored pod template say what is wanted; `None` where it does.
///
/// What the API server filled in is left alone; quantities are compared by their value.
pub(super) fn difference(stored: &Value, wanted: &Value) -> Option<Value> {
    if covers("", stored, wanted) {
        return None;
    }
    let mut patch = wanted.clone();
    for path in ["/metadata", "/spec"] {
        let (Some(stored), Some(Value::Object(patch))) = (stored.pointer(path), patch.pointer_mut(path))
        else {
            continue;
        };
        let stored = stored.as_object().into_iter().flat_map(Map::keys);
        for key in stored.filter(|key| OURS.contains(&key.as_str())) {
            patch.entry(key.as_str()).or_insert(Value::Null);
        }
    }
    // A merge patch only adds to a map, so what has to go is named.
    if let Some(Value::Object(before)) = stored.pointer("/spec/nodeSelector")
        && let Some(Value::Object(after)) = patch.pointer_mut("/spec/nodeSelector")
    {
        for key in before.keys() {
            after.entry(key.as_str()).or_insert(Value::Null);
        }
    }
    Some(patch)
}

fn covers(key: &str, stored: &Value, wanted: &Value) -> bool {
    match (stored, wanted) {
        (Value::Object(stored), Value::Object(wanted)) => {
            let whole = WHOLE.contains(&key);
            let extra = stored.iter().any(|(key, value)| {
                let unwanted = !wanted.contains_key(key) && (whole || !is_empty(value));
                unwanted && (whole || OURS.contains(&key.as_str()))
            });
            let missing = wanted.iter().any(|(key, value)| match stored.get(key) {
                Some(stored) => !covers(key, stored, value),
                None => whole || !is_empty(value),
            });
            let policy = pull_policy(stored, wanted);
            !extra && !missing && policy
        }
        (Value::Array(stored), Value::Array(wanted)) => {
            stored.len() == wanted.len()
                && stored
                    .iter()
                    .zip(wanted)
                    .all(|(stored, wanted)| covers(key, stored, wanted))
        }
        (stored, wanted) => stored == wanted || same_quantity(stored, wanted),
    }
}

/// Whether a container that wants no pull policy has the one that the API server fills in.
fn pull_policy(stored: &Map<String, Value>, wanted: &Map<String, Value>) -> bool {
    let (Some(policy), None, Some(image)) = (
        stored.get("imagePullPolicy").and_then(Value::as_str),
        wanted.get("imagePullPolicy"),
        wanted.get("image").and_then(Value::as_str),
    ) else {
        return true;
    };
    let name = image.rsplit('/').next().unwrap_or(image);
    let floating = !image.contains('@') && (name.ends_with(":latest") || !name.contains(':'));
    policy == if floating { "Always" } else { "IfNotPresent" }
}

fn is_empty(value: &Value) -> bool {
    [json!(null), json!({}), json!([]), json!(""), json!(false)].contains(value)
}

fn same_quantity(stored: &Value, wanted: &Value) -> bool {
    let value = |value: &Value| match value {
        Value::String(text) => quantity(text),
        Value::Number(number) => quantity(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    value(stored).is_some_and(|stored| value(wanted) == Some(stored))
}

/// A quantity of Kubernetes in billionths; `None` where it is none, or too large.
fn quantity(text: &str) -> Option<i128> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if number.is_empty() || fraction.len() > 9 {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction:0<9}").parse().ok()?;
    let (times, by): (i128, i128) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        _ => return None,
    };
    digits.checked_mul(times)?.checked_div(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_no_difference() {
        let wanted = json!({"spec": {"containers": [{"name": "a", "image": "x:1", "resources": {"limits": {"cpu": "0.5"}}}]}});
        let stored = json!({"spec": {"dnsPolicy": "ClusterFirst", "containers": [{"name": "a", "image": "x:1",
            "imagePullPolicy": "IfNotPresent", "resources": {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}},
            "terminationMessagePath": "/dev/termination-log"}]}});
        assert_eq!(difference(&stored, &wanted), None);
    }

    #[test]
    fn what_went_is_a_difference() {
        let wanted =
            json!({"spec": {"containers": [{"name": "a", "image": "x:1"}], "nodeSelector": {"a": ""}}});
        for (path, value) in [
            ("tolerations", json!([{"key": "a"}])),
            ("nodeSelector", json!({"a": "", "b": ""})),
            (
                "containers",
                json!([{"name": "a", "image": "x:1", "args": ["-v"]}]),
            ),
            (
                "containers",
                json!([{"name": "a", "image": "x:1", "imagePullPolicy": "Always"}]),
            ),
            ("containers", json!([{"name": "a", "image": "x:2"}])),
        ] {
            let mut stored = wanted.clone();
            stored["spec"][path] = value;
            let patch = difference(&stored, &wanted).unwrap();
            crate::reconcile::patch::apply(&mut stored, &patch);
            assert_eq!(stored, wanted, "{path}");
        }
    }

    #[test]
    fn quantities_by_value() {
        assert_eq!(quantity("0.5"), quantity("500m"));
        assert_eq!(quantity("1Gi"), quantity("1024Mi"));
        assert_ne!(quantity("1G"), quantity("1Gi"));
        assert_eq!(quantity("x"), None);
        assert_eq!(quantity(""), None);
    }
}
