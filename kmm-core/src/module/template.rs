//! A template, and where it stands.

use crate::path::FieldPath;
use crate::template::Template;

/// A template of the object, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcedTemplate {
    /// The field that it was read from.
    pub path: FieldPath,
    /// The template.
    pub template: Template,
}

impl SourcedTemplate {
    pub(super) fn new(path: FieldPath, text: &str) -> Self {
        Self {
            path,
            template: Template::parse(text),
        }
    }
}
