//! Changing a text without touching the rest of it.

use std::ops::Range;

use crate::diag::Edit;
use crate::diag::Severity;
use crate::path::FieldPath;
use crate::path::Segment;

use super::Node;
use super::Stream;
use super::expect;
use super::read;
use super::splice;
use super::splice::Splice;

/// Why edits cannot be applied. None of them has been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The texts of objects have no places: they were not read with the YAML reader.
    #[error("the document has no places in a text")]
    NoPlaces,
    /// There is no such document.
    #[error("there is no document {0}")]
    NoDocument(usize),
    /// There is no such field, or it is nothing that can be changed in this way.
    #[error("`{0}` is not there")]
    Missing(FieldPath),
    /// The field is written elsewhere, and repeated here by an alias or a merge key.
    #[error("`{0}` comes from an alias or a merge key")]
    Aliased(FieldPath),
    /// The value is no string, or has no such bytes.
    #[error("`{path}` is no string with bytes {} to {}", range.start, range.end)]
    NotWithin {
        /// Which field.
        path: FieldPath,
        /// Which bytes.
        range: Range<usize>,
    },
    /// The new name is taken.
    #[error("`{path}` cannot be renamed: there is another `{key}`")]
    Exists {
        /// Which field.
        path: FieldPath,
        /// The new name.
        key: String,
    },
    /// Two edits change the same bytes.
    #[error("two edits change bytes {} to {}", .0.start, .0.end)]
    Conflict(Range<usize>),
    /// The text that came out does not say what the edits say: an anchor, a tag or a comment is in their way.
    #[error("the layout of the text is in the way of the edits")]
    Layout,
}

/// Collects edits of one text, for any of its documents, and applies them together.
///
/// Every path is one of the text before the edits. Comments, indentation, quotes and everything that no edit is about
/// stay as they are. Equal edits count once.
///
/// # Example: as many fixes as fit together
///
/// ```
/// # #[cfg(feature = "yaml")] {
/// use kmm_core::diag::Edit;
/// use kmm_core::document::{Limits, read};
/// use kmm_core::path::FieldPath;
///
/// let text = "kind: A # what\nliteral: 5.10 # the kernel\nold: 1\n";
/// let stream = read(text, &Limits::default());
/// let mut editor = stream.editor(text);
/// let set = Edit::SetString { path: FieldPath::of("literal"), value: "5.10".into() };
/// editor.add(0, &FieldPath::root(), &[set]).unwrap();
/// editor.add(0, &FieldPath::root(), &[Edit::Remove { path: FieldPath::of("old") }]).unwrap();
/// let other = Edit::SetString { path: FieldPath::of("literal"), value: "6".into() };
/// assert!(editor.add(0, &FieldPath::root(), &[other]).is_err());
/// assert_eq!(editor.finish().unwrap(), "kind: A # what\nliteral: \"5.10\" # the kernel\n");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Editor<'a> {
    stream: &'a Stream,
    text: &'a str,
    /// The edits with whole paths, by document.
    edits: Vec<(Option<usize>, Vec<Edit>)>,
}

impl Stream {
    /// Begins to edit `text`, the text that this was read from.
    pub fn editor<'a>(&'a self, text: &'a str) -> Editor<'a> {
        Editor {
            stream: self,
            text,
            edits: Vec::new(),
        }
    }
}

impl Editor<'_> {
    /// Adds the edits of one fix, whose paths begin at `base` in document `document`: all of them, or none. Edits of the
    /// source alone need no document.
    ///
    /// # Errors
    ///
    /// When a field is not there or cannot be changed where it stands, or when the edits are in conflict with each
    /// other or with those that were added before. The editor is as it was, then.
    pub fn add(
        &mut self,
        document: impl Into<Option<usize>>,
        base: &FieldPath,
        edits: &[Edit],
    ) -> Result<(), EditError> {
        let document = document.into();
        let before = self.edits.clone();
        let place = match self.edits.iter().position(|(index, _)| *index == document) {
            Some(place) => place,
            None => {
                self.edits.push((document, Vec::new()));
                self.edits.len() - 1
            }
        };
        for edit in edits {
            let edit = self.quoted(document, based(edit, base));
            if let Some((_, known)) = self.edits.get_mut(place)
                && !known.contains(&edit)
            {
                known.push(edit);
            }
        }
        let outcome = self.splices().map(|_| ());
        if outcome.is_err() {
            self.edits = before;
        }
        outcome
    }

    /// The text with every edit applied.
    ///
    /// What comes out is read again: every value that an edit names is as the edit says, and every other one as it was.
    ///
    /// # Errors
    ///
    /// [`EditError::Layout`] where that is not so.
    pub fn finish(&self) -> Result<String, EditError> {
        let splices = self.splices()?;
        let mut out = String::with_capacity(self.text.len());
        let mut at = 0;
        for Splice { range, text } in &splices {
            out.push_str(self.text.get(at..range.start).ok_or(EditError::Layout)?);
            out.push_str(text);
            at = range.end;
        }
        out.push_str(self.text.get(at..).ok_or(EditError::Layout)?);
        if splices.is_empty() || self.reads_as_meant(&out) {
            Ok(out)
        } else {
            Err(EditError::Layout)
        }
    }

    /// A scalar to quote, as the string that stands in the source.
    fn quoted(&self, document: Option<usize>, edit: Edit) -> Edit {
        let Edit::QuoteScalar { path } = &edit else {
            return edit;
        };
        let document = document.and_then(|document| self.stream.documents.get(document));
        let node = document.and_then(|document| document.root.at(path));
        match node.and_then(|node| self.text.get(node.span.clone())) {
            // An alias is no scalar of its own: its anchor is what has to be quoted.
            Some(text) if text.starts_with('*') => edit,
            Some(text) => Edit::SetString {
                path: path.clone(),
                value: text.to_owned(),
            },
            None => edit,
        }
    }

    fn splices(&self) -> Result<Vec<Splice>, EditError> {
        let mut splices = Vec::new();
        for (index, edits) in &self.edits {
            splice::of_source(self.text, edits, &mut splices)?;
            if let Some(index) = *index {
                let document = self.stream.documents.get(index);
                let document = document.ok_or(EditError::NoDocument(index))?;
                splice::of(document, self.text, edits, &mut splices)?;
            } else if let Some(path) = edits.iter().find_map(path_of) {
                return Err(EditError::Missing(path.clone()));
            }
        }
        splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
        splices.dedup();
        for pair in splices.windows(2) {
            let [a, b] = pair else { continue };
            if b.range.start < a.range.end || a.range.start == b.range.start {
                return Err(EditError::Conflict(a.range.start..a.range.end.max(b.range.end)));
            }
        }
        Ok(splices)
    }

    fn reads_as_meant(&self, out: &str) -> bool {
        let mut limits = self.stream.limits.clone();
        limits.bytes = limits.bytes.max(out.len());
        let again = read(out, &limits);
        let errors = |stream: &Stream| {
            let severity = stream.findings.iter().map(|found| found.diagnostic.severity);
            severity.filter(|severity| *severity == Severity::Error).count()
        };
        if errors(&again) > errors(self.stream) {
            return false;
        }
        let source = |edit: &Edit| matches!(edit, Edit::ReplaceSource { .. });
        if self.edits.iter().any(|(_, edits)| edits.iter().any(source)) {
            // What bytes of the source mean is not known beforehand.
            return true;
        }
        if again.documents.len() != self.stream.documents.len() {
            return false;
        }
        let pairs = self.stream.documents.iter().zip(&again.documents);
        pairs.enumerate().all(|(index, (old, new))| {
            let edits = self.edits.iter().find(|(document, _)| *document == Some(index));
            match edits {
                Some((_, edits)) => {
                    expect::after(&old.root, edits).is_some_and(|root| root.same_value(&new.root))
                }
                None => old.root.same_value(&new.root),
            }
        })
    }
}

/// The path that an edit is about; none for the source.
pub(super) fn path_of(edit: &Edit) -> Option<&FieldPath> {
    match edit {
        Edit::SetString { path, .. }
        | Edit::SetStrings { path, .. }
        | Edit::RenameKey { path, .. }
        | Edit::Remove { path }
        | Edit::QuoteScalar { path }
        | Edit::ReplaceWithin { path, .. } => Some(path),
        Edit::ReplaceSource { .. } => None,
    }
}

/// The place among `node`'s own children that `segment` names.
pub(super) fn child(node: &Node, segment: &Segment) -> Option<usize> {
    match segment {
        Segment::Field(name) => node
            .as_mapping()?
            .entries
            .iter()
            .rposition(|entry| entry.key == *name),
        Segment::Index(index) => node.as_sequence()?.get(*index).map(|_| *index),
    }
}

fn based(edit: &Edit, base: &FieldPath) -> Edit {
    let mut edit = edit.clone();
    match &mut edit {
        Edit::SetString { path, .. }
        | Edit::SetStrings { path, .. }
        | Edit::RenameKey { path, .. }
        | Edit::Remove { path }
        | Edit::QuoteScalar { path }
        | Edit::ReplaceWithin { path, .. } => *path = base.join(path),
        Edit::ReplaceSource { .. } => {}
    }
    edit
}
