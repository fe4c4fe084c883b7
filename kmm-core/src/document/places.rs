//! From a field to the bytes of the source.

use std::ops::Range;

use crate::diag::Part;
use crate::path::FieldPath;
use crate::path::Segment;

use super::Document;
use super::Entry;
use super::Node;
use super::decode;
use super::gap;

impl Document {
    /// The bytes of `text`, the source of this document, that `part` of the field at `path` takes.
    ///
    /// A field that is not there is shown by the key of the nearest one around it that is. What an alias repeats is
    /// shown where it is written, and the aliased value itself by its alias. Empty at 0 where nothing has a place.
    ///
    /// # Example: a word in a string
    ///
    /// ```
    /// # #[cfg(feature = "yaml")] {
    /// use kmm_core::diag::Part;
    /// use kmm_core::document::{Limits, read};
    /// use kmm_core::path::FieldPath;
    ///
    /// let text = "spec:\n  file: |\n    FROM a\n    RUN b\n";
    /// let document = &read(text, &Limits::default()).documents[0];
    /// let found = document.locate(&FieldPath::of("spec.file"), &Part::Within(11..12), text);
    /// assert_eq!(&text[found], "b");
    /// # }
    /// ```
    pub fn locate(&self, path: &FieldPath, part: &Part, text: &str) -> Range<usize> {
        let range = match part {
            Part::Source(range) => range.clone(),
            Part::Key | Part::Value | Part::Within(_) => match find(&self.root, path) {
                Ok((_, Some(entry))) if *part == Part::Key => entry.key_span.clone(),
                Ok((node, entry)) => value(node, entry, part, text),
                Err(Some(entry)) => entry.key_span.clone(),
                Err(None) => self.head(text),
            },
        };
        bounded(text, range)
    }

    /// The first line of what the document holds.
    fn head(&self, text: &str) -> Range<usize> {
        let start = self.root.span.start;
        start..gap::line_end(text, start).min(self.root.span.end).max(start)
    }
}

/// The node at `path` and the entry that it is the value of, or the innermost entry on the way to it.
fn find<'a>(root: &'a Node, path: &FieldPath) -> Result<(&'a Node, Option<&'a Entry>), Option<&'a Entry>> {
    let mut node = root;
    let mut entry = None;
    let mut around = None;
    for segment in path.segments() {
        (node, entry) = match segment {
            Segment::Field(name) => {
                let found = node
                    .as_mapping()
                    .and_then(|mapping| mapping.entry(name))
                    .ok_or(around)?;
                (&found.value, Some(found))
            }
            Segment::Index(index) => {
                let items = node.as_sequence().ok_or(around)?;
                (items.get(*index).ok_or(around)?, None)
            }
        };
        around = entry.or(around);
    }
    Ok((node, entry))
}

fn value(node: &Node, entry: Option<&Entry>, part: &Part, text: &str) -> Range<usize> {
    if let Part::Within(range) = part
        && let Some(value) = node.as_str()
        && let Some(decoded) = decode::decode(text, &node.span, value)
    {
        return decoded.source(range);
    }
    match entry {
        // Nothing is written for the value: its key is all there is to show.
        Some(entry) if node.span.is_empty() => entry.key_span.clone(),
        _ => node.span.clone(),
    }
}

fn bounded(text: &str, range: Range<usize>) -> Range<usize> {
    let down = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = down(range.start.min(text.len()));
    let mut end = range.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
