//! Which level a merged value came from.

use std::fmt;

use serde::Serialize;

/// The level that a merged value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// No level sets it.
    Unset,
    /// `spec.moduleLoader.container`.
    Container,
    /// The kernel mapping.
    Mapping,
    /// Container and mapping, put together.
    Both,
    /// `spec`.
    Spec,
    /// The operator itself adds it.
    Operator,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unset => "unset",
            Self::Container => "container",
            Self::Mapping => "mapping",
            Self::Both => "container and mapping",
            Self::Spec => "spec",
            Self::Operator => "operator",
        })
    }
}

/// Where one field of the result came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The field of the result: `build.buildArgs[DEBUG]`.
    pub field: String,
    /// The level that its value came from.
    pub source: Source,
    /// Whether the mapping sets the field too, to another value, without any effect.
    pub ignored: bool,
    /// What is worth knowing about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.source)?;
        if let Some(note) = &self.note {
            write!(f, " ({note})")?;
        }
        Ok(())
    }
}

/// Collects origins while levels are merged.
#[derive(Debug, Default)]
pub(super) struct Origins {
    list: Vec<Origin>,
}

impl Origins {
    pub(super) fn add(&mut self, field: impl Into<String>, source: Source) {
        self.list.push(Origin {
            field: field.into(),
            source,
            ignored: false,
            note: None,
        });
    }

    pub(super) fn add_noted(&mut self, field: impl Into<String>, source: Source, note: impl Into<String>) {
        self.list.push(Origin {
            field: field.into(),
            source,
            ignored: false,
            note: Some(note.into()),
        });
    }

    /// A field that the container decides where both levels have the section; the mapping's value is dropped.
    pub(super) fn add_container_only<T: PartialEq + Default>(
        &mut self,
        field: &str,
        container: &T,
        mapping: &T,
    ) {
        let unset = T::default();
        let source = if *container == unset {
            Source::Unset
        } else {
            Source::Container
        };
        let ignored = *mapping != unset && mapping != container;
        self.list.push(Origin {
            field: field.to_owned(),
            source,
            ignored,
            note: ignored.then(|| {
                let section = field.split('.').next().unwrap_or(field);
                format!("the mapping's value is ignored because the container has `{section}` too")
            }),
        });
    }

    pub(super) fn into_vec(self) -> Vec<Origin> {
        self.list
    }
}
