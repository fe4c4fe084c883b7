//! Whether a stored object keeps to its schema, in the words of the API server.

use std::collections::BTreeMap;

use serde_json::Map;
use serde_json::Value;

use super::date_time;
use super::faults;
use super::model::Format;
use super::model::Schema;
use super::model::Schemas;
use super::model::Type;
use super::trail::Trail;
use super::trail::dotted;
use crate::diag::Diagnostic;
use crate::go_text::float;
use crate::go_text::quote;
use crate::validate::Rule;

/// Faults of `object`, in the order of its keys; rules over many fields come last, and only where the types are right.
pub(super) fn faults_of(schemas: &Schemas, schema: &Schema, object: &Value) -> Vec<Diagnostic> {
    let mut checker = Checker {
        schemas,
        faults: Vec::new(),
        blocked: false,
    };
    checker.value(schema, object, &Trail::Root);
    if !checker.blocked {
        checker.rules(schema, object, &Trail::Root);
    }
    checker.faults
}

struct Checker<'s> {
    schemas: &'s Schemas,
    faults: Vec<Diagnostic>,
    /// Whether a fault was found for which the API server does not go on to CEL rules.
    blocked: bool,
}

impl Checker<'_> {
    fn value(&mut self, schema: &Schema, value: &Value, trail: &Trail<'_>) {
        let schema = self.schemas.resolve(schema);
        self.type_of(schema, value, trail);
        match value {
            Value::String(text) => self.string(schema, text, trail),
            Value::Array(items) => self.list(schema, items, trail),
            Value::Object(map) => self.object(schema, map, trail),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        let listed = || {
            value
                .as_str()
                .is_some_and(|text| schema.one_of.iter().any(|one| one == text))
        };
        if !schema.one_of.is_empty() && !listed() {
            let given = display(value);
            let allowed: Vec<String> = schema.one_of.iter().map(|one| quote(one)).collect();
            let message = format!(
                "Unsupported value: {given}: supported values: {}",
                allowed.join(", ")
            );
            self.block(&faults::ENUM, trail, message);
        }
    }

    fn type_of(&mut self, schema: &Schema, value: &Value, trail: &Trail<'_>) {
        let given = type_name(value);
        if schema.format == Some(Format::DateTime) {
            self.time_type(value, trail);
            return;
        }
        let integer = given == "integer" || is_whole(value);
        let wanted = match schema.kind {
            _ if schema.int_or_string && (integer || given == "string") => return,
            _ if schema.int_or_string => "integer,string",
            None => return,
            Some(Type::Integer) if integer => return,
            Some(kind) if kind.name() == given => return,
            Some(kind) => kind.name(),
        };
        let path = dotted(&trail.path());
        let message =
            format!("Invalid value: \"{given}\": {path} in body must be of type {wanted}: \"{given}\"");
        let found = self.block(&faults::TYPE, trail, message);
        if let Some(help) = type_help(schema.kind, value) {
            found.help = Some(help);
        }
    }

    /// A time is known by its format, not its type: lists pass, and messages name the format of what was given.
    fn time_type(&mut self, value: &Value, trail: &Trail<'_>) {
        let (given, wanted) = match value {
            Value::String(_) | Value::Array(_) => return,
            Value::Null => ("null", "string"),
            Value::Number(number) if number.is_i64() => ("int64", "date-time"),
            Value::Number(_) => ("float64", "date-time"),
            Value::Bool(_) | Value::Object(_) => ("", "date-time"),
        };
        let path = dotted(&trail.path());
        let message =
            format!("Invalid value: \"{given}\": {path} in body must be of type {wanted}: \"{given}\"");
        self.block(&faults::TYPE, trail, message);
    }

    fn string(&mut self, schema: &Schema, text: &str, trail: &Trail<'_>) {
        if let Some(pattern) = &schema.pattern
            && !pattern.matches(text)
        {
            let (path, source) = (dotted(&trail.path()), &pattern.source);
            let message = format!(
                "Invalid value: {}: {path} in body should match '{source}'",
                quote(text)
            );
            self.push(&faults::PATTERN, trail, message);
        }
        if schema.format == Some(Format::DateTime) && !date_time::is_date_time(text) {
            let (path, given) = (dotted(&trail.path()), quote(text));
            let message =
                format!("Invalid value: {given}: {path} in body must be of type date-time: {given}");
            self.push(&faults::FORMAT, trail, message);
        }
    }

    fn list(&mut self, schema: &Schema, items: &[Value], trail: &Trail<'_>) {
        if let Some(item) = &schema.items {
            for (i, value) in items.iter().enumerate() {
                self.value(item, value, &Trail::Index(trail, i));
            }
        }
        let count = items.len();
        if let Some(min) = schema.min_items.filter(|&min| count < min) {
            let path = dotted(&trail.path());
            let message = format!("Invalid value: {count}: {path} in body should have at least {min} items");
            self.push(&faults::ITEMS, trail, message);
        }
        if let Some(max) = schema.max_items.filter(|&max| count > max) {
            let message = format!("Too many: {count}: must have at most {max} items");
            self.block(&faults::ITEMS, trail, message);
        }
        if !schema.list_map_keys.is_empty() {
            self.unique(&schema.list_map_keys, items, trail);
        }
    }

    fn unique(&mut self, keys: &[String], items: &[Value], trail: &Trail<'_>) {
        if let Some(i) = items.iter().position(|item| !item.is_object() && !item.is_null()) {
            let given = display(&items[i]);
            let message = format!("Invalid value: {given}: must be an object for an array of list-type map");
            self.push(&faults::DUPLICATE_ITEM, &Trail::Index(trail, i), message);
            return;
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (i, item) in items.iter().enumerate() {
            let identity: Map<String, Value> = keys
                .iter()
                .filter_map(|key| Some((key.clone(), item.get(key)?.clone())))
                .collect();
            let identity = Value::Object(identity).to_string();
            let times = seen.entry(identity.clone()).or_default();
            *times += 1;
            if *times == 2 {
                self.push(
                    &faults::DUPLICATE_ITEM,
                    &Trail::Index(trail, i),
                    format!("Duplicate value: {identity}"),
                );
            }
        }
    }

    fn object(&mut self, schema: &Schema, map: &Map<String, Value>, trail: &Trail<'_>) {
        for (name, value) in map {
            let property = schema.properties.get(name);
            if let Some(property) = property.or(schema.additional_properties.as_deref()) {
                self.value(property, value, &Trail::Field(trail, name));
            }
        }
        for name in &schema.required {
            if !map.contains_key(name) {
                let found = self.block(
                    &faults::REQUIRED,
                    &Trail::Field(trail, name),
                    "Required value".to_owned(),
                );
                found.help = Some(format!("add `{name}`"));
            }
        }
    }

    /// The CEL rules of `schema` and below it.
    fn rules(&mut self, schema: &Schema, value: &Value, trail: &Trail<'_>) {
        let schema = self.schemas.resolve(schema);
        let Value::Object(map) = value else {
            return;
        };
        for validation in &schema.validations {
            if map.contains_key("dra") && map.contains_key("devicePlugin") {
                let message = format!("Invalid value: {}", validation.message);
                self.push(&faults::EXCLUSIVE, trail, message);
            }
        }
        for (name, child) in map {
            if let Some(property) = schema.properties.get(name) {
                self.rules(property, child, &Trail::Field(trail, name));
            }
        }
    }

    fn push(&mut self, rule: &Rule, trail: &Trail<'_>, message: String) -> &mut Diagnostic {
        let found = rule.finding(trail.path(), message).refused();
        self.faults.push(found);
        let last = self.faults.len() - 1;
        &mut self.faults[last]
    }

    fn block(&mut self, rule: &Rule, trail: &Trail<'_>, message: String) -> &mut Diagnostic {
        self.blocked = true;
        self.push(rule, trail, message)
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether `value` is a float without a fraction, small enough to be exact (53 bits): it passes for an integer.
fn is_whole(value: &Value) -> bool {
    const MAX: f64 = 9_007_199_254_740_991.0;
    value
        .as_f64()
        .is_some_and(|float| float.fract() == 0.0 && (-MAX..=MAX).contains(&float))
}

fn type_help(wanted: Option<Type>, value: &Value) -> Option<String> {
    match (wanted?, value) {
        // The value as it was written may be another: 5.10 is the number 5.1.
        (Type::String, Value::Bool(_) | Value::Number(_)) => Some("put quotes round it".to_owned()),
        (Type::Boolean, Value::String(text)) if text == "true" || text == "false" => {
            Some(format!("write {text} without quotes"))
        }
        (Type::Integer, Value::String(text)) if text.parse::<i64>().is_ok() => {
            Some(format!("write {text} without quotes"))
        }
        (Type::Array, given) if !given.is_null() => Some("make it a list".to_owned()),
        (_, Value::Null) => Some("remove it, or give it a value".to_owned()),
        _ => None,
    }
}

/// `value` as the API server shows it: strings quoted, numbers as Go prints them, all else as JSON.
fn display(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Number(number) if !number.is_i64() => float(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
