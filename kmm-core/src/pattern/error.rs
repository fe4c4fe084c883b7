//! What is wrong with a pattern, in Go's words.

use std::fmt;
use std::ops::Range;

/// A pattern that cannot be used.
///
/// `Display` gives exactly the text of Go's `regexp.Compile`, which admission and resolver print
/// after prefixes of their own.
///
/// # Example: the text and the place
///
/// ```
/// use kmm_core::pattern::{ErrorKind, Pattern};
///
/// let error = Pattern::parse(r"^5\.14[.0-9").unwrap_err();
/// assert_eq!(error.to_string(), "error parsing regexp: missing closing ]: `[.0-9`");
/// assert_eq!(error.kind(), ErrorKind::MissingBracket);
/// assert_eq!(error.span(), 6..11);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    kind: ErrorKind,
    quoted: String,
    span: Range<usize>,
}

impl PatternError {
    pub(super) fn new(kind: ErrorKind, quoted: &str, span: Range<usize>) -> PatternError {
        PatternError {
            kind,
            quoted: quoted.to_owned(),
            span,
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// A stable name of the kind, such as `missing-bracket`.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The bytes of the source that are at fault.
    ///
    /// Where Go quotes the whole pattern (a parenthesis without partner, a pattern too large or too
    /// deep), this is narrower: the parenthesis, or the place where the limit was passed.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::EngineLimit => f.write_str(self.kind.phrase()),
            kind => write!(f, "error parsing regexp: {}: `{}`", kind.phrase(), self.quoted),
        }
    }
}

impl std::error::Error for PatternError {}

/// The kinds of [`PatternError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A range in brackets that ends before it starts, or a class name nobody knows.
    CharRange,
    /// A backslash before a letter or digit that has no meaning there.
    Escape,
    /// A group name that is empty, not closed, or has other characters than letters, digits and `_`.
    NamedCapture,
    /// What follows `(?` is not supported: look-around, conditions, unknown flags.
    PerlSyntax,
    /// A repetition of a repetition, such as `a**`.
    NestedRepetition,
    /// A repeat count above 1,000 (nested counts multiply), or a maximum below its minimum.
    RepeatCount,
    /// A `[` without `]`.
    MissingBracket,
    /// A `(` without `)`.
    MissingParenthesis,
    /// A repetition with nothing before it.
    MissingRepeatArgument,
    /// A backslash at the end.
    TrailingBackslash,
    /// A `)` without `(`.
    UnexpectedParenthesis,
    /// More than 1,000 levels.
    NestingDepth,
    /// Larger than Go compiles.
    TooLarge,
    /// Go accepts the pattern, but it compiles to more than this engine gives to one pattern.
    ///
    /// Such a pattern is refused here and only here; whatever is accepted matches as Go does.
    EngineLimit,
}

impl ErrorKind {
    fn code(self) -> &'static str {
        match self {
            ErrorKind::CharRange => "char-range",
            ErrorKind::Escape => "escape",
            ErrorKind::NamedCapture => "named-capture",
            ErrorKind::PerlSyntax => "perl-syntax",
            ErrorKind::NestedRepetition => "nested-repetition",
            ErrorKind::RepeatCount => "repeat-count",
            ErrorKind::MissingBracket => "missing-bracket",
            ErrorKind::MissingParenthesis => "missing-parenthesis",
            ErrorKind::MissingRepeatArgument => "missing-repeat-argument",
            ErrorKind::TrailingBackslash => "trailing-backslash",
            ErrorKind::UnexpectedParenthesis => "unexpected-parenthesis",
            ErrorKind::NestingDepth => "nesting-depth",
            ErrorKind::TooLarge => "too-large",
            ErrorKind::EngineLimit => "engine-limit",
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            ErrorKind::CharRange => "invalid character class range",
            ErrorKind::Escape => "invalid escape sequence",
            ErrorKind::NamedCapture => "invalid named capture",
            ErrorKind::PerlSyntax => "invalid or unsupported Perl syntax",
            ErrorKind::NestedRepetition => "invalid nested repetition operator",
            ErrorKind::RepeatCount => "invalid repeat count",
            ErrorKind::MissingBracket => "missing closing ]",
            ErrorKind::MissingParenthesis => "missing closing )",
            ErrorKind::MissingRepeatArgument => "missing argument to repetition operator",
            ErrorKind::TrailingBackslash => "trailing backslash at end of expression",
            ErrorKind::UnexpectedParenthesis => "unexpected )",
            ErrorKind::NestingDepth => "expression nests too deeply",
            ErrorKind::TooLarge => "expression too large",
            ErrorKind::EngineLimit => {
                "the regexp is valid, but compiles to more memory than this engine gives to one pattern"
            }
        }
    }
}
