//! Reading `null` as absent and writing it where Go does.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;

pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Writes an empty list as `null`, as Go writes a nil slice without `omitempty`.
pub(super) fn when_empty<S, T>(list: &[T], serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize,
{
    if list.is_empty() {
        serializer.serialize_none()
    } else {
        serializer.collect_seq(list)
    }
}

/// Reads a map of strings; a null value is the empty string.
pub(super) fn blank_strings<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let map: BTreeMap<String, Option<String>> = or_default(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(key, value)| (key, value.unwrap_or_default()))
        .collect())
}

/// Reads a map; entries that are null are left out.
pub(super) fn without_nulls<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let map: BTreeMap<String, Option<T>> = or_default(deserializer)?;
    Ok(map
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect())
}

/// Reads a list; items that are no `T` are left out.
pub(super) fn known_items<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let items: Vec<Value> = or_default(deserializer)?;
    Ok(items
        .into_iter()
        .filter_map(|item| serde_json::from_value(item).ok())
        .collect())
}

/// Writes an empty string as `null`, as Go writes a time that is not set.
pub(super) fn when_blank<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.is_empty() {
        serializer.serialize_none()
    } else {
        serializer.serialize_str(text)
    }
}

/// Writes an absent object as `{}`, as Go writes a struct whatever is in it.
pub(super) fn object_when_none<S: Serializer>(
    object: &Option<Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match object {
        Some(value) => value.serialize(serializer),
        None => Map::new().serialize(serializer),
    }
}

/// Reads an empty object as absent.
pub(super) fn none_when_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value.filter(|value| value.as_object().is_none_or(|map| !map.is_empty())))
}

pub(super) fn is_absent_or_empty(list: &Option<Vec<String>>) -> bool {
    list.as_ref().is_none_or(Vec::is_empty)
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}

pub(super) fn is_zero(value: &i32) -> bool {
    *value == 0
}
