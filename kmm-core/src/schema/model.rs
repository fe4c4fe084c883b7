//! A structural schema, as far as the CRDs need one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex_automata::meta::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::Resource;

/// One node of a schema. Unknown keywords are refused, so that none is overlooked.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Schema {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Type>,
    pub(super) format: Option<Format>,
    pub(super) required: Vec<String>,
    #[serde(rename = "enum")]
    pub(super) one_of: Vec<String>,
    pub(super) pattern: Option<Pattern>,
    pub(super) min_items: Option<usize>,
    pub(super) max_items: Option<usize>,
    pub(super) default: Option<Value>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) additional_properties: Option<Box<Schema>>,
    /// Only the integer-or-string alternative of `x-kubernetes-int-or-string`, which says it all.
    #[serde(rename = "anyOf")]
    _any_of: Option<Value>,
    #[serde(rename = "x-kubernetes-int-or-string")]
    pub(super) int_or_string: bool,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields")]
    pub(super) preserve_unknown_fields: bool,
    #[serde(rename = "x-kubernetes-list-map-keys")]
    pub(super) list_map_keys: Vec<String>,
    /// Matters to server-side apply only, apart from `map`, which the keys say.
    #[serde(rename = "x-kubernetes-list-type")]
    _list_type: Option<String>,
    #[serde(rename = "x-kubernetes-map-type")]
    _map_type: Option<String>,
    #[serde(rename = "x-kubernetes-validations")]
    pub(super) validations: Vec<Validation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Boolean,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// What a string has to be; the widths of integers are not checked by the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    DateTime,
    Int32,
    Int64,
}

/// A CEL rule. There is one in all CRDs, coded by hand; a test holds that it is this one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Validation {
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares it"))]
    pub(super) rule: String,
    pub(super) message: String,
}

/// A regular expression that a string has to match, compiled when first asked.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    pub(super) source: String,
    compiled: OnceLock<Option<Regex>>,
}

impl From<String> for Pattern {
    fn from(source: String) -> Self {
        Self {
            source,
            compiled: OnceLock::new(),
        }
    }
}

impl Pattern {
    pub(super) fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(&self.source).ok());
        // A test compiles every pattern of the data; one that did not would refuse nothing.
        compiled.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

/// Every schema, with the fragments that they share.
pub(super) struct Schemas {
    kinds: BTreeMap<String, Schema>,
    fragments: BTreeMap<String, Schema>,
}

const KINDS: &str = include_str!("data/kinds.json");
const FRAGMENTS: &str = include_str!("data/fragments.json");
const KUBERNETES: &str = include_str!("data/kubernetes.json");

impl Schemas {
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Schemas> = OnceLock::new();
        SHARED.get_or_init(|| {
            let mut fragments: BTreeMap<String, Schema> = parse(FRAGMENTS);
            fragments.extend(parse::<BTreeMap<String, Schema>>(KUBERNETES));
            Self {
                kinds: parse(KINDS),
                fragments,
            }
        })
    }

    pub(super) fn of(&self, resource: Resource) -> &Schema {
        &self.kinds[&key(resource)]
    }

    /// The schema that `schema` refers to, or itself.
    pub(super) fn resolve<'a>(&'a self, schema: &'a Schema) -> &'a Schema {
        match &schema.reference {
            Some(name) => &self.fragments[name],
            None => schema,
        }
    }
}

/// The schema of `resource` as a CRD has it, references put in; without metadata, which has no schema of its own.
pub(super) fn openapi(resource: Resource) -> Value {
    let kinds: Value = parse(KINDS);
    let mut fragments: serde_json::Map<String, Value> = parse(FRAGMENTS);
    fragments.extend(parse::<serde_json::Map<String, Value>>(KUBERNETES));
    let mut schema = kinds[key(resource)].clone();
    expand(&mut schema, &fragments);
    for (field, kind) in [
        ("apiVersion", "string"),
        ("kind", "string"),
        ("metadata", "object"),
    ] {
        schema["properties"][field] = serde_json::json!({ "type": kind });
    }
    schema
}

fn expand(schema: &mut Value, fragments: &serde_json::Map<String, Value>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        *schema = fragments[name].clone();
    }
    match schema {
        Value::Object(map) => map.values_mut().for_each(|value| expand(value, fragments)),
        Value::Array(items) => items.iter_mut().for_each(|value| expand(value, fragments)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn key(resource: Resource) -> String {
    format!("{} {}", resource.api_version(), resource.kind())
}

fn parse<T: serde::de::DeserializeOwned>(data: &str) -> T {
    // The data is part of the program, and a test reads all of it.
    serde_json::from_str(data).expect("schema data is well-formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(schema: &Schema, visit: &mut impl FnMut(&Schema)) {
        let schemas = Schemas::shared();
        let schema = schemas.resolve(schema);
        visit(schema);
        schema.properties.values().for_each(|child| each(child, visit));
        schema.items.iter().for_each(|child| each(child, visit));
        schema
            .additional_properties
            .iter()
            .for_each(|child| each(child, visit));
    }

    #[test]
    fn every_pattern_compiles_and_every_reference_leads_somewhere() {
        let mut patterns = 0;
        for resource in Resource::ALL {
            each(Schemas::shared().of(resource), &mut |schema| {
                if let Some(pattern) = &schema.pattern {
                    Regex::new(&pattern.source).unwrap();
                    patterns += 1;
                }
                assert!(schema.kind.is_some() || schema.int_or_string || schema.preserve_unknown_fields);
            });
        }
        assert!(patterns > 0);
    }

    #[test]
    fn the_only_cel_rule_is_the_coded_one() {
        for resource in Resource::ALL {
            each(Schemas::shared().of(resource), &mut |schema| {
                for validation in &schema.validations {
                    assert_eq!(validation.rule, "!(has(self.dra) && has(self.devicePlugin))");
                }
            });
        }
    }
}
