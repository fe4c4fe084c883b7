//! What the API server makes of an object before it checks it: defaults in, unknown fields and stray nulls out.

use serde_json::Map;
use serde_json::Value;

use super::model::Schema;
use super::model::Schemas;
use super::model::Type;
use super::trail::Trail;
use crate::path::FieldPath;

/// Fields that every object has, whatever its schema says.
const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Brings `object` into the form that is stored, and gives the paths of the fields that no schema knows.
pub(super) fn settle(schemas: &Schemas, schema: &Schema, object: &mut Value) -> Vec<FieldPath> {
    let mut unknown = Vec::new();
    fill_defaults(schemas, schema, object);
    if let Value::Object(map) = object {
        prune_fields(schemas, schema, map, &Trail::Root, &mut unknown);
    }
    drop_nulls(schemas, schema, object);
    unknown
}

/// Numbers as Go writes them out again: whole floats as integers, integers beyond 64 bits with sign as floats.
pub(super) fn normalise_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if !number.is_i64() => {
            let float = number.as_f64().unwrap_or_default();
            // Both bounds are exact floats, so the cast loses nothing.
            if float.fract() == 0.0 && (-9.2e18..=9.2e18).contains(&float) {
                let integer = float as i64;
                *number = integer.into();
            } else if let Some(float) = serde_json::Number::from_f64(float) {
                *number = float;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise_numbers),
        Value::Object(map) => map.values_mut().for_each(normalise_numbers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill_defaults(schemas: &Schemas, schema: &Schema, value: &mut Value) {
    let schema = schemas.resolve(schema);
    match value {
        Value::Object(map) => {
            for (name, property) in &schema.properties {
                if let Some(default) = &schemas.resolve(property).default
                    && map.get(name).is_none_or(Value::is_null)
                {
                    map.insert(name.clone(), default.clone());
                }
            }
            for (name, child) in map {
                if let Some(property) = child_schema(schema, name) {
                    fill_defaults(schemas, property, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item) = &schema.items {
                items
                    .iter_mut()
                    .for_each(|child| fill_defaults(schemas, item, child));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune(
    schemas: &Schemas,
    schema: &Schema,
    value: &mut Value,
    trail: &Trail<'_>,
    unknown: &mut Vec<FieldPath>,
) {
    let schema = schemas.resolve(schema);
    if schema.preserve_unknown_fields {
        return;
    }
    match value {
        Value::Object(map) => prune_fields(schemas, schema, map, trail, unknown),
        Value::Array(items) => {
            let nothing = Schema::default();
            let item = schema.items.as_deref().unwrap_or(&nothing);
            for (i, child) in items.iter_mut().enumerate() {
                prune(schemas, item, child, &Trail::Index(trail, i), unknown);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune_fields(
    schemas: &Schemas,
    schema: &Schema,
    map: &mut Map<String, Value>,
    trail: &Trail<'_>,
    unknown: &mut Vec<FieldPath>,
) {
    let root = matches!(trail, Trail::Root);
    map.retain(|name, child| {
        if root && META.contains(&name.as_str()) {
            return true;
        }
        let here = Trail::Field(trail, name);
        match child_schema(schema, name) {
            Some(property) => prune(schemas, property, child, &here, unknown),
            None => unknown.push(here.path()),
        }
        child_schema(schema, name).is_some()
    });
}

/// Drops null fields; what has a default was filled in before. Nulls in lists stay, and are refused later.
fn drop_nulls(schemas: &Schemas, schema: &Schema, value: &mut Value) {
    let schema = schemas.resolve(schema);
    match value {
        Value::Object(map) => {
            map.retain(|name, child| !(child.is_null() && child_schema(schema, name).is_some()));
            for (name, child) in map {
                if let Some(property) = child_schema(schema, name) {
                    drop_nulls(schemas, property, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item) = &schema.items {
                items
                    .iter_mut()
                    .for_each(|child| drop_nulls(schemas, item, child));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts the zero value of its type in the place of each null of a list, as Go does when it decodes one.
pub(super) fn zero_nulls(schemas: &Schemas, schema: &Schema, value: &mut Value) {
    let schema = schemas.resolve(schema);
    match value {
        Value::Object(map) => {
            for (name, child) in map {
                if let Some(property) = child_schema(schema, name) {
                    zero_nulls(schemas, property, child);
                }
            }
        }
        Value::Array(items) => {
            let Some(item) = &schema.items else {
                return;
            };
            for child in items {
                match schemas.resolve(item).kind {
                    Some(Type::Object) if child.is_null() => *child = Value::Object(Map::new()),
                    Some(Type::String) if child.is_null() => *child = Value::String(String::new()),
                    _ => zero_nulls(schemas, item, child),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn child_schema<'a>(schema: &'a Schema, name: &str) -> Option<&'a Schema> {
    schema
        .properties
        .get(name)
        .or(schema.additional_properties.as_deref())
}
