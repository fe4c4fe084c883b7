//! Where a walk through an object stands: a path that costs nothing until it is needed.

use crate::path::FieldPath;
use crate::path::Segment;

#[derive(Clone, Copy)]
pub(super) enum Trail<'a> {
    Root,
    Field(&'a Trail<'a>, &'a str),
    Index(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    pub(super) fn path(&self) -> FieldPath {
        match self {
            Self::Root => FieldPath::root(),
            Self::Field(parent, name) => parent.path().field(*name),
            Self::Index(parent, index) => parent.path().index(*index),
        }
    }
}

/// `path` as the API server prints it in messages: every key after a dot, whatever it is.
pub(super) fn dotted(path: &FieldPath) -> String {
    let mut text = String::new();
    for segment in path.segments() {
        match segment {
            Segment::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
