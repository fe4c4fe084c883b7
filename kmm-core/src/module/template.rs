//! A template, and where it stands.

use crate::path::FieldPath;

use super::Template;
use super::TemplateError;

/// A template of the object, parsed, with its place.
#[derive(Clone, Debug)]
pub struct SourcedTemplate {
    path: FieldPath,
    text: String,
    parsed: Result<Template, TemplateError>,
}

impl SourcedTemplate {
    pub(super) fn new(path: FieldPath, text: &str) -> Self {
        Self {
            path,
            text: text.to_owned(),
            parsed: Template::parse(text),
        }
    }

    /// The field that it was read from.
    pub fn path(&self) -> &FieldPath {
        &self.path
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parsed, or why it cannot be.
    ///
    /// # Errors
    ///
    /// When the text is no template.
    pub fn parsed(&self) -> Result<&Template, &TemplateError> {
        self.parsed.as_ref()
    }
}
