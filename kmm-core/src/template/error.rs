//! What can be wrong with a template.

use thiserror::Error;

use crate::go_text::quote;

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
