//! A tree of values with their places.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::Deserializer;
use serde::de;

use crate::path::FieldPath;
use crate::path::Segment;

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Bytes of the source text, quotes and block indicators included; empty where there is no source.
    pub span: Range<usize>,
}

/// What a value is, once YAML is read as Kubernetes clients read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~`, or nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// An object or map.
    Mapping(Mapping),
}

/// The entries of an object or map, in order, duplicate keys kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// The entries.
    pub entries: Vec<Entry>,
}

/// One entry of a [`Mapping`].
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key, as a string.
    pub key: String,
    /// Bytes of the source text that the key takes.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Mapping {
    /// The value under `key`; of duplicates, the last: it is what the API server sees.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The entry under `key`; of duplicates, the last.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The entries that count: of duplicates, only the last.
    pub fn effective(&self) -> impl Iterator<Item = &Entry> {
        let places = self.entries.iter().enumerate();
        let last: HashMap<&str, usize> = places.map(|(i, entry)| (entry.key.as_str(), i)).collect();
        let places = self.entries.iter().enumerate();
        places.filter_map(move |(i, entry)| (last.get(entry.key.as_str()) == Some(&i)).then_some(entry))
    }
}

impl Node {
    /// A node without a place in a source text.
    pub fn new(value: Value) -> Self {
        Self { value, span: 0..0 }
    }

    /// Whether both are the same value, wherever they stand; entries are compared in order, duplicates too.
    pub fn same_value(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Sequence(a), Value::Sequence(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_value(b))
            }
            (Value::Mapping(a), Value::Mapping(b)) => {
                a.entries.len() == b.entries.len()
                    && a.entries
                        .iter()
                        .zip(&b.entries)
                        .all(|(a, b)| a.key == b.key && a.value.same_value(&b.value))
            }
            (a, b) => a == b,
        }
    }

    /// The value under `key`, where this is a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.get(key)
    }

    /// The value at `path`.
    pub fn at(&self, path: &FieldPath) -> Option<&Node> {
        path.segments()
            .iter()
            .try_fold(self, |node, segment| match segment {
                Segment::Field(name) => node.get(name),
                Segment::Index(index) => node.as_sequence()?.get(*index),
            })
    }

    /// The entry (key and value) at `path`, where its last step is a field.
    pub fn entry_at(&self, path: &FieldPath) -> Option<&Entry> {
        let (last, _) = path.segments().split_last()?;
        match last {
            Segment::Field(name) => self.at(&path.parent()?)?.as_mapping()?.entry(name),
            Segment::Index(_) => None,
        }
    }

    /// The string, where this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The list, where this is one.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping, where this is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// This value as JSON; of duplicate keys the last counts.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => serde_json::Value::Bool(*value),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::String(text) => serde_json::Value::String(text.clone()),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(mapping) => {
                let pairs = mapping
                    .entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()));
                serde_json::Value::Object(pairs.collect())
            }
        }
    }
}

impl From<&serde_json::Value> for Node {
    fn from(json: &serde_json::Value) -> Self {
        Self::new(match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(*value),
            serde_json::Value::Number(number) => Value::Number(number.clone()),
            serde_json::Value::String(text) => Value::String(text.clone()),
            serde_json::Value::Array(items) => Value::Sequence(items.iter().map(Node::from).collect()),
            serde_json::Value::Object(map) => Value::Mapping(Mapping {
                entries: map
                    .iter()
                    .map(|(key, value)| entry(key.clone(), Node::from(value)))
                    .collect(),
            }),
        })
    }
}

/// Reads any self-describing format; duplicate keys are kept.
impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> de::Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::new(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::new(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::new(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::new(Value::Number(value.into())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        let number = serde_json::Number::from_f64(value).ok_or_else(|| E::custom("number is not finite"))?;
        Ok(Node::new(Value::Number(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::new(Value::String(text.to_owned())))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::new(Value::Sequence(items)))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<String, Node>()? {
            entries.push(entry(key, value));
        }
        Ok(Node::new(Value::Mapping(Mapping { entries })))
    }
}

fn entry(key: String, value: Node) -> Entry {
    Entry {
        key,
        key_span: 0..0,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_duplicates_are_kept_and_the_last_counts() {
        let node: Node = serde_json::from_str(r#"{"a":1,"b":null,"a":2}"#).unwrap();
        assert_eq!(node.as_mapping().unwrap().entries.len(), 3);
        assert_eq!(node.to_json(), serde_json::json!({"a": 2, "b": null}));
        assert_eq!(node.as_mapping().unwrap().effective().count(), 2);
    }

    #[test]
    fn json_numbers_keep_their_last_bit() {
        for text in ["8.1e51", "1.51e52"] {
            let node: Node = serde_json::from_str(text).unwrap();
            let exact: f64 = text.parse().unwrap();
            assert_eq!(node.to_json().as_f64(), Some(exact), "{text}");
        }
    }

    #[test]
    fn at_follows_fields_and_places() {
        let node: Node = serde_json::from_str(r#"{"spec":{"list":["x",{"k":"v"}]}}"#).unwrap();
        assert_eq!(
            node.at(&FieldPath::of("spec.list[1].k")).and_then(Node::as_str),
            Some("v")
        );
        assert_eq!(node.at(&FieldPath::of("spec.list[2]")), None);
        assert_eq!(node.entry_at(&FieldPath::of("spec.list")).unwrap().key, "list");
    }
}
