//! From the events of a YAML parser to a tree: aliases, merge keys, places.

use std::collections::HashMap;
use std::ops::Range;

use crate::diag::Diagnostic;
use crate::diag::Part;
use crate::diag::Severity;
use crate::path::FieldPath;

use super::Entry;
use super::Limits;
use super::Mapping;
use super::Node;
use super::Scalar;
use super::Value;
use super::duplicates;
use super::gap;
use super::resolve_scalar;
use super::rules;
use super::scalar;

/// What one value takes of the budget for aliases, beside the bytes of its text.
const VALUE_COST: usize = 32;

/// Builds the tree of one document.
pub(super) struct Builder<'t> {
    text: &'t str,
    limits: &'t Limits,
    frames: Vec<Frame>,
    anchors: HashMap<usize, Option<Built>>,
    expansion: usize,
    /// Where the last thing that was read ended.
    floor: usize,
    /// Where the last block scalar ended, for the help of a syntax error.
    pub(super) block_end: Option<usize>,
    pub(super) root: Option<Node>,
    pub(super) findings: Vec<Diagnostic>,
}

/// Reading the document cannot go on.
pub(super) struct Stop;

/// A value, with what it takes.
#[derive(Clone)]
struct Built {
    node: Node,
    cost: usize,
    height: usize,
}

struct Frame {
    content: Content,
    flow: bool,
    start: Option<usize>,
    end: usize,
    anchor: usize,
    cost: usize,
    height: usize,
}

enum Content {
    Items(Vec<Node>),
    Entries(Vec<Entry>, Option<Key>),
}

enum Key {
    Name(String, Range<usize>),
    Merge(Range<usize>),
    /// One that was refused; its value is dropped.
    Refused,
}

/// How a scalar is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    Block,
}

/// A tag that go-yaml knows, or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    None,
    Core(&'static str),
    Unknown,
}

impl<'t> Builder<'t> {
    /// A builder of the document whose content starts at `floor`.
    pub(super) fn new(text: &'t str, limits: &'t Limits, floor: usize) -> Self {
        Self {
            text,
            limits,
            frames: Vec::new(),
            anchors: HashMap::new(),
            expansion: 0,
            floor,
            block_end: None,
            root: None,
            findings: Vec::new(),
        }
    }

    /// The entries of an unfinished block mapping at the top, where reading stopped.
    pub(super) fn into_unfinished(mut self) -> Option<Vec<Entry>> {
        if self.frames.is_empty() {
            return None;
        }
        let bottom = self.frames.swap_remove(0);
        match bottom.content {
            Content::Entries(entries, _) if !bottom.flow => Some(entries),
            _ => None,
        }
    }

    pub(super) fn open(
        &mut self,
        mapping: bool,
        flow: bool,
        at: Range<usize>,
        anchor: usize,
    ) -> Result<(), Stop> {
        self.enter(at.start);
        if self.frames.len() >= self.limits.depth.min(120) {
            let message = format!("values are nested more than {} deep", self.limits.depth.min(120));
            return Err(self.stop(&rules::LIMIT, at, message));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        let content = if mapping {
            Content::Entries(Vec::new(), None)
        } else {
            Content::Items(Vec::new())
        };
        if flow {
            self.floor = at.end;
        }
        self.frames.push(Frame {
            content,
            flow,
            start: flow.then_some(at.start),
            end: at.end,
            anchor,
            cost: VALUE_COST,
            height: 1,
        });
        Ok(())
    }

    pub(super) fn close(&mut self, at: Range<usize>) -> Result<(), Stop> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let mut span = frame.start.unwrap_or(at.start)..frame.end;
        if frame.flow {
            span.end = at.end;
            self.floor = at.end;
        }
        span.end = span.end.max(span.start);
        let value = match frame.content {
            Content::Items(items) => Value::Sequence(items),
            Content::Entries(entries, _) => {
                // Two objects in one document repeat keys too: that is seen when the root is complete.
                if !self.frames.is_empty() && duplicates::any(&entries) {
                    duplicates::find(self.text, &self.path(), &entries, &mut self.findings);
                }
                Value::Mapping(Mapping { entries })
            }
        };
        let built = Built {
            node: Node { value, span },
            cost: frame.cost,
            height: frame.height,
        };
        self.complete(built, frame.anchor)
    }

    pub(super) fn scalar(
        &mut self,
        decoded: &str,
        style: Style,
        mut at: Range<usize>,
        anchor: usize,
        tag: Tag,
    ) -> Result<(), Stop> {
        self.enter(at.start);
        let absent = style == Style::Plain && at.is_empty();
        if absent && tag == Tag::None && anchor == 0 {
            let colon = gap::colon(self.text, self.floor..self.text.len());
            let at_key = self.frames.last().is_some_and(|frame| match &frame.content {
                Content::Entries(_, key) => key.is_some(),
                Content::Items(_) => false,
            });
            let place = colon.filter(|_| at_key).map_or(self.floor, |colon| colon + 1);
            at = place..place;
        }
        let content_end = at.end;
        if style == Style::Block {
            at.start = gap::block(self.text, self.floor..at.start).unwrap_or(at.start);
            let header_end = gap::line_end(self.text, at.start);
            let header = self.text.get(at.start..header_end).unwrap_or("");
            let keep = header
                .split_whitespace()
                .next()
                .is_some_and(|head| head.contains('+'));
            if !keep {
                // Blanks at the end of the last line are content, empty lines behind it are not.
                let content = self.text.get(at.clone()).unwrap_or("");
                let last = at.start + content.trim_end_matches([' ', '\t', '\n', '\r']).len();
                at.end = gap::line_end(self.text, last).min(at.end);
            }
            self.block_end = Some(content_end);
        }
        if self.is_at_key() {
            self.floor = content_end;
            return self.key(decoded, style, at, anchor, tag, absent);
        }
        let value = self.value(decoded, style, &at, tag, absent);
        self.floor = self.floor.max(content_end).max(at.end);
        let cost = VALUE_COST + decoded.len();
        let node = Node { value, span: at };
        self.complete(
            Built {
                node,
                cost,
                height: 0,
            },
            anchor,
        )
    }

    pub(super) fn alias(&mut self, target: Option<usize>, at: Range<usize>) -> Result<(), Stop> {
        self.enter(at.start);
        self.floor = at.end;
        let name = self.text.get(at.clone()).unwrap_or("").to_owned();
        let built = match target.map(|id| self.anchors.get(&id)) {
            Some(Some(Some(built))) => built,
            Some(Some(None)) => {
                let message = format!("`{name}` stands inside the value that it repeats");
                return Err(self.stop(&rules::UNKNOWN_ANCHOR, at, message));
            }
            _ => {
                self.found(
                    &rules::UNKNOWN_ANCHOR,
                    at.clone(),
                    format!("`{name}` repeats nothing: no such anchor above"),
                );
                let node = Node {
                    value: Value::Null,
                    span: at,
                };
                return self.complete(
                    Built {
                        node,
                        cost: VALUE_COST,
                        height: 0,
                    },
                    0,
                );
            }
        };
        let (cost, height) = (built.cost, built.height);
        if self.frames.len() + height > self.limits.depth.min(120) {
            let message = format!(
                "`{name}` nests values more than {} deep",
                self.limits.depth.min(120)
            );
            return Err(self.stop(&rules::LIMIT, at, message));
        }
        self.expansion = self.expansion.saturating_add(cost);
        if self.expansion > self.limits.expansion {
            let message = format!(
                "aliases add more than {} bytes to the document",
                self.limits.expansion
            );
            return Err(self.stop(&rules::LIMIT, at, message));
        }
        let mut built = built.clone();
        built.node.span = at.clone();
        if self.is_at_key() {
            let decoded = built.node.as_str().map(str::to_owned);
            return match (decoded, &built.node.value) {
                (Some(name), _) => {
                    self.set_key(Key::Name(name, at));
                    Ok(())
                }
                _ => self.complete(built, 0),
            };
        }
        self.complete(built, 0)
    }

    /// Where the value that is being read stands.
    fn path(&self) -> FieldPath {
        let mut path = FieldPath::root();
        for frame in &self.frames {
            path = match &frame.content {
                Content::Items(items) => path.index(items.len()),
                Content::Entries(_, Some(Key::Name(name, _))) => path.field(name),
                Content::Entries(_, Some(Key::Merge(_))) => path.field("<<"),
                Content::Entries(_, Some(Key::Refused) | None) => path,
            };
        }
        path
    }

    fn is_at_key(&self) -> bool {
        self.frames
            .last()
            .is_some_and(|frame| matches!(frame.content, Content::Entries(_, None)))
    }

    /// Begins a value or key: takes the dash before it, and the start of the collection around it.
    fn enter(&mut self, at: usize) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        if frame.flow {
            return;
        }
        match &frame.content {
            Content::Items(_) => {
                if let Some(dash) = gap::dash(self.text, self.floor..self.text.len().min(at + 1)) {
                    frame.start.get_or_insert(dash);
                    frame.end = dash + 1;
                    self.floor = dash + 1;
                }
            }
            Content::Entries(_, None) => {
                frame.start.get_or_insert(at);
            }
            Content::Entries(_, Some(_)) => {}
        }
    }

    fn key(
        &mut self,
        decoded: &str,
        style: Style,
        at: Range<usize>,
        anchor: usize,
        tag: Tag,
        absent: bool,
    ) -> Result<(), Stop> {
        let source = self.text.get(at.clone()).unwrap_or(decoded).to_owned();
        if anchor > 0 {
            let value = self.value(decoded, style, &at, tag, absent);
            let node = Node {
                value,
                span: at.clone(),
            };
            let cost = VALUE_COST + decoded.len();
            self.anchor(
                anchor,
                &Built {
                    node,
                    cost,
                    height: 0,
                },
                &at,
            )?;
        }
        if style == Style::Plain && decoded == "<<" && matches!(tag, Tag::None | Tag::Core("merge")) {
            self.set_key(Key::Merge(at));
            return Ok(());
        }
        let resolved = match tag {
            Tag::None if style == Style::Plain => resolve_scalar(if absent { "" } else { decoded }),
            Tag::None | Tag::Unknown => Scalar::String,
            Tag::Core("str") => Scalar::String,
            Tag::Core(_) => resolve_scalar(decoded),
        };
        let key = scalar::key_text(&resolved, decoded);
        match &key {
            Some(key) if key == decoded => {}
            Some(key) => {
                let finding = rules::KEY_NOT_STRING
                    .finding(self.path(), format!("the key `{source}` is read as `{key}`"))
                    .as_severity(Severity::Warning)
                    .at(Part::Source(at.clone()))
                    .with_help(format!("write it in quotes: `\"{source}\"`"));
                self.findings.push(finding);
            }
            None => self.found(&rules::KEY_NOT_STRING, at.clone(), "a key is not a string"),
        }
        self.set_key(key.map_or(Key::Refused, |key| Key::Name(key, at)));
        Ok(())
    }

    fn set_key(&mut self, key: Key) {
        if let Some(frame) = self.frames.last_mut() {
            if let Key::Name(name, _) = &key {
                frame.cost = frame.cost.saturating_add(name.len());
            }
            if let Content::Entries(_, slot) = &mut frame.content {
                *slot = Some(key);
            }
            frame.end = self.floor;
        }
    }

    fn value(&mut self, decoded: &str, style: Style, at: &Range<usize>, tag: Tag, absent: bool) -> Value {
        let resolved = match tag {
            Tag::None if style == Style::Plain => resolve_scalar(if absent { "" } else { decoded }),
            Tag::None | Tag::Unknown | Tag::Core("str") => Scalar::String,
            Tag::Core(name) => self.tagged(name, decoded, at),
        };
        match resolved {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Number(value.into()),
            Scalar::Uint(value) => Value::Number(value.into()),
            Scalar::String => Value::String(decoded.to_owned()),
            Scalar::Float(value) => scalar::json_float(value).map_or_else(
                || {
                    let message = format!("`{decoded}` is no number that JSON has");
                    self.found(&rules::NOT_JSON, at.clone(), message);
                    Value::String(decoded.to_owned())
                },
                Value::Number,
            ),
        }
    }

    fn tagged(&mut self, name: &str, decoded: &str, at: &Range<usize>) -> Scalar {
        if name == "binary" {
            self.found(
                &rules::TAG,
                at.clone(),
                "`!!binary` is not decoded here: write the text itself",
            );
            return Scalar::String;
        }
        let resolved = resolve_scalar(decoded);
        let fits = match resolved {
            Scalar::Null => name == "null",
            Scalar::Bool(_) => name == "bool",
            Scalar::Int(_) => matches!(name, "int" | "float"),
            Scalar::Uint(_) => name == "int",
            Scalar::Float(_) => name == "float",
            Scalar::String => name == "timestamp" && scalar::is_date(decoded),
        };
        if fits {
            return resolved;
        }
        self.found(
            &rules::TAG,
            at.clone(),
            format!("`{decoded}` does not fit the tag `!!{name}`"),
        );
        Scalar::String
    }

    fn anchor(&mut self, anchor: usize, built: &Built, at: &Range<usize>) -> Result<(), Stop> {
        self.expansion = self.expansion.saturating_add(built.cost);
        if self.expansion > self.limits.expansion {
            let message = format!(
                "anchors and aliases take more than {} bytes",
                self.limits.expansion
            );
            return Err(self.stop(&rules::LIMIT, at.clone(), message));
        }
        self.anchors.insert(anchor, Some(built.clone()));
        Ok(())
    }

    /// Puts a value where it belongs.
    fn complete(&mut self, built: Built, anchor: usize) -> Result<(), Stop> {
        if anchor > 0 {
            self.anchor(anchor, &built, &built.node.span.clone())?;
        }
        let floor = self.floor;
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(built.node);
            return Ok(());
        };
        frame.cost = frame.cost.saturating_add(built.cost);
        frame.height = frame.height.max(built.height + 1);
        frame.end = frame.end.max(built.node.span.end);
        let span = built.node.span.clone();
        match &mut frame.content {
            Content::Items(items) => items.push(built.node),
            Content::Entries(entries, key) => match key.take() {
                Some(Key::Name(name, key_span)) => entries.push(Entry {
                    key: name,
                    key_span,
                    value: built.node,
                }),
                Some(Key::Merge(key_span)) => {
                    if !merge(entries, &key_span, built.node) {
                        self.found(
                            &rules::MERGE_KEY,
                            span,
                            "`<<` takes a mapping, or a list of mappings",
                        );
                    }
                }
                Some(Key::Refused) => {}
                None => {
                    *key = Some(Key::Refused);
                    frame.end = frame.end.max(floor);
                    self.found(
                        &rules::KEY_NOT_STRING,
                        span,
                        "a list, a mapping or nothing cannot be a key",
                    );
                }
            },
        }
        Ok(())
    }

    pub(super) fn found(
        &mut self,
        rule: &crate::diag::RuleText,
        at: Range<usize>,
        message: impl Into<String>,
    ) {
        let finding = rule.finding(self.path(), message).at(Part::Source(at));
        self.findings.push(finding);
    }

    fn stop(&mut self, rule: &crate::diag::RuleText, at: Range<usize>, message: String) -> Stop {
        let finding = rule.finding(FieldPath::root(), message).at(Part::Source(at));
        self.findings.push(finding);
        Stop
    }
}

/// Puts what `<<` names among `entries`, each under the place of the `<<`; false where it is no mapping.
fn merge(entries: &mut Vec<Entry>, at: &Range<usize>, node: Node) -> bool {
    match node.value {
        Value::Mapping(mapping) => {
            entries.extend(mapping.entries.into_iter().map(|entry| Entry {
                key_span: at.clone(),
                ..entry
            }));
            true
        }
        Value::Sequence(items) if items.iter().all(|item| item.as_mapping().is_some()) => {
            // The first of the list wins, and the last entry of a mapping counts.
            items.into_iter().rev().all(|item| merge(entries, at, item))
        }
        _ => false,
    }
}
