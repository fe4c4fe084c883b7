//! One entry of a list of parameters, as the kernel reads it.

use std::fmt;

use thiserror::Error;

/// A parameter of a module: `key`, or `key=value`.
///
/// The kernel gets all parameters as one string and parts it at blanks outside of double quotes, so one entry of a list
/// must be one parameter to it. Quotes round a value, or round the whole entry, are not part of the value.
///
/// # Example: a value with a blank
///
/// ```
/// use kmm_core::modprobe::{Parameter, ParameterError};
///
/// let parameter = Parameter::parse(r#"msg="hello world""#)?;
/// assert_eq!((parameter.key.as_str(), parameter.value.as_deref()), ("msg", Some("hello world")));
/// assert!(matches!(Parameter::parse("msg=hello world"), Err(ParameterError::Blank { in_value: true, .. })));
/// # Ok::<(), ParameterError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name; the kernel takes `-` and `_` in it for the same.
    pub key: String,
    /// Value; `None` for a key alone, which is a switch.
    pub value: Option<String>,
}

/// Why an entry of a list is not one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// Nothing stands before the `=`, or there is nothing at all.
    #[error("`{entry}` has no key: a parameter is `key` or `key=value`")]
    NoKey {
        /// The entry.
        entry: String,
    },
    /// A blank outside of double quotes: the kernel takes what follows for another parameter.
    ///
    /// The modprobe of kmod puts quotes round a value that has spaces and does not start with a quote, so that a blank
    /// in the value works there; the one of busybox does not.
    #[error("`{entry}` has a blank outside of double quotes: write `key=\"a value\"`")]
    Blank {
        /// The entry.
        entry: String,
        /// Byte at which the blank stands.
        at: usize,
        /// Whether it stands after the `=`.
        in_value: bool,
    },
    /// A double quote that is not closed takes the parameters that follow into the value.
    #[error("`{entry}` has a double quote that is not closed")]
    Unclosed {
        /// The entry.
        entry: String,
        /// Byte at which the quote stands.
        at: usize,
    },
    /// The entry starts with `-`, so modprobe takes it for an option.
    #[error("`{entry}` starts with `-`: modprobe takes it for an option; use `args` for options")]
    Option {
        /// The entry.
        entry: String,
    },
}

impl Parameter {
    /// Reads one entry of a list of parameters.
    ///
    /// # Errors
    ///
    /// When modprobe and the kernel would not take it for exactly one parameter: it has no key, has a blank outside of
    /// double quotes, has a double quote that is not closed, or starts with `-`.
    pub fn parse(entry: &str) -> Result<Self, ParameterError> {
        let owned = || entry.to_owned();
        if entry.starts_with('-') {
            return Err(ParameterError::Option { entry: owned() });
        }
        let mut equals = None;
        let mut quote = None;
        for (at, c) in entry.char_indices() {
            match c {
                '"' => quote = if quote.is_none() { Some(at) } else { None },
                '=' if equals.is_none() => equals = Some(at),
                _ if quote.is_none() && is_blank(c) => {
                    let in_value = equals.is_some();
                    return Err(ParameterError::Blank {
                        entry: owned(),
                        at,
                        in_value,
                    });
                }
                _ => {}
            }
        }
        if let Some(at) = quote {
            return Err(ParameterError::Unclosed { entry: owned(), at });
        }
        let whole = entry.strip_prefix('"');
        let body = whole.map_or(entry, |inner| inner.strip_suffix('"').unwrap_or(inner));
        let (key, value) = match body.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (body, None),
        };
        if key.is_empty() {
            return Err(ParameterError::NoKey { entry: owned() });
        }
        let unquoted = |value: &str| match value.strip_prefix('"') {
            Some(inner) => inner.strip_suffix('"').unwrap_or(inner).to_owned(),
            None => value.to_owned(),
        };
        Ok(Self {
            key: key.to_owned(),
            value: value.map(unquoted),
        })
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => f.write_str(&self.key),
            Some(value) if value.contains(is_blank) => write!(f, "{}=\"{value}\"", self.key),
            Some(value) => write!(f, "{}={value}", self.key),
        }
    }
}

/// The kernel goes by bytes, and by Latin-1: of the bytes above ASCII, 0xa0 is a blank.
fn is_blank(c: char) -> bool {
    let mut bytes = [0; 4];
    let encoded = c.encode_utf8(&mut bytes).bytes();
    matches!(c, ' ' | '\t'..='\r') || (!c.is_ascii() && encoded.into_iter().any(|byte| byte == 0xa0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(entry: &str) -> (String, Option<String>) {
        let parameter = Parameter::parse(entry).unwrap();
        (parameter.key, parameter.value)
    }

    #[test]
    fn keys_and_values() {
        for (entry, key, value) in [
            ("debug", "debug", None),
            ("debug=", "debug", Some("")),
            ("max_dev=5", "max_dev", Some("5")),
            ("f=1,2,3", "f", Some("1,2,3")),
            ("a=b=c", "a", Some("b=c")),
            (r#"a="b c""#, "a", Some("b c")),
            (r#""a=b c""#, "a", Some("b c")),
            (r#"a=b" "c"#, "a", Some(r#"b" "c"#)),
            (r#"a="""#, "a", Some("")),
            ("d=$HOME", "d", Some("$HOME")),
        ] {
            assert_eq!(
                parsed(entry),
                (key.to_owned(), value.map(str::to_owned)),
                "{entry}"
            );
        }
    }

    #[test]
    fn entries_that_are_not_one_parameter() {
        for entry in ["", "=", "=1", "\"\"", "\"=1\""] {
            assert!(
                matches!(Parameter::parse(entry), Err(ParameterError::NoKey { .. })),
                "{entry}"
            );
        }
        for (entry, byte, value) in [
            ("a b", 1, false),
            ("a=b c", 3, true),
            ("a =b", 1, false),
            ("a= b", 2, true),
            ("a=\tb", 2, true),
            ("a=b\n", 3, true),
            (r#"a="b" c"#, 5, true),
            (" a=b", 0, false),
            ("a=à", 2, true),
        ] {
            let Err(ParameterError::Blank { at, in_value, .. }) = Parameter::parse(entry) else {
                unreachable!("{entry}");
            };
            assert_eq!((at, in_value), (byte, value), "{entry}");
        }
        assert!(matches!(
            Parameter::parse(r#"a="b"#),
            Err(ParameterError::Unclosed { at: 2, .. })
        ));
        assert!(matches!(
            Parameter::parse("--force"),
            Err(ParameterError::Option { .. })
        ));
    }

    #[test]
    fn prints_what_reads_the_same() {
        for entry in ["a", "a=", "a=b", r#"a="b c""#] {
            assert_eq!(Parameter::parse(entry).unwrap().to_string(), entry);
        }
    }
}
