//! Objects without what nobody here reads.
//!
//! Who manages which field is often longer than the object itself, and a node lists its images. Both are left out while an
//! object is read, so that they take neither time nor memory.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Value;

/// An object without `metadata.managedFields`, and without the images and volumes in its status.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trimmed(pub(crate) Value);

impl<'de> Deserialize<'de> for Trimmed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Part::Object.deserialize(deserializer).map(Self)
    }
}

/// The parts that something is left out of.
#[derive(Clone, Copy)]
enum Part {
    Object,
    Metadata,
    Status,
}

impl Part {
    fn leaves_out(self, key: &str) -> bool {
        match self {
            Self::Object => false,
            Self::Metadata => key == "managedFields",
            Self::Status => matches!(key, "images" | "volumesAttached" | "volumesInUse"),
        }
    }

    /// The part that a field is, where it is one.
    fn part(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Object, "metadata") => Some(Self::Metadata),
            (Self::Object, "status") => Some(Self::Status),
            _ => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Maps are read field by field; everything else is taken as it is.
impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            if self.leaves_out(&key) {
                fields.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = match self.part(&key) {
                Some(part) => fields.next_value_seed(part)?,
                None => fields.next_value()?,
            };
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(object: &Value) -> Value {
        serde_json::from_str::<Trimmed>(&object.to_string()).unwrap().0
    }

    #[test]
    fn only_what_nobody_reads_is_left_out() {
        let mut node = json!({
            "kind": "Node",
            "metadata": {"name": "w1", "labels": {"images": "x", "managedFields": "y"}},
            "spec": {"images": [1], "taints": [{"key": "a"}], "metadata": {"managedFields": 1}},
            "status": {"conditions": [{"type": "Ready"}], "nodeInfo": {"images": 5}},
        });
        let expected = node.clone();
        node["metadata"]["managedFields"] = json!([{"manager": "kubelet", "fieldsV1": {"f:status": {}}}]);
        node["status"]["images"] = json!([{"names": ["a"], "sizeBytes": 5}]);
        node["status"]["volumesInUse"] = json!(["v"]);
        assert_eq!(read(&node), expected);
    }

    #[test]
    fn whatever_else_comes_stays_as_it_is() {
        for other in [
            json!({"kind": "Status", "status": "Success", "metadata": null}),
            json!({"status": [1, {"images": []}], "metadata": 5}),
            json!({"status": true, "metadata": -5}),
            json!({"status": 1.5}),
            json!([{"metadata": {"managedFields": []}}]),
            json!(null),
        ] {
            assert_eq!(read(&other), other);
        }
    }
}
