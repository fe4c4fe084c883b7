//! Reading a text into documents.

use std::ops::Range;

use crate::diag::Diagnostic;
use crate::diag::Part;
#[cfg(feature = "yaml")]
use crate::diag::RuleText;
use crate::path::FieldPath;

use super::Entry;
use super::Limits;
use super::Mapping;
use super::Node;
use super::Value;
use super::duplicates;
use super::rules;
use super::separator;

/// What a text holds: its documents, and what is wrong with it as a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// The documents that hold something, in order.
    pub documents: Vec<Document>,
    /// What was found, in the order of the text.
    pub findings: Vec<Found>,
    pub(super) limits: Limits,
}

/// One document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it holds.
    pub root: Node,
    /// Bytes of the source text that it takes, with its `---` line; empty where there are no places.
    pub span: Range<usize>,
}

/// A finding, and whose it is. Its part is always [`Part::Source`], its path is one from the root of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The document, by its place in [`Stream::documents`]; `None` where it could not be read.
    pub document: Option<usize>,
    /// The finding.
    pub diagnostic: Diagnostic,
}

/// Reads every document of `text`, YAML or JSON.
///
/// Never fails: what cannot be read is a finding, and the other documents are there all the same. Values are what
/// Kubernetes clients make of them, see [`resolve_scalar`](super::resolve_scalar). Without the feature `yaml` only
/// JSON is read, and nothing has a place.
///
/// # Example: two documents, one fault
///
/// ```
/// # #[cfg(feature = "yaml")] {
/// use kmm_core::document::{Limits, read};
///
/// let text = "kind: A\nkind: B\napiVersion: v1\n---\nkind: C\napiVersion: v1\n";
/// let stream = read(text, &Limits::default());
/// assert_eq!(stream.documents.len(), 2);
/// assert_eq!(stream.documents[1].root.get("kind").unwrap().as_str(), Some("C"));
/// assert_eq!(stream.findings[0].diagnostic.code, "KMM0002");
/// # }
/// ```
pub fn read(text: &str, limits: &Limits) -> Stream {
    let mut out = Collector::new(text, limits);
    if let Some(finding) = unreadable(text, limits) {
        out.find(finding);
        return out.into_stream();
    }
    #[cfg(feature = "yaml")]
    {
        super::yaml::read(text, limits, &mut out);
        // JSON allows what YAML does not, long keys and `\u{7f}` among them. It has no places then.
        if out.found(&rules::SYNTAX) && is_json(text) {
            let mut plain = Collector::new(text, limits);
            super::json::read(text, &mut plain);
            if !plain.found(&rules::SYNTAX) {
                out = plain;
            }
        }
    }
    #[cfg(not(feature = "yaml"))]
    super::json::read(text, &mut out);
    out.into_stream()
}

/// The text that `bytes` are.
///
/// # Errors
///
/// A finding `KMM0005` where they are not UTF-8, at the first byte that is not.
///
/// # Example: a byte that is no text
///
/// ```
/// let found = kmm_core::document::decode(b"kind: \xff").unwrap_err();
/// assert_eq!(found.code, "KMM0005");
/// ```
pub fn decode(bytes: &[u8]) -> Result<&str, Box<Diagnostic>> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let message = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16, not UTF-8".to_owned(),
            _ => format!(
                "byte {at} (0x{:02x}) is not UTF-8",
                bytes.get(at).copied().unwrap_or(0)
            ),
        };
        let finding = rules::NOT_TEXT.finding(FieldPath::root(), message);
        Box::new(
            finding
                .at(Part::Source(at..at + 1))
                .with_help("save the file as UTF-8"),
        )
    })
}

/// Why nothing of `text` is read.
fn unreadable(text: &str, limits: &Limits) -> Option<Diagnostic> {
    let root = FieldPath::root();
    if text.len() > limits.bytes {
        let message = format!(
            "the text has {} bytes; at most {} are read",
            text.len(),
            limits.bytes
        );
        return Some(rules::LIMIT.finding(root, message).at(Part::Source(0..0)));
    }
    let json = is_json(text);
    let (at, found) = text.char_indices().find(|(at, c)| !is_printable(*c, *at, json))?;
    let finding = match found {
        '\0' => rules::NOT_TEXT.finding(root, "the file is binary: it holds a NUL byte"),
        other => rules::NOT_TEXT.finding(
            root,
            format!("the character U+{:04X} may not stand in YAML", other as u32),
        ),
    };
    Some(finding.at(Part::Source(at..at + found.len_utf8())))
}

/// Whether `text` begins as JSON objects do.
fn is_json(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
        .starts_with(['{', '['])
}

fn is_printable(c: char, at: usize, json: bool) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' => true,
        '\u{feff}' => at == 0 || json,
        '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => json,
        other => other >= '\u{a0}',
    }
}

/// Takes documents and findings while a text is read.
pub(super) struct Collector<'t> {
    text: &'t str,
    limits: &'t Limits,
    seen: usize,
    stream: Stream,
}

impl<'t> Collector<'t> {
    fn new(text: &'t str, limits: &'t Limits) -> Self {
        let stream = Stream {
            documents: Vec::new(),
            findings: Vec::new(),
            limits: limits.clone(),
        };
        Self {
            text,
            limits,
            seen: 0,
            stream,
        }
    }

    fn into_stream(mut self) -> Stream {
        self.stream.findings.truncate(self.limits.findings);
        self.stream
    }

    /// Whether there is a finding of this kind.
    #[cfg(feature = "yaml")]
    fn found(&self, rule: &RuleText) -> bool {
        let findings = &self.stream.findings;
        findings.iter().any(|found| found.diagnostic.code == rule.code)
    }

    /// Whether another document may come.
    pub(super) fn has_room(&mut self) -> bool {
        self.seen += 1;
        self.seen <= self.limits.documents
    }

    /// Takes a finding about no document.
    pub(super) fn find(&mut self, diagnostic: Diagnostic) {
        self.add(None, diagnostic);
    }

    /// Takes a document that was read to its end.
    pub(super) fn document(&mut self, root: Option<Node>, span: Range<usize>, findings: Vec<Diagnostic>) {
        let index = self.stream.documents.len();
        let root = root.filter(|root| root.value != Value::Null);
        let owner = root.is_some().then_some(index);
        for finding in findings {
            self.add(owner, finding);
        }
        let Some(root) = root else {
            return;
        };
        let block = !self
            .text
            .get(root.span.clone())
            .is_some_and(|text| text.starts_with('{'));
        match root.value {
            Value::Mapping(mapping) if block => {
                let parts = separator::split(self.text, mapping.entries);
                let last = parts.len().saturating_sub(1);
                let mut start = span.start;
                for (i, part) in parts.into_iter().enumerate() {
                    let end = if i == last {
                        span.end
                    } else {
                        part_end(&part, span.end)
                    };
                    let root_span = if last == 0 {
                        root.span.clone()
                    } else {
                        part_start(&part, start)..end
                    };
                    self.object(part, root_span, start..end, i > 0);
                    start = end;
                }
            }
            Value::Mapping(mapping) => self.object(mapping.entries, root.span, span, false),
            value => {
                let what = match value {
                    Value::Sequence(_) => "a list",
                    _ => "a scalar",
                };
                let finding = rules::NOT_AN_OBJECT.finding(
                    FieldPath::root(),
                    format!("the document is {what}, not an object"),
                );
                self.add(
                    Some(index),
                    finding.at(Part::Source(first_line(self.text, &root.span))),
                );
                let root = Node {
                    value,
                    span: root.span,
                };
                self.stream.documents.push(Document { root, span });
            }
        }
    }

    /// Takes what there is of a document that could not be read to its end: the objects before its last.
    #[cfg(feature = "yaml")]
    pub(super) fn unfinished(&mut self, mut builder: super::build::Builder<'_>, start: usize) {
        let findings = std::mem::take(&mut builder.findings);
        let mut parts = separator::split(self.text, builder.into_unfinished().unwrap_or_default());
        let broken = parts.pop().unwrap_or_default();
        let hidden = !parts.is_empty();
        let mut start = start;
        for (i, part) in parts.into_iter().enumerate() {
            let end = part_end(&part, self.text.len());
            let root_span = part_start(&part, start)..end;
            self.object(part, root_span, start..end, i > 0);
            start = end;
        }
        if hidden {
            self.separate(None, &broken);
        }
        for finding in findings {
            self.add(None, finding);
        }
    }

    fn object(&mut self, entries: Vec<Entry>, root_span: Range<usize>, span: Range<usize>, hidden: bool) {
        let index = self.stream.documents.len();
        if hidden {
            self.separate(Some(index), &entries);
        }
        let mut found = Vec::new();
        duplicates::find(self.text, &FieldPath::root(), &entries, &mut found);
        for finding in found {
            self.add(Some(index), finding);
        }
        let root = Node {
            value: Value::Mapping(Mapping { entries }),
            span: root_span,
        };
        self.stream.documents.push(Document { root, span });
    }

    fn separate(&mut self, document: Option<usize>, entries: &[Entry]) {
        if let Some(first) = entries.first() {
            self.add(document, separator::finding(self.text, first));
        }
    }

    fn add(&mut self, document: Option<usize>, diagnostic: Diagnostic) {
        if self.stream.findings.len() < self.limits.findings {
            self.stream.findings.push(Found { document, diagnostic });
        }
    }
}

fn part_start(part: &[Entry], otherwise: usize) -> usize {
    part.first().map_or(otherwise, |entry| entry.key_span.start)
}

/// Where a part ends: with its last value.
fn part_end(part: &[Entry], otherwise: usize) -> usize {
    part.last()
        .map_or(otherwise, |entry| entry.value.span.end.max(entry.key_span.end))
}

/// The first line of what `span` covers.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    span.start
        ..super::gap::line_end(text, span.start)
            .min(span.end)
            .max(span.start)
}
