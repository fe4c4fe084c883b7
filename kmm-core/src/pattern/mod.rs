//! Kernel mapping regexps in **Go's dialect**.
//!
//! `kernelMappings[].regexp` is defined by what Go's `regexp` package does with it, so this module has a
//! parser of its own that accepts, refuses and reads patterns as Go 1.26 does, down to the text of its
//! errors. What is accepted is compiled for the `regex-automata` engine. Surprises:
//!
//! - Matching searches: a pattern without `^` may match anywhere.
//! - `[a&&b]`, `[a--b]`, `[[a]` and `\<` have no special meaning; `a**`, `a++` and `(?x)` are errors.
//! - `\d`, `\w`, `\s`, `\b` and `[[:alpha:]]` know ASCII only, but `(?i)k` also matches the Kelvin sign.
//! - `\p{...}` knows general categories and scripts by Go's names; a script whose name has two words
//!   (`Old_Italic`) cannot be named in any way.
//! - `\f` is a form feed: `^.+\fc37$` is valid and matches no kernel ([`Pattern::matches_nothing`]).
//! - `$` is the end of the text, not the end before a final newline.
//!
//! Beyond matching, a pattern answers questions: what it looks like ([`Pattern::version_dots`],
//! [`Pattern::odd_escapes`], [`Pattern::plain_text`]), what it would match ([`Pattern::witness`],
//! [`Pattern::is_catch_all`], [`Pattern::wider_than`], [`covers`]), and why it does not match
//! ([`Pattern::explain_miss`]).
//!
//! # What this module does not do
//!
//! There are no captures and no replacements: mappings need neither. Text is UTF-8, so Go's error
//! for invalid UTF-8 in a pattern cannot arise.

mod analysis;
mod charset;
mod engine;
mod error;
mod facts;
mod kernel;
mod limits;
#[cfg(test)]
mod oracle;
mod program;
mod syntax;
mod unicode;
mod unicode_tables;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

pub use analysis::{Covered, Expected, Matcher, Miss, Nothing, Stop, Stuck, Witness, covers};
pub use error::{ErrorKind, PatternError};
pub use facts::{OddEscape, escape};

use engine::Engine;
use syntax::Ast;

/// A mapping regexp, ready to match.
///
/// Cheap to clone. Compiling takes some hundred microseconds; matching is linear in the text.
///
/// # Example: one pattern, many kernels
///
/// ```
/// use kmm_core::pattern::Pattern;
///
/// let pattern = Pattern::parse(r"^5\.14\.0-.+\.el9")?;
/// assert!(pattern.is_match("5.14.0-362.8.1.el9_3.x86_64"));
/// assert!(!pattern.is_match("5.15.0-100-generic"));
/// # Ok::<(), kmm_core::pattern::PatternError>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    inner: Arc<Inner>,
}

struct Inner {
    source: String,
    ast: Ast,
    engine: Engine,
}

impl Pattern {
    /// Parses what Go's `regexp.Compile` accepts, and nothing else.
    ///
    /// # Errors
    ///
    /// Whatever Go refuses is refused with Go's text. A pattern that Go accepts is refused only with
    /// [`ErrorKind::EngineLimit`], if it would take more memory than one pattern is given.
    ///
    /// # Example: what Rust's own regexps would read otherwise
    ///
    /// ```
    /// use kmm_core::pattern::Pattern;
    ///
    /// assert!(Pattern::parse("[a&&b]")?.is_match("&"));
    /// assert_eq!(
    ///     Pattern::parse("5.*+").unwrap_err().to_string(),
    ///     "error parsing regexp: invalid nested repetition operator: `*+`",
    /// );
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn parse(source: &str) -> Result<Pattern, PatternError> {
        let ast = syntax::parse(source)?;
        let engine = Engine::compile(source, &ast)?;
        Ok(Pattern {
            inner: Arc::new(Inner {
                source: source.to_owned(),
                ast,
                engine,
            }),
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.inner.source
    }

    /// Whether some part of `kernel` matches.
    ///
    /// # Example: a match may start anywhere
    ///
    /// ```
    /// use kmm_core::pattern::Pattern;
    ///
    /// assert!(Pattern::parse(r"5\.14")?.is_match("4.5.14-rt"));
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn is_match(&self, kernel: &str) -> bool {
        self.inner.engine.is_match(kernel)
    }

    /// The bytes of the leftmost match; of several, the one that is written first, as in Go and Perl.
    ///
    /// # Example: alternatives are tried in order
    ///
    /// ```
    /// use kmm_core::pattern::Pattern;
    ///
    /// assert_eq!(Pattern::parse("el|el9")?.find("5.14-el9"), Some(5..7));
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn find(&self, kernel: &str) -> Option<Range<usize>> {
        self.inner.engine.find(kernel)
    }

    fn ast(&self) -> &Ast {
        &self.inner.ast
    }

    fn engine(&self) -> &Engine {
        &self.inner.engine
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.as_str()).finish()
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(source: &str) -> Result<Pattern, PatternError> {
        Pattern::parse(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_can_be_shared() {
        fn shared<T: Clone + Send + Sync + 'static>() {}
        shared::<Pattern>();
        shared::<PatternError>();
        assert_eq!(format!("{:?}", Pattern::parse("^5").unwrap()), r#"Pattern("^5")"#);
    }

    #[test]
    fn catch_alls() {
        for (source, all) in [
            (".*", true),
            ("^.+$", true),
            ("", true),
            (".", true),
            ("^", true),
            ("(?s)^.*$", true),
            (r"[^\n]", true),
            (r"\S", true),
            ("^$|.", true),
            ("..", false),
            ("^5", false),
            (r"\w", false),
        ] {
            assert_eq!(
                Pattern::parse(source).unwrap().is_catch_all(),
                Some(all),
                "{source}"
            );
        }
    }

    #[test]
    fn witnesses_look_like_kernels() {
        for (source, kernel) in [
            (r"5\.14", "5.14.0"),
            (r"el9", "5.0.0-el9"),
            (r"^5\.14\.0-.+\.el9.*\.x86_64$", "5.14.0-0.el9.x86_64"),
            (r"^[A-Z]+$", "A"),
        ] {
            assert_eq!(
                Pattern::parse(source).unwrap().witness(),
                Witness::Some(kernel.to_owned()),
                "{source}"
            );
        }
    }
}
