//! What is wrong with an object: as data, without source text, lines or colours.

use std::fmt;
use std::ops::Range;

use crate::path::FieldPath;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; may well be meant.
    Note,
    /// Most likely not meant, or dangerous.
    Warning,
    /// Wrong: it is refused, or cannot do what it says.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Which part of the field at a path is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The value.
    #[default]
    Value,
    /// The name of the field, or the key of the map.
    Key,
    /// Bytes of the string that the value is, after quotes, escapes and block indentation are undone.
    Within(Range<usize>),
    /// Bytes of the source text: for faults that are in no field, such as broken YAML.
    Source(Range<usize>),
}

/// Another place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Which field.
    pub path: FieldPath,
    /// Which part of the field.
    pub part: Part,
    /// What is there, in a few words.
    pub message: String,
}

/// What is fixed about a kind of finding: its code, and what there is to say about it in general.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// Stable code: `KMM` and four digits.
    pub code: &'static str,
    /// Stable name, in words with hyphens.
    pub name: &'static str,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// The long text of `kmm validate --explain`: what it finds, why it matters, an example, what to do. Markdown.
    pub explanation: &'static str,
    /// The worst severity that it reports.
    pub severity: Severity,
}

impl RuleText {
    /// A finding of this kind about the value at `path`, with its worst severity.
    pub fn finding(&self, path: FieldPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.code, self.severity, path, message)
    }
}

/// One finding.
///
/// # Example: a finding with help
///
/// ```
/// use kmm_core::diag::{Diagnostic, Severity};
/// use kmm_core::path::FieldPath;
///
/// let found = Diagnostic::new("KMM1004", Severity::Warning, FieldPath::of("spec.x"), "`x` is odd")
///     .with_help("remove it");
/// assert_eq!(found.to_string(), "warning[KMM1004]: spec.x: `x` is odd");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Stable code of the rule, `KMM` and four digits.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether the CRD schema or the webhook of the Go operator refuses the object for it.
    pub admission: bool,
    /// What is wrong, in one line, lower case, no full stop.
    pub message: String,
    /// Which field.
    pub path: FieldPath,
    /// Which part of the field.
    pub part: Part,
    /// Other places that belong to it: the first of two duplicates, for one.
    pub related: Vec<Related>,
    /// What to change, in one line.
    pub help: Option<String>,
    /// The change itself, where one is known.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding about the value at `path`.
    pub fn new(code: &'static str, severity: Severity, path: FieldPath, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            admission: false,
            message: message.into(),
            path,
            part: Part::Value,
            related: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// This finding, as one for which the object is refused.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.admission = true;
        self
    }

    /// This finding, about another part of the field.
    #[must_use]
    pub fn at(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    /// This finding, as one of another severity.
    #[must_use]
    pub fn as_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// This finding, with another place that belongs to it.
    #[must_use]
    pub fn with_related(mut self, path: FieldPath, part: Part, message: impl Into<String>) -> Self {
        let message = message.into();
        self.related.push(Related { path, part, message });
        self
    }

    /// This finding, with what to change.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// This finding, with a safe change.
    #[must_use]
    pub fn with_fix(mut self, edits: impl IntoIterator<Item = Edit>) -> Self {
        self.fix = Some(Fix {
            edits: edits.into_iter().collect(),
            safe: true,
        });
        self
    }

    /// This finding, with the change that was most likely meant, but that alters what the Module does.
    #[must_use]
    pub fn with_suggestion(mut self, edits: impl IntoIterator<Item = Edit>) -> Self {
        self.fix = Some(Fix {
            edits: edits.into_iter().collect(),
            safe: false,
        });
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: ", self.severity, self.code)?;
        if !self.path.segments().is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// A change that mends a finding: every edit of it, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// The edits, none of which touches what another one does.
    pub edits: Vec<Edit>,
    /// Whether every kernel gets the same as before: the same mapping, image and commands.
    pub safe: bool,
}

/// One change of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Puts a scalar string in the place of the value; quoted as it was before, or as it needs to be.
    SetString {
        /// Which value.
        path: FieldPath,
        /// The new string.
        value: String,
    },
    /// Puts a list of strings in the place of the value.
    SetStrings {
        /// Which value.
        path: FieldPath,
        /// The new list.
        values: Vec<String>,
    },
    /// Puts quotes round a scalar, so that the text that stands in the source is the string: `5.10`, not 5.1.
    QuoteScalar {
        /// Which value.
        path: FieldPath,
    },
    /// Gives a field or key another name.
    RenameKey {
        /// Which field, with its old name.
        path: FieldPath,
        /// The new name.
        key: String,
    },
    /// Removes a field, or an element of a list.
    Remove {
        /// Which one.
        path: FieldPath,
    },
    /// Replaces bytes of a string value.
    ReplaceWithin {
        /// Which value.
        path: FieldPath,
        /// Which bytes of the string that it is.
        range: Range<usize>,
        /// What comes in their place.
        text: String,
    },
    /// Replaces bytes of the source text.
    ReplaceSource {
        /// Which bytes.
        range: Range<usize>,
        /// What comes in their place.
        text: String,
    },
}
