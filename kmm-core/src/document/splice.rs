//! From edits of fields to changes of bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::diag::Edit;
use crate::path::FieldPath;
use crate::path::Segment;

use super::Document;
use super::EditError;
use super::Entry;
use super::Node;
use super::Value;
use super::decode;
use super::decode::Form;
use super::duplicates;
use super::edit;
use super::emit;
use super::expect;
use super::gap;
use super::remove;

/// Bytes of the source, and what comes in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

/// Adds those of `edits` that name bytes of the source.
pub(super) fn of_source(text: &str, edits: &[Edit], out: &mut Vec<Splice>) -> Result<(), EditError> {
    for edit in edits {
        if let Edit::ReplaceSource { range, text: new } = edit {
            let (range, text) = (range.clone(), text.get(range.clone()).map(|_| new.clone()));
            let text = text.ok_or_else(|| EditError::Conflict(range.clone()))?;
            out.push(Splice { range, text });
        }
    }
    Ok(())
}

/// Adds what those of `edits` change that name fields of `document`.
pub(super) fn of(
    document: &Document,
    text: &str,
    edits: &[Edit],
    out: &mut Vec<Splice>,
) -> Result<(), EditError> {
    if edits.iter().all(|edit| edit::path_of(edit).is_none()) {
        return Ok(());
    }
    if document.root.span.is_empty() {
        return Err(EditError::NoPlaces);
    }
    let source = Source {
        text,
        json: is_json(document, text),
    };
    let mut within: BTreeMap<&FieldPath, Vec<(Range<usize>, &str)>> = BTreeMap::new();
    let mut removed: BTreeMap<FieldPath, Vec<&Segment>> = BTreeMap::new();
    for edit in edits {
        match edit {
            Edit::ReplaceSource { .. } => {}
            Edit::ReplaceWithin { path, range, text } => {
                within.entry(path).or_default().push((range.clone(), text));
            }
            Edit::Remove { path } => {
                let parent = path.parent().ok_or_else(|| EditError::Missing(path.clone()))?;
                Target::find(document, source, path)?;
                removed.entry(parent).or_default().extend(path.segments().last());
            }
            Edit::RenameKey { path, key } => {
                out.push(rename(&Target::find(document, source, path)?, path, key)?);
            }
            Edit::SetString { path, value } => {
                out.push(Target::find(document, source, path)?.set_string(value));
            }
            // The editor makes a `SetString` of it, unless the value is not there.
            Edit::QuoteScalar { path } => return Err(EditError::Missing(path.clone())),
            Edit::SetStrings { path, values } => {
                Target::find(document, source, path)?.set_strings(values, out);
            }
        }
    }
    for (path, changes) in &mut within {
        replace_within(&Target::find(document, source, path)?, path, changes, out)?;
    }
    for (path, segments) in removed {
        let target = Target::find(document, source, &path)?;
        let places: Vec<usize> = segments
            .into_iter()
            .filter_map(|segment| edit::child(target.node, segment))
            .collect();
        remove::children(&target, &places, out);
    }
    Ok(())
}

/// A text, and what it is.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    /// Whether it is JSON and has to stay so.
    pub(super) json: bool,
}

/// A value that is to be changed where it stands.
pub(super) struct Target<'a> {
    pub(super) source: Source<'a>,
    pub(super) node: &'a Node,
    entry: Option<&'a Entry>,
    parent: Option<&'a Node>,
    /// Whether it stands in brackets.
    pub(super) in_flow: bool,
    /// Where the text between what stands before the value and the value begins.
    floor: usize,
}

impl<'a> Target<'a> {
    fn find(document: &'a Document, source: Source<'a>, path: &FieldPath) -> Result<Self, EditError> {
        let mut target = Target {
            source,
            node: &document.root,
            entry: None,
            parent: None,
            in_flow: false,
            floor: document.span.start,
        };
        for segment in path.segments() {
            if target.is_alias() {
                return Err(EditError::Aliased(path.clone()));
            }
            let place = edit::child(target.node, segment).ok_or_else(|| EditError::Missing(path.clone()))?;
            target.in_flow |= target.is_flow();
            target.parent = Some(target.node);
            match &target.node.value {
                Value::Mapping(mapping) => {
                    let entry = &mapping.entries[place];
                    if duplicates::is_merged(source.text, entry) {
                        return Err(EditError::Aliased(path.clone()));
                    }
                    target.floor = entry.key_span.end;
                    target.entry = Some(entry);
                    target.node = &entry.value;
                }
                Value::Sequence(items) => {
                    target.floor = item_start(source.text, target.node, items, place, target.in_flow);
                    target.entry = None;
                    target.node = &items[place];
                }
                _ => return Err(EditError::Missing(path.clone())),
            }
        }
        Ok(target)
    }

    pub(super) fn written(&self) -> &'a str {
        self.source.text.get(self.node.span.clone()).unwrap_or("")
    }

    pub(super) fn is_flow(&self) -> bool {
        self.written().starts_with(['{', '['])
    }

    fn is_alias(&self) -> bool {
        let written = self.written();
        written.starts_with('*') && !written.contains([' ', '\t', '\n', '\r'])
    }

    fn is_collection(&self) -> bool {
        matches!(self.node.value, Value::Sequence(_) | Value::Mapping(_))
    }

    /// Whether nothing stands behind the value on its line.
    fn ends_line(&self) -> bool {
        let text = self.source.text;
        let end = self.node.span.end;
        !self.is_collection()
            && text
                .get(end..gap::line_end(text, end))
                .is_some_and(|rest| rest.trim().is_empty())
    }

    /// How far the lines below the value are indented: two further than its key, or as far as it stands.
    fn indent(&self) -> usize {
        let column = |at: usize| at - gap::line_start(self.source.text, at);
        match (self.entry, self.parent) {
            (Some(entry), _) => column(entry.key_span.start) + 2,
            (None, Some(parent)) => column(parent.span.start) + 2,
            (None, None) => 0,
        }
    }

    /// Puts `new` in the place of the value.
    pub(super) fn put(&self, new: &str) -> Splice {
        let text = self.source.text;
        let span = &self.node.span;
        let block = self.is_collection() && !self.is_flow() && !self.is_alias();
        let mut start = span.start;
        let mut end = span.end;
        if block {
            let commented = gap::gaps(text, self.floor..start).any(|gap| matches!(gap, gap::Gap::Comment(_)));
            if self.parent.is_some() && !commented {
                start = match self.entry {
                    Some(_) => gap::colon(text, self.floor..text.len()).map_or(start, |colon| colon + 1),
                    None => self.floor,
                };
            }
        } else {
            let written = self.written();
            if written.starts_with(['|', '>']) {
                let last = span.start + written.trim_end_matches([' ', '\t', '\r', '\n']).len();
                end = gap::line_end(text, last).min(span.end);
            }
        }
        let end = end.max(start);
        let before = text.get(..start).and_then(|front| front.chars().next_back());
        let after = text.get(end..).and_then(|rest| rest.chars().next());
        let mut out = String::new();
        if before.is_some_and(|c| !c.is_whitespace() && !matches!(c, '[' | '{' | '"'))
            && (span.is_empty() || block)
        {
            out.push(' ');
        }
        out.push_str(new);
        if span.is_empty() && after.is_some_and(|c| !c.is_whitespace() && !matches!(c, ',' | ']' | '}')) {
            out.push(' ');
        }
        Splice {
            range: start..end,
            text: out,
        }
    }

    fn set_string(&self, value: &str) -> Splice {
        self.put(&self.string(value))
    }

    /// `value` as the value is written now, or as it has to be.
    fn string(&self, value: &str) -> String {
        let flow = self.in_flow || self.source.json;
        let form = match decode::form(self.written()) {
            _ if self.source.json || value.contains('\n') && !self.ends_line() => Form::Double,
            Form::Plain if !flow && value.contains('\n') => Form::Literal,
            form => form,
        };
        if matches!(form, Form::Literal | Form::Folded) && value.contains('\n') {
            let old = self
                .node
                .as_str()
                .and_then(|old| decode::block_indent(self.source.text, &self.node.span, old));
            let indent = old
                .filter(|_| form == decode::form(self.written()))
                .unwrap_or(self.indent());
            if let Some(block) = emit::literal(value, indent, self.newline()) {
                return block;
            }
        }
        let form = match form {
            Form::Literal | Form::Folded => Form::Plain,
            form => form,
        };
        if self.source.json {
            return format!("\"{}\"", emit::escaped(value));
        }
        emit::string(value, form, flow)
    }

    fn set_strings(&self, values: &[String], out: &mut Vec<Splice>) {
        let old = self
            .node
            .as_sequence()
            .filter(|_| !self.is_alias())
            .unwrap_or(&[]);
        let flow = self.in_flow || self.source.json || self.is_flow() && !old.is_empty();
        let scalars = old
            .iter()
            .all(|item| !matches!(item.value, Value::Sequence(_) | Value::Mapping(_)));
        if !old.is_empty() && scalars && old.len() == values.len() {
            // One by one, so that each keeps its quotes and its comment.
            for (place, (item, value)) in old.iter().zip(values).enumerate() {
                if item.as_str() != Some(value) {
                    let target = Target {
                        node: item,
                        entry: None,
                        parent: Some(self.node),
                        in_flow: flow,
                        floor: item_start(self.source.text, self.node, old, place, flow),
                        source: self.source,
                    };
                    out.push(target.set_string(value));
                }
            }
            return;
        }
        let quotes = old
            .first()
            .and_then(|item| self.source.text.get(item.span.clone()))
            .map_or(Form::Plain, decode::form);
        let quotes = match quotes {
            _ if self.source.json => Form::Double,
            Form::Literal | Form::Folded => Form::Plain,
            form => form,
        };
        let written: Vec<String> = values
            .iter()
            .map(|value| emit::string(value, quotes, flow))
            .collect();
        if flow || written.is_empty() || self.parent.is_none() && old.is_empty() {
            out.push(self.put(&format!("[{}]", written.join(", "))));
            return;
        }
        let (start, indent) = if old.is_empty() || self.is_alias() {
            (None, self.indent())
        } else {
            let start = self.node.span.start;
            (Some(start), start - gap::line_start(self.source.text, start))
        };
        let separator = format!("{}{}", self.newline(), " ".repeat(indent));
        let items = written
            .iter()
            .map(|item| format!("- {item}"))
            .collect::<Vec<_>>()
            .join(&separator);
        out.push(match start {
            Some(start) => Splice {
                range: start..self.node.span.end,
                text: items,
            },
            None if self.node.span.is_empty() => Splice {
                range: self.node.span.clone(),
                text: format!("{separator}{items}"),
            },
            None => {
                // The blank behind the colon goes, for the list begins on the next line.
                let start =
                    gap::colon(self.source.text, self.floor..self.node.span.start).map(|colon| colon + 1);
                let start = start.filter(|start| {
                    self.source
                        .text
                        .get(*start..self.node.span.start)
                        .is_some_and(|gap| gap.trim().is_empty())
                });
                Splice {
                    range: start.unwrap_or(self.node.span.start)..self.node.span.end,
                    text: format!("{separator}{items}"),
                }
            }
        });
    }

    fn newline(&self) -> &'static str {
        let end = gap::line_end(self.source.text, self.node.span.start);
        match self.source.text.get(end..) {
            Some(rest) if rest.starts_with("\r\n") => "\r\n",
            _ => "\n",
        }
    }
}

/// Where the item at `place` of the list `node` begins: behind its dash, or behind the item before it in brackets.
fn item_start(text: &str, node: &Node, items: &[Node], place: usize, in_flow: bool) -> usize {
    let before = place
        .checked_sub(1)
        .and_then(|i| items.get(i))
        .map_or(node.span.start, |item| item.span.end);
    if in_flow {
        return items[place].span.start;
    }
    gap::dash(text, before..text.len()).map_or(before, |dash| dash + 1)
}

fn rename(target: &Target<'_>, path: &FieldPath, key: &str) -> Result<Splice, EditError> {
    let entry = target.entry.ok_or_else(|| EditError::Missing(path.clone()))?;
    let siblings = target.parent.and_then(Node::as_mapping);
    if entry.key != key && siblings.is_some_and(|mapping| mapping.entry(key).is_some()) {
        return Err(EditError::Exists {
            path: path.clone(),
            key: key.to_owned(),
        });
    }
    let written = target.source.text.get(entry.key_span.clone()).unwrap_or("");
    if written.is_empty() || written.starts_with('*') {
        return Err(EditError::Aliased(path.clone()));
    }
    let form = if target.source.json {
        Form::Double
    } else {
        decode::form(written)
    };
    let form = if matches!(form, Form::Literal | Form::Folded) {
        Form::Plain
    } else {
        form
    };
    Ok(Splice {
        range: entry.key_span.clone(),
        text: emit::string(key, form, true),
    })
}

fn replace_within(
    target: &Target<'_>,
    path: &FieldPath,
    changes: &mut [(Range<usize>, &str)],
    out: &mut Vec<Splice>,
) -> Result<(), EditError> {
    let outside = |changes: &[(Range<usize>, &str)]| EditError::NotWithin {
        path: path.clone(),
        range: changes.first().map_or(0..0, |(range, _)| range.clone()),
    };
    if target.is_alias() {
        return Err(EditError::Aliased(path.clone()));
    }
    let old = target.node.as_str().ok_or_else(|| outside(changes))?;
    let new = expect::replaced(old, changes).ok_or_else(|| outside(changes))?;
    match in_place(target, old, &new, changes) {
        Some(splices) => out.extend(splices),
        None => out.push(target.set_string(&new)),
    }
    Ok(())
}

/// The changes of a string, within its quotes or its block; `None` where they do not fit there.
fn in_place(
    target: &Target<'_>,
    old: &str,
    new: &str,
    changes: &[(Range<usize>, &str)],
) -> Option<Vec<Splice>> {
    let text = target.source.text;
    let span = &target.node.span;
    let decoded = decode::decode(text, span, old)?;
    let form = decode::form(target.written());
    let indent = match form {
        Form::Literal => decode::block_indent(text, span, old)?,
        _ => 0,
    };
    let mut splices = Vec::new();
    for (range, change) in changes {
        let change = match form {
            Form::Plain if emit::is_plain(new, target.in_flow) => (*change).to_owned(),
            Form::Single if emit::is_single(change) => change.replace('\'', "''"),
            Form::Double => emit::escaped(change),
            Form::Literal if change.chars().all(|c| c == '\n' || c >= ' ') => {
                change.replace('\n', &format!("{}{}", target.newline(), " ".repeat(indent)))
            }
            Form::Folded if !change.contains(['\n', ' ', '\t']) && !change.is_empty() => (*change).to_owned(),
            _ => return None,
        };
        splices.push(Splice {
            range: decoded.source(range),
            text: change,
        });
    }
    // What comes out is followed once more, for a change can turn into something else beside its neighbours.
    let mut scalar = String::new();
    let mut at = span.start;
    for splice in &splices {
        scalar.push_str(text.get(at..splice.range.start)?);
        scalar.push_str(&splice.text);
        at = splice.range.end;
    }
    scalar.push_str(text.get(at..gap::next_line(text, span.end).max(at))?);
    let end = scalar.len() - (gap::next_line(text, span.end).max(at) - span.end.max(at));
    decode::decode(&scalar, &(0..end), new)?;
    Some(splices)
}

fn is_json(document: &Document, text: &str) -> bool {
    let source = text.get(document.root.span.clone()).unwrap_or("");
    source.starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(source).is_ok()
}
