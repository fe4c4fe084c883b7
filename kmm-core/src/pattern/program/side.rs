//! What assertions look at.

use crate::pattern::charset::CharSet;
use crate::pattern::syntax::Look;

/// Where a character stands, as far as assertions can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::pattern) enum Side {
    /// The start of the text when looked at backwards, its end when looked at forwards.
    Edge,
    Newline,
    Word,
    Other,
}

impl Side {
    pub(in crate::pattern) const ALL: [Side; 4] = [Side::Edge, Side::Newline, Side::Word, Side::Other];
    pub(in crate::pattern) const CHARACTERS: [Side; 3] = [Side::Newline, Side::Word, Side::Other];

    pub(in crate::pattern) fn of(c: char) -> Side {
        match c {
            '\n' => Side::Newline,
            '_' => Side::Word,
            c if c.is_ascii_alphanumeric() => Side::Word,
            _ => Side::Other,
        }
    }

    /// All characters that stand so.
    pub(in crate::pattern) fn set(self) -> CharSet {
        let word = CharSet::from_ranges(vec![(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]);
        match self {
            Side::Edge => CharSet::default(),
            Side::Newline => CharSet::single(0xA),
            Side::Word => word,
            Side::Other => word.union(&CharSet::single(0xA)).negated(),
        }
    }
}

/// Whether an assertion holds between two sides.
pub(in crate::pattern) fn holds(look: Look, before: Side, after: Side) -> bool {
    let word = (before == Side::Word) != (after == Side::Word);
    match look {
        Look::TextStart => before == Side::Edge,
        Look::TextEnd => after == Side::Edge,
        Look::LineStart => matches!(before, Side::Edge | Side::Newline),
        Look::LineEnd => matches!(after, Side::Edge | Side::Newline),
        Look::Word => word,
        Look::NotWord => !word,
    }
}
