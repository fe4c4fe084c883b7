//! Where in an object something stands: `spec.moduleLoader.container.kernelMappings[0].regexp`.

use std::fmt;

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A field of an object, or a key of a map.
    Field(String),
    /// A place in a list, counted from 0.
    Index(usize),
}

/// Where in an object something stands; the empty path is the object itself.
///
/// Printed as Kubernetes prints it: fields after a dot, places in brackets, and keys that are no identifiers (label
/// keys) in brackets too.
///
/// # Example: build and print a path
///
/// ```
/// use kmm_core::path::FieldPath;
///
/// let path = FieldPath::root().field("spec").field("tolerations").index(2).field("key");
/// assert_eq!(path.to_string(), "spec.tolerations[2].key");
/// let label = FieldPath::root().field("spec").field("selector").field("kubernetes.io/os");
/// assert_eq!(label.to_string(), "spec.selector[kubernetes.io/os]");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath {
    segments: Vec<Segment>,
}

impl FieldPath {
    /// The object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of fields, from names separated by dots and places in brackets.
    ///
    /// Meant for paths known when the program is written: a part that is no number in brackets is taken as a key.
    ///
    /// # Example: a path in one go
    ///
    /// ```
    /// use kmm_core::path::FieldPath;
    ///
    /// let path = FieldPath::of("spec.moduleLoader.container.kernelMappings[1]");
    /// assert_eq!(path.segments().len(), 5);
    /// ```
    pub fn of(text: &str) -> Self {
        let mut segments = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let (key, after) = inner.split_once(']').unwrap_or((inner, ""));
                segments.push(match key.parse() {
                    Ok(index) => Segment::Index(index),
                    Err(_) => Segment::Field(key.to_owned()),
                });
                rest = after.strip_prefix('.').unwrap_or(after);
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                segments.push(Segment::Field(rest[..end].to_owned()));
                rest = &rest[end..];
                rest = rest.strip_prefix('.').unwrap_or(rest);
            }
        }
        Self { segments }
    }

    /// This path, one field or key further.
    #[must_use]
    pub fn field(&self, name: impl Into<String>) -> Self {
        self.with(Segment::Field(name.into()))
    }

    /// This path, one place of a list further.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// This path with the steps of `other` behind it.
    #[must_use]
    pub fn join(&self, other: &FieldPath) -> Self {
        let mut path = self.clone();
        path.segments.extend(other.segments.iter().cloned());
        path
    }

    /// The steps, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The path without its last step; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, front) = self.segments.split_last()?;
        Some(Self {
            segments: front.to_vec(),
        })
    }

    fn with(&self, segment: Segment) -> Self {
        let mut path = self.clone();
        path.segments.push(segment);
        path
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Field(name) if is_identifier(name) && i == 0 => f.write_str(name)?,
                Segment::Field(name) if is_identifier(name) => write!(f, ".{name}")?,
                Segment::Field(name) => write!(f, "[{name}]")?,
            }
        }
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_reads_what_display_writes() {
        for text in [
            "",
            "spec",
            "spec.selector[a.b/c]",
            "a[0][1].b",
            "spec.tolerations[10].key",
        ] {
            assert_eq!(FieldPath::of(text).to_string(), text);
        }
    }

    #[test]
    fn parent_drops_the_last_step() {
        assert_eq!(FieldPath::of("a.b[1]").parent(), Some(FieldPath::of("a.b")));
        assert_eq!(FieldPath::root().parent(), None);
    }
}
