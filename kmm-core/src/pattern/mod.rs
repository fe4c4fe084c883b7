//! Kernel mapping regexps in **Go's dialect**.

mod analysis;
mod charset;
mod engine;
mod error;
mod facts;
mod limits;
#[cfg(test)]
mod oracle;
mod syntax;
mod unicode;
mod unicode_tables;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use analysis::{Covered, Expected, Matcher, Miss, Nothing, Stop, Stuck, Witness, covers};
pub use error::{ErrorKind, PatternError};
pub use facts::{OddEscape, escape};

use engine::Engine;
use syntax::Ast;

/// A mapping regexp, ready to match.
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
    /// Parses.
    pub fn parse(source: &str) -> Result<Pattern, PatternError> {
        let ast = syntax::parse(source)?;
        let engine = engine::compile(source, &ast)?;
        Ok(Pattern {
            inner: Arc::new(Inner {
                source: source.to_owned(),
                ast,
                engine,
            }),
        })
    }

    /// The source.
    pub fn as_str(&self) -> &str {
        &self.inner.source
    }

    /// Whether.
    pub fn is_match(&self, kernel: &str) -> bool {
        self.inner.engine.regex.is_match(kernel)
    }

    /// Where.
    pub fn find(&self, kernel: &str) -> Option<Range<usize>> {
        self.inner.engine.regex.find(kernel).map(|found| found.range())
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
