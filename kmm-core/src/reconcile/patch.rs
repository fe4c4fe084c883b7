//! JSON merge patches (RFC 7386), and what of an object they have to change.

use serde_json::Map;
use serde_json::Value;

/// The merge patch that turns `old` into `new`; `None` where they are the same.
///
/// # Example: a key that goes is `null`
///
/// ```
/// use kmm_core::reconcile::patch::difference;
/// use serde_json::json;
///
/// let patch = difference(&json!({"a": 1, "b": [1]}), &json!({"b": [2]}));
/// assert_eq!(patch, Some(json!({"a": null, "b": [2]})));
/// ```
pub fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for key in old.keys() {
        if !new.contains_key(key) {
            patch.insert(key.clone(), Value::Null);
        }
    }
    for (key, value) in new {
        let change = match old.get(key) {
            Some(before) => difference(before, value),
            None => Some(value.clone()),
        };
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Applies a merge patch, as the API server does.
pub fn apply(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(object) = object else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            object.remove(key);
        } else {
            apply(object.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_applied_gives_the_new() {
        let values = [
            json!({}),
            json!({"a": 1}),
            json!({"a": {"b": {"c": []}}}),
            json!({"a": {"b": [1, 2], "d": "x"}, "e": false}),
            json!({"a": []}),
        ];
        for old in &values {
            for new in &values {
                let mut object = old.clone();
                if let Some(patch) = difference(old, new) {
                    apply(&mut object, &patch);
                }
                assert_eq!(&object, new);
                assert_eq!(difference(&object, new), None);
            }
        }
    }
}
