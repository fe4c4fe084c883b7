//! Why a valid pattern matches no kernel release.

use std::fmt;
use std::ops::Range;

use super::MAX_STATES;
use super::live::Live;
use super::render::char_name;
use crate::pattern::Pattern;
use crate::pattern::kernel::ALPHABET;
use crate::pattern::program::{Alphabet, Builder, Side};
use crate::pattern::syntax::{Kind, NodeId};

/// Nodes that are tried as the one to blame.
const MAX_SUSPECTS: usize = 100;
/// States looked at while they are tried.
const MAX_WORK: usize = 2_000_000;

/// Why a pattern matches no kernel release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nothing {
    /// It asks for a character that no kernel release has.
    Character {
        /// The bytes of the pattern that ask for it.
        span: Range<usize>,
        /// What is written there.
        written: String,
        /// What that means, such as `a form feed`.
        meaning: String,
    },
    /// It asks for a place, such as the start of the text, where that place cannot be.
    Assertion {
        /// The bytes of the pattern that ask for it.
        span: Range<usize>,
        /// What is written there.
        written: String,
    },
    /// It matches only the empty text.
    OnlyEmpty,
    /// It asks for more than 64 bytes, the most that `uname` gives.
    TooLong,
    /// No single part is to blame, or none could be found.
    Contradiction,
}

impl Nothing {
    /// The bytes of the pattern to blame, if it is one place.
    pub fn span(&self) -> Option<Range<usize>> {
        match self {
            Nothing::Character { span, .. } | Nothing::Assertion { span, .. } => Some(span.clone()),
            Nothing::OnlyEmpty | Nothing::TooLong | Nothing::Contradiction => None,
        }
    }
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Nothing::Character { written, meaning, .. } => {
                write!(f, "`{written}` is {meaning}, which no kernel release has")
            }
            Nothing::Assertion { written, .. } => write!(f, "`{written}` cannot hold where it stands"),
            Nothing::OnlyEmpty => f.write_str("it matches only the empty text"),
            Nothing::TooLong => f.write_str("it matches only texts of more than 64 bytes"),
            Nothing::Contradiction => f.write_str("no kernel release satisfies all its parts"),
        }
    }
}

/// The reason, for a pattern that is known to match nothing.
pub(super) fn reason(pattern: &Pattern) -> Nothing {
    let ast = pattern.ast();
    if pattern.is_match("") {
        return Nothing::OnlyEmpty;
    }
    if possible(pattern, &[]).is_some_and(|(possible, _)| possible) {
        return Nothing::TooLong;
    }
    let mut characters: Vec<NodeId> = Vec::new();
    let mut assertions: Vec<NodeId> = Vec::new();
    for (id, node) in (0..).zip(&ast.nodes) {
        if matches!(node.kind, Kind::Look(_)) {
            assertions.push(id);
        } else if node.char_set().is_some_and(|set| set.ascii() & ALPHABET == 0) {
            characters.push(id);
        }
    }

    let mut work = 0;
    for &suspect in characters.iter().chain(&assertions).take(MAX_SUSPECTS) {
        let Some((possible, states)) = possible(pattern, &[suspect]) else {
            break;
        };
        if possible {
            return blame(pattern, suspect);
        }
        work += states;
        if work > MAX_WORK {
            break;
        }
    }
    for suspects in [characters, assertions] {
        if let (Some(&first), Some((true, _))) = (suspects.first(), possible(pattern, &suspects)) {
            return blame(pattern, first);
        }
    }
    Nothing::Contradiction
}

/// Whether something of any length matches when some nodes hold whatever comes; with the states looked at.
fn possible(pattern: &Pattern, relaxed: &[NodeId]) -> Option<(bool, usize)> {
    let mut builder = Builder::new(Alphabet::Kernel, MAX_STATES).relax(relaxed);
    builder.search(pattern.ast(), false).ok()?;
    let program = builder.finish().ok()?;
    let live = Live::new(&program, Alphabet::Kernel, true);
    let nonempty = [Side::Word, Side::Other]
        .into_iter()
        .any(|side| live.is_live_with(program.start, Side::Edge, side));
    Some((nonempty, program.insts.len()))
}

fn blame(pattern: &Pattern, id: NodeId) -> Nothing {
    let node = pattern.ast().node(id);
    let span = node.span();
    let written = pattern.as_str().get(span.clone()).unwrap_or_default().to_owned();
    let meaning = match &node.kind {
        Kind::Look(_) => return Nothing::Assertion { span, written },
        Kind::Literal { c, .. } => char_name(*c),
        _ if written == r"\s" || written == "[[:space:]]" => "white space".to_owned(),
        _ => match node.char_set() {
            Some(set) if set.is_empty() => "no character at all".to_owned(),
            Some(set) if set.ascii() == 0 => "a character outside ASCII".to_owned(),
            Some(set) if set.ranges().len() == 1 && set.ascii().count_ones() == 1 => {
                char_name(set.ranges()[0].0)
            }
            _ => "only for control characters, blanks or `/`".to_owned(),
        },
    };
    Nothing::Character {
        span,
        written,
        meaning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        for (source, reason) in [
            (
                r"^.+\fc37\.x86_64$",
                r"`\f` is a form feed, which no kernel release has",
            ),
            (r"6\.1 amd64", "` ` is a blank, which no kernel release has"),
            (r"a/b", "`/` is a slash, which no kernel release has"),
            (r"é", "`é` is U+00E9, which no kernel release has"),
            (r"5\s", r"`\s` is white space, which no kernel release has"),
            (
                r"[^\x00-\x{10FFFF}]",
                r"`[^\x00-\x{10FFFF}]` is no character at all, which no kernel release has",
            ),
            (
                r"\p{Greek}",
                r"`\p{Greek}` is a character outside ASCII, which no kernel release has",
            ),
            (r"a^b", "`^` cannot hold where it stands"),
            (r"$x", "`$` cannot hold where it stands"),
            (r"x\bx", r"`\b` cannot hold where it stands"),
            (r"^$", "it matches only the empty text"),
            (r"a{65}", "it matches only texts of more than 64 bytes"),
            (r"a^b\f", "no kernel release satisfies all its parts"),
        ] {
            let nothing = Pattern::parse(source).unwrap().matches_nothing();
            assert_eq!(
                nothing.map(|nothing| nothing.to_string()).as_deref(),
                Some(reason),
                "{source}"
            );
        }
        for source in ["", ".*", r"\f|5", r"\bel9\b", "a{64}", "^.{64}$", "(?m)^5$"] {
            assert_eq!(
                Pattern::parse(source).unwrap().matches_nothing(),
                None,
                "{source}"
            );
        }
    }
}
