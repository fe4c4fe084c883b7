//! What can be wrong with a template.

use std::fmt::Write;

use thiserror::Error;

use super::Template;

/// Why a template has no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// After a `${` the text ends, or the line does, before a `}`. The words are the Go library's.
    #[error("closing brace expected")]
    Unclosed {
        /// Byte of the template before which the brace is missing.
        at: usize,
    },
    /// A `_` that is no name lies inside a `${`, so that the rest of the template is text and no `}` closes it. The Go
    /// operator never gets beyond such a template.
    #[error(
        "substitution is never closed: a `_` in it that is no name makes all that follows text, also the `}}`"
    )]
    NeverClosed {
        /// Byte of the template at which the substitution starts.
        start: usize,
    },
}

impl TemplateError {
    /// The error as the Go operator reports it of this template, which it puts in quotes.
    ///
    /// # Example: the words of the Go operator
    ///
    /// ```
    /// use kmm_core::template::Template;
    ///
    /// let template = Template::parse("driver:${TAG");
    /// let error = template.error().unwrap();
    /// assert_eq!(error.with_template(&template), r#"failed to substitute "driver:${TAG": closing brace expected"#);
    /// ```
    pub fn with_template(&self, template: &Template) -> String {
        format!("failed to substitute {}: {self}", quote(template.source()))
    }
}

/// In double quotes, with escapes, as Go's `%q` prints a string.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        let written = match c {
            '"' => quoted.write_str("\\\""),
            '\\' => quoted.write_str("\\\\"),
            '\x07' => quoted.write_str("\\a"),
            '\x08' => quoted.write_str("\\b"),
            '\x0c' => quoted.write_str("\\f"),
            '\n' => quoted.write_str("\\n"),
            '\r' => quoted.write_str("\\r"),
            '\t' => quoted.write_str("\\t"),
            '\x0b' => quoted.write_str("\\v"),
            ' '..='~' => quoted.write_char(c),
            '\0'..='\x7f' => write!(quoted, "\\x{:02x}", u32::from(c)),
            _ if is_printable(c) => quoted.write_char(c),
            '\u{80}'..='\u{ffff}' => write!(quoted, "\\u{:04x}", u32::from(c)),
            _ => write!(quoted, "\\U{:08x}", u32::from(c)),
        };
        // Writing to a string has no way to fail.
        debug_assert!(written.is_ok());
    }
    quoted.push('"');
    quoted
}

/// Rust escapes what is not printable and, at the start of a string only, marks that combine with what is before them;
/// Go takes those marks as printable.
fn is_printable(c: char) -> bool {
    let mut after_letter = String::from("a");
    after_letter.push(c);
    !after_letter.escape_debug().any(|escaped| escaped == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        for (text, quoted) in [
            ("plain", r#""plain""#),
            ("\"\\", r#""\"\\""#),
            ("\x07\x08\x0c\n\r\t\x0b", r#""\a\b\f\n\r\t\v""#),
            ("\0\x1f\x7f", r#""\x00\x1f\x7f""#),
            ("é日\u{301}", "\"é日\u{301}\""),
            (
                "\u{a0}\u{200b}\u{e000}\u{10ffff}",
                r#""\u00a0\u200b\ue000\U0010ffff""#,
            ),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }
}
