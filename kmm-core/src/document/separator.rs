//! Two objects in one document: where a `---` is missing.

use std::ops::Range;

use crate::diag::Diagnostic;
use crate::diag::Edit;
use crate::diag::Part;
use crate::path::FieldPath;

use super::Entry;
use super::duplicates;
use super::gap;
use super::rules;

/// Parts the entries of a document into those of its objects: a new one begins where `apiVersion` or `kind` stands
/// again, and the other one follows before a third.
pub(super) fn split(text: &str, entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut starts = Vec::new();
    let mut seen: [bool; 2] = [false; 2];
    let heads: Vec<(usize, usize)> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| !duplicates::is_merged(text, entry))
        .filter_map(|(i, entry)| Some((i, head(&entry.key)?)))
        .collect();
    for (n, (i, which)) in heads.iter().enumerate() {
        let follows = heads.get(n + 1).is_some_and(|(_, next)| next != which);
        if seen == [true; 2] && follows {
            starts.push(*i);
            seen = [false; 2];
        }
        seen[*which] = true;
    }
    let mut parts = Vec::with_capacity(starts.len() + 1);
    let mut rest = entries;
    for start in starts.into_iter().rev() {
        parts.push(rest.split_off(start));
    }
    parts.push(rest);
    parts.reverse();
    parts
}

/// The finding about the object that begins with `first`, which the document around it hides.
pub(super) fn finding(text: &str, first: &Entry) -> Diagnostic {
    let at = before(text, first.key_span.start);
    let newline = if text.get(..at).is_some_and(|front| front.ends_with("\r\n")) {
        "\r\n"
    } else {
        "\n"
    };
    rules::MISSING_SEPARATOR
        .finding(
            FieldPath::root(),
            "a second object begins here, without a line `---` before it",
        )
        .at(Part::Source(first.key_span.clone()))
        .with_help("put a line `---` before it")
        .with_fix([Edit::ReplaceSource {
            range: at..at,
            text: format!("---{newline}"),
        }])
}

/// Where the `---` belongs: before the line of byte `at`, and before the comment lines right above it.
pub(super) fn before(text: &str, at: usize) -> usize {
    let mut start = gap::line_start(text, at);
    while start > 0 {
        let above: Range<usize> = gap::line_start(text, line_break_before(text, start))..start;
        match text.get(above.clone()) {
            Some(line) if line.starts_with('#') => start = above.start,
            _ => break,
        }
    }
    start
}

/// The byte before the line end that ends right before `start`.
fn line_break_before(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    match (
        start.checked_sub(2).map(|i| bytes[i]),
        start.checked_sub(1).map(|i| bytes[i]),
    ) {
        (Some(b'\r'), Some(b'\n')) => start - 2,
        _ => start.saturating_sub(1),
    }
}

fn head(key: &str) -> Option<usize> {
    match key {
        "apiVersion" => Some(0),
        "kind" => Some(1),
        _ => None,
    }
}
