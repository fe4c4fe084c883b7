//! Findings as text, JSON and SARIF.

pub mod json;
pub mod sarif;
pub mod text;

use std::ops::Range;

use kmm_core::diag::Diagnostic;

/// A finding, with where it stands and what it is about.
#[derive(Debug)]
pub struct Located {
    /// The finding.
    pub diagnostic: Diagnostic,
    /// Number of the source.
    pub source: usize,
    /// Bytes of the source.
    pub span: Range<usize>,
    /// The object that it is about; `None` for what is wrong with the file itself.
    pub object: Option<ObjectName>,
}

/// What an object is called.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ObjectName {
    pub kind: String,
    pub name: String,
    pub namespace: String,
}

/// A text in one line for a terminal: control characters, which could move the cursor or change colours, are escaped.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_line_or_bidirectional_control(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// An error with its causes, as one line. A cause that the line has already, because the error before it tells it too, is
/// not told again.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

fn is_line_or_bidirectional_control(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = std::io::Error::other("no such file");
        let error = anyhow::Error::new(cause).context("could not read `a`: no such file");
        let error = error.context("no way to a cluster");
        assert_eq!(
            chain(error.as_ref()),
            "no way to a cluster: could not read `a`: no such file"
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[31m\n\u{202e}é"), "a\\u{1b}[31m\\n\\u{202e}é");
    }
}
