//! What edits make of a value, without its text.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::diag::Edit;
use crate::path::FieldPath;

use super::Entry;
use super::Mapping;
use super::Node;
use super::Value;
use super::edit;

/// What `root` is after `edits`; `None` where they do not fit it.
pub(super) fn after(root: &Node, edits: &[Edit]) -> Option<Node> {
    let placed: Vec<(&FieldPath, &Edit)> = edits
        .iter()
        .filter_map(|edit| Some((edit::path_of(edit)?, edit)))
        .collect();
    rebuild(root, &placed, 0)
}

/// `value` with the bytes of each range replaced; `None` where a range does not fit, or two overlap.
pub(super) fn replaced(value: &str, changes: &mut [(Range<usize>, &str)]) -> Option<String> {
    changes.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::with_capacity(value.len());
    let mut at = 0;
    for (range, text) in changes {
        out.push_str(value.get(at..range.start)?);
        out.push_str(text);
        value.get(range.clone())?;
        at = range.end;
    }
    out.push_str(value.get(at..)?);
    Some(out)
}

fn rebuild(node: &Node, edits: &[(&FieldPath, &Edit)], depth: usize) -> Option<Node> {
    if edits.is_empty() {
        return Some(node.clone());
    }
    let mut deeper: BTreeMap<usize, Vec<(&FieldPath, &Edit)>> = BTreeMap::new();
    let mut within = Vec::new();
    for (path, edit) in edits {
        match path.segments().get(depth) {
            Some(segment) => deeper
                .entry(edit::child(node, segment)?)
                .or_default()
                .push((path, edit)),
            None => match edit {
                Edit::SetString { value, .. } => return Some(Node::new(Value::String(value.clone()))),
                Edit::SetStrings { values, .. } => {
                    let items = values.iter().cloned().map(Value::String).map(Node::new);
                    return Some(Node::new(Value::Sequence(items.collect())));
                }
                Edit::ReplaceWithin { range, text, .. } => within.push((range.clone(), text.as_str())),
                Edit::RenameKey { .. }
                | Edit::Remove { .. }
                | Edit::QuoteScalar { .. }
                | Edit::ReplaceSource { .. } => {}
            },
        }
    }
    if !within.is_empty() {
        return Some(Node::new(Value::String(replaced(node.as_str()?, &mut within)?)));
    }
    let removed = |edits: &[(&FieldPath, &Edit)]| {
        edits
            .iter()
            .any(|(path, edit)| matches!(edit, Edit::Remove { .. }) && path.segments().len() == depth + 1)
    };
    let value = match &node.value {
        Value::Sequence(items) => {
            let mut out = Vec::new();
            for (i, item) in items.iter().enumerate() {
                let edits = deeper.get(&i).map_or(&[][..], Vec::as_slice);
                if !removed(edits) {
                    out.push(rebuild(item, edits, depth + 1)?);
                }
            }
            Value::Sequence(out)
        }
        Value::Mapping(mapping) => {
            let mut entries = Vec::new();
            for (i, entry) in mapping.entries.iter().enumerate() {
                let edits = deeper.get(&i).map_or(&[][..], Vec::as_slice);
                if removed(edits) {
                    continue;
                }
                let renamed = edits.iter().find_map(|(path, edit)| match edit {
                    Edit::RenameKey { key, .. } if path.segments().len() == depth + 1 => Some(key.clone()),
                    _ => None,
                });
                entries.push(Entry {
                    key: renamed.unwrap_or_else(|| entry.key.clone()),
                    key_span: 0..0,
                    value: rebuild(&entry.value, edits, depth + 1)?,
                });
            }
            Value::Mapping(Mapping { entries })
        }
        other => other.clone(),
    };
    Some(Node::new(value))
}
