//! Questions about patterns over **all** kernel releases, answered by automata.
//!
//! A kernel release here is 1 to 64 bytes of printable ASCII without blank and `/`: `uname` has room
//! for no more, and no build system makes others. Every question is bounded in states and memory, so
//! every answer has a "cannot tell". Surprises worth knowing:
//!
//! - A pattern may be valid and match no kernel at all: `^.+\fc37\.x86_64$` asks for a form feed.
//! - Mapping regexps search, so `5\.14` also covers `15.14.3` and `4.5.14`.

mod closure;
mod determine;
mod live;
mod miss;
mod nothing;
mod render;
mod search;
mod symbols;

pub use miss::{Miss, Stop, Stuck};
pub use nothing::Nothing;
pub use render::Expected;

use super::Pattern;
use super::program::{Alphabet, Builder, Program, TooLarge};
use super::syntax::Ast;
use search::{Found, Query};
use symbols::SHAPE;

/// More states of one graph than this are not looked at.
const MAX_STATES: usize = 50_000;

/// Steps that one question may take before the answer is "cannot tell".
const BUDGET: u64 = 6_000_000;
/// Steps spent on finding an example that looks like a kernel release.
const LIKELY_BUDGET: u64 = 1_500_000;

/// A kernel release that a pattern matches, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// The shortest one found; one that looks like a kernel release if there is such a one.
    Some(String),
    /// The pattern is valid and matches no kernel release.
    Nothing(Nothing),
    /// The question was too large.
    CannotTell,
}

/// Whether every kernel release that one mapping takes is already taken by others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covered {
    /// Every one. A pattern that matches nothing is covered too: ask [`Pattern::matches_nothing`] first.
    Yes,
    /// Not this one.
    No {
        /// A kernel release that the later mapping takes and no earlier one.
        witness: String,
    },
    /// The question was too large.
    CannotTell,
}

/// What a kernel mapping compares the kernel with.
#[derive(Clone, Copy, Debug)]
pub enum Matcher<'a> {
    /// The kernel is this text.
    Literal(&'a str),
    /// The kernel has a match of this pattern.
    Pattern(&'a Pattern),
}

impl Matcher<'_> {
    /// Whether `kernel` is taken.
    pub fn is_match(self, kernel: &str) -> bool {
        match self {
            Matcher::Literal(text) => text == kernel,
            Matcher::Pattern(pattern) => pattern.is_match(kernel),
        }
    }

    fn add_to(self, builder: &mut Builder) -> Result<(), TooLarge> {
        match self {
            Matcher::Literal(text) => builder.literal(text),
            Matcher::Pattern(pattern) => builder.search(pattern.ast(), false),
        }
    }
}

/// Whether `earlier` mappings leave nothing for a `later` one.
///
/// # Example: a mapping that can never win
///
/// ```
/// use kmm_core::pattern::{Covered, Matcher, Pattern, covers};
///
/// let all_of_5 = Pattern::parse(r"^5\.")?;
/// let el9 = Pattern::parse(r"^5\.14\.0-.*\.el9")?;
/// assert_eq!(covers(&[Matcher::Pattern(&all_of_5)], Matcher::Pattern(&el9)), Covered::Yes);
///
/// let Covered::No { witness } = covers(&[Matcher::Pattern(&el9)], Matcher::Pattern(&all_of_5)) else { panic!() };
/// assert!(all_of_5.is_match(&witness) && !el9.is_match(&witness));
/// # Ok::<(), kmm_core::pattern::PatternError>(())
/// ```
pub fn covers(earlier: &[Matcher<'_>], later: Matcher<'_>) -> Covered {
    match later {
        Matcher::Literal(kernel) if earlier.iter().any(|matcher| matcher.is_match(kernel)) => Covered::Yes,
        Matcher::Literal(kernel) => Covered::No {
            witness: kernel.to_owned(),
        },
        Matcher::Pattern(pattern) => match example(pattern, earlier) {
            Found::Text(witness) => Covered::No { witness },
            Found::Nothing => Covered::Yes,
            Found::CannotTell => Covered::CannotTell,
        },
    }
}

impl Pattern {
    /// A kernel release that the pattern matches.
    ///
    /// # Example: what does this pattern want?
    ///
    /// ```
    /// use kmm_core::pattern::{Pattern, Witness};
    ///
    /// let pattern = Pattern::parse(r"^.+\.fc3[7-9]\.x86_64$")?;
    /// let Witness::Some(kernel) = pattern.witness() else { panic!() };
    /// assert_eq!(kernel, "5.0.0.fc37.x86_64");
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn witness(&self) -> Witness {
        match example(self, &[]) {
            Found::Text(text) => Witness::Some(text),
            Found::Nothing => Witness::Nothing(nothing::reason(self)),
            Found::CannotTell => Witness::CannotTell,
        }
    }

    /// Why no kernel release can match; `None` if one does, or if that cannot be told.
    ///
    /// # Example: an escape that was not meant
    ///
    /// ```
    /// use kmm_core::pattern::Pattern;
    ///
    /// let pattern = Pattern::parse(r"^.+\fc37\.x86_64$")?;
    /// let nothing = pattern.matches_nothing().unwrap();
    /// assert_eq!(nothing.to_string(), r"`\f` is a form feed, which no kernel release has");
    /// assert_eq!(nothing.span(), Some(3..5));
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn matches_nothing(&self) -> Option<Nothing> {
        match self.witness() {
            Witness::Nothing(nothing) => Some(nothing),
            Witness::Some(_) | Witness::CannotTell => None,
        }
    }

    /// A kernel release that this pattern matches although `intended` does not.
    ///
    /// `None` if there is none, or if that cannot be told.
    ///
    /// # Example: what an unescaped dot lets in
    ///
    /// ```
    /// use kmm_core::pattern::Pattern;
    ///
    /// let written = Pattern::parse(r"^5.14")?;
    /// let intended = Pattern::parse(r"^5\.14")?;
    /// let surprise = written.wider_than(&intended).unwrap();
    /// assert!(written.is_match(&surprise) && !intended.is_match(&surprise));
    /// assert_eq!(intended.wider_than(&written), None);
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn wider_than(&self, intended: &Pattern) -> Option<String> {
        match example(self, &[Matcher::Pattern(intended)]) {
            Found::Text(text) => Some(text),
            Found::Nothing | Found::CannotTell => None,
        }
    }

    /// Whether every kernel release matches, as with `.*`, `^.+$` or the empty pattern.
    ///
    /// `None` if that cannot be told.
    pub fn is_catch_all(&self) -> Option<bool> {
        match difference(None, &[Matcher::Pattern(self)], None, BUDGET) {
            Ok(Found::Text(_)) => Some(false),
            Ok(Found::Nothing) => Some(true),
            Ok(Found::CannotTell) | Err(TooLarge) => None,
        }
    }
}

/// A kernel release for `wanted` and for none of `unlike`: likely ones first, then any.
fn example(wanted: &Pattern, unlike: &[Matcher<'_>]) -> Found {
    if let Ok(shape) = super::syntax::parse(SHAPE) {
        for from_start in [true, false] {
            let found = difference(Some((wanted, from_start)), unlike, Some(&shape), LIKELY_BUDGET);
            if let Ok(Found::Text(text)) = found {
                return Found::Text(text);
            }
        }
    }
    difference(Some((wanted, false)), unlike, None, BUDGET).unwrap_or(Found::CannotTell)
}

/// With nothing wanted, any kernel release is.
fn difference(
    wanted: Option<(&Pattern, bool)>,
    unlike: &[Matcher<'_>],
    shape: Option<&Ast>,
    budget: u64,
) -> Result<Found, TooLarge> {
    let new = || Builder::new(Alphabet::Kernel, MAX_STATES);
    let search = |ast: &Ast, from_start: bool| -> Result<Program, TooLarge> {
        let mut builder = new();
        builder.search(ast, from_start)?;
        builder.finish()
    };
    let wanted = match wanted {
        Some((pattern, from_start)) => search(pattern.ast(), from_start)?,
        None => new().anything()?,
    };
    let like = match shape {
        Some(ast) => Some(search(ast, false)?),
        None => None,
    };
    let mut others = new();
    for matcher in unlike {
        matcher.add_to(&mut others)?;
    }
    let unlike = if unlike.is_empty() {
        None
    } else {
        Some(others.finish()?)
    };
    Ok(Query {
        wanted,
        like,
        unlike,
        budget,
    }
    .run())
}
