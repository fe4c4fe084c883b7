//! Templates: `${VAR}` in image names and in files to sign.
//!
//! What people write is `$NAME`, `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign; an unset variable is the
//! empty string. Everything else is read exactly as the Go operator reads it, so that a Module means the same.
//!
//! Surprises:
//! - `$KERNEL_XYZ_x` is the variable `KERNEL_XYZ_x`, which is unset: names are as long as they can be.
//! - Defaults do not nest: `${A:-${B}}` is the value of `A`, or nothing, and then a `}`. `${A:-$B}` does work.
//! - `${A:}` takes its own brace, so the template is an error for want of one.
//! - `${_}` and `$_` stay as they are, and what follows `${_}` is still inside a brace.
//! - `${A:-x$_}` sends the Go library into a loop that never ends. Here it is an error:
//!   [`TemplateError::NeverClosed`].
//!
//! [`Template::first_not_simple`] finds all of these, and whatever else is not one of the four forms above.

mod error;
mod letter;
mod read;
mod scan;
mod simple;
mod variables;

use std::fmt;
use std::ops::Range;

use self::read::Default;
use self::read::Piece;
use self::read::Value;

pub use self::error::TemplateError;
pub use self::read::Operator;
pub use self::variables::KERNEL_VARIABLES;
pub use self::variables::MODULE_VARIABLES;
pub use self::variables::Variables;

/// A template, read once and expanded as often as needed.
///
/// Reading and expanding take time in proportion to the length of the text.
///
/// # Example: an image for each kernel
///
/// ```
/// use kmm_core::kernel::KernelVersion;
/// use kmm_core::template::{Template, Variables};
///
/// let image = Template::parse("registry.example/$MOD_NAMESPACE/${MOD_NAME}:${KERNEL_FULL_VERSION}");
/// let kernel = KernelVersion::new("6.0.15-300.fc37.x86_64");
/// let variables = Variables::kernel(&kernel)?.with_module("driver", "default");
/// assert_eq!(image.expand(&variables)?, "registry.example/default/driver:6.0.15-300.fc37.x86_64");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
    error: Option<TemplateError>,
}

impl Template {
    /// Reads a template. A faulty one has an [`error`](Self::error), which [`expand`](Self::expand) returns.
    pub fn parse(source: impl Into<String>) -> Self {
        let source = source.into();
        let (pieces, error) = read::read(&source);
        Self {
            source,
            pieces,
            error,
        }
    }

    /// The text that was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What is wrong with the template, whatever the variables are.
    pub fn error(&self) -> Option<&TemplateError> {
        self.error.as_ref()
    }

    /// The text with the values in it.
    ///
    /// # Errors
    ///
    /// When the template is faulty, whatever the variables are.
    pub fn expand(&self, variables: &Variables) -> Result<String, TemplateError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let values = self.pieces.iter().map(|piece| self.value(piece, variables).0);
        Ok(values.collect())
    }

    /// How each piece of the template expands, in order; the sources join to the template, the values to what
    /// [`expand`](Self::expand) gives.
    ///
    /// # Errors
    ///
    /// When the template is faulty, whatever the variables are.
    ///
    /// # Example: explain an image reference
    ///
    /// ```
    /// use kmm_core::template::{Origin, Template, Variables};
    ///
    /// let template = Template::parse("driver:${TAG:-latest}");
    /// let variables = Variables::new();
    /// let steps = template.trace(&variables)?;
    /// assert_eq!((steps[0].source, steps[0].value, steps[0].origin), ("driver:", "driver:", Origin::Text));
    /// assert_eq!((steps[1].source, steps[1].value, steps[1].origin), ("${TAG:-latest}", "latest", Origin::Default));
    /// # Ok::<(), kmm_core::template::TemplateError>(())
    /// ```
    pub fn trace<'a>(&'a self, variables: &'a Variables) -> Result<Vec<Step<'a>>, TemplateError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let step = |piece: &'a Piece| {
            let (value, origin) = self.value(piece, variables);
            Step {
                span: piece.span.clone(),
                source: self.slice(&piece.span),
                value,
                origin,
            }
        };
        Ok(self.pieces.iter().map(step).collect())
    }

    /// The variables that the template names, in order, also those in defaults; of a faulty template those before the
    /// fault.
    ///
    /// # Example: names that are no variables
    ///
    /// ```
    /// use kmm_core::template::{KERNEL_VARIABLES, Template};
    ///
    /// let template = Template::parse("/opt/lib/modules/${KERNEL_FULL_VERSION}/${NAME}.ko");
    /// let unknown: Vec<_> = template
    ///     .references()
    ///     .filter(|reference| !KERNEL_VARIABLES.contains(&reference.name))
    ///     .map(|reference| (reference.name, reference.span))
    ///     .collect();
    /// assert_eq!(unknown, [("NAME", 42..46)]);
    /// ```
    pub fn references(&self) -> impl Iterator<Item = Reference<'_>> {
        self.pieces.iter().flat_map(|piece| {
            let (first, second) = match &piece.value {
                Value::Text | Value::Dollar => (None, None),
                Value::Variable(name) => (Some((name, Form::Bare)), None),
                Value::Substitution(substitution) => {
                    let form = match (substitution.operator, &substitution.default) {
                        (Some(operator), Some(_)) => Form::WithDefault(operator),
                        (None, _) | (_, None) => Form::Braced,
                    };
                    let default = match &substitution.default {
                        Some(Default::Variable(name)) => Some((name, Form::Default)),
                        Some(Default::Text(_)) | None => None,
                    };
                    (Some((&substitution.name, form)), default)
                }
            };
            first.into_iter().chain(second).map(|(name, form)| Reference {
                name: self.slice(name),
                span: name.clone(),
                piece: piece.span.clone(),
                form,
            })
        })
    }

    /// Whether the template holds nothing but text, `$NAME`, `${NAME}`, `${NAME:-default}` with a default of plain
    /// text, and `$$`.
    pub fn is_simple(&self) -> bool {
        self.first_not_simple().is_none()
    }

    /// The first `$` that begins none of the four forms of [`is_simple`](Self::is_simple), with the piece that it is
    /// read as.
    ///
    /// # Example: a default that does not nest
    ///
    /// ```
    /// use kmm_core::template::Template;
    ///
    /// let template = Template::parse("driver:${TAG:-${KERNEL_XYZ}}");
    /// let span = template.first_not_simple().unwrap();
    /// assert_eq!(&template.source()[span], "${TAG:-${KERNEL_XYZ}");
    /// ```
    pub fn first_not_simple(&self) -> Option<Range<usize>> {
        let start = simple::first_other_dollar(&self.source)?;
        let piece = self
            .pieces
            .iter()
            .find(|piece| piece.span.contains(&start))
            .filter(|piece| piece.value != Value::Text);
        let end = piece.map_or_else(|| self.end_of_text(start), |piece| piece.span.end);
        Some(start..end)
    }

    /// The end of what a person would take for one form, where the reader took it for text.
    fn end_of_text(&self, start: usize) -> usize {
        let text = self.source.get(start..).unwrap_or_default();
        let length = match text.strip_prefix("${") {
            Some(inner) => inner.find('}').map_or(text.len(), |i| i + 3),
            None => text.chars().take(2).map(char::len_utf8).sum(),
        };
        start + length
    }

    fn value<'a>(&'a self, piece: &'a Piece, variables: &'a Variables) -> (&'a str, Origin) {
        let look_up = |name: &Range<usize>| variables.value_of(self.slice(name));
        let of_variable =
            |value: Option<&'a str>| value.map_or(("", Origin::Unset), |v| (v, Origin::Variable));
        let substitution = match &piece.value {
            Value::Text => return (self.slice(&piece.span), Origin::Text),
            Value::Dollar => return ("$", Origin::Text),
            Value::Variable(name) => return of_variable(look_up(name)),
            Value::Substitution(substitution) => substitution,
        };
        let value = look_up(&substitution.name);
        let (Some(operator), Some(default)) = (substitution.operator, &substitution.default) else {
            return of_variable(value);
        };
        let by_default = match operator {
            Operator::WhereEmpty => value.is_none_or(str::is_empty),
            Operator::WhereUnset => value.is_none(),
            Operator::WhereSet if value.is_none() => return ("", Origin::Unset),
            Operator::WhereSet => true,
        };
        if !by_default {
            return of_variable(value);
        }
        let default = match default {
            Default::Text(text) => text,
            Default::Variable(name) => look_up(name).unwrap_or_default(),
        };
        (default, Origin::Default)
    }

    fn slice(&self, span: &Range<usize>) -> &str {
        self.source.get(span.clone()).unwrap_or_default()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl From<&str> for Template {
    fn from(source: &str) -> Self {
        Self::parse(source)
    }
}

/// What one piece of a template expands to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Which bytes of the template.
    pub span: Range<usize>,
    /// The piece as it is written.
    pub source: &'a str,
    /// What stands in its place.
    pub value: &'a str,
    /// Where that comes from.
    pub origin: Origin,
}

/// Where the value of a piece comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the piece itself: it is text.
    Text,
    /// From the variable that it names.
    Variable,
    /// From nowhere: the variable that it names is unset, so the value is empty.
    Unset,
    /// From the default: text, or the value of the variable that is named as default.
    Default,
}

/// A variable that a template names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Its name; odd templates have odd names, such as ` A` in `${ A}`.
    pub name: &'a str,
    /// Which bytes of the template the name is.
    pub span: Range<usize>,
    /// Which bytes of the template the piece is that the name belongs to.
    pub piece: Range<usize>,
    /// How it is named.
    pub form: Form,
}

/// How a template names a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `$NAME`.
    Bare,
    /// `${NAME}`.
    Braced,
    /// `${NAME:-default}` and its like.
    WithDefault(Operator),
    /// As the default of another one: `NAME` in `${OTHER:-$NAME}`.
    Default,
}
