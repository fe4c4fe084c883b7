//! Sets of characters for people.

use std::fmt::{self, Write as _};

use crate::pattern::charset::{CharSet, MAX};

/// Ranges written before the rest is left out.
const MAX_RANGES: usize = 12;

/// What could have come next.
///
/// `Display` is compact: `` `4` ``, `` `[0-9a-f]` ``, `any character`, `the end of the text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    pub(super) set: CharSet,
    pub(super) end: bool,
}

impl Expected {
    /// Whether `c` could have come next.
    pub fn allows(&self, c: char) -> bool {
        self.set.contains(c as u32)
    }

    /// Whether the text could have ended here.
    pub fn allows_end(&self) -> bool {
        self.end
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = "the end of the text";
        match (self.set.is_empty(), self.end) {
            (true, true) => f.write_str(end),
            (true, false) => f.write_str("nothing"),
            (false, true) => write!(f, "{} or {end}", Members(&self.set)),
            (false, false) => write!(f, "{}", Members(&self.set)),
        }
    }
}

struct Members<'a>(&'a CharSet);

impl fmt::Display for Members<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outside = self.0.negated();
        match (self.0.ranges(), outside.ranges()) {
            (_, [] | [(0xA, 0xA)]) => f.write_str("any character"),
            (&[(c, last)], _) if c == last => {
                f.write_char('`')?;
                write_char(f, c, false)?;
                f.write_char('`')
            }
            (ranges, others)
                if ranges.last().is_some_and(|&(_, hi)| hi == MAX) && others.len() <= ranges.len() =>
            {
                write_class(f, "[^", others)
            }
            (ranges, _) => write_class(f, "[", ranges),
        }
    }
}

fn write_class(f: &mut fmt::Formatter<'_>, open: &str, ranges: &[(u32, u32)]) -> fmt::Result {
    write!(f, "`{open}")?;
    for &(lo, hi) in ranges.iter().take(MAX_RANGES) {
        write_char(f, lo, true)?;
        if lo < hi {
            if lo + 1 < hi {
                f.write_char('-')?;
            }
            write_char(f, hi, true)?;
        }
    }
    f.write_str(if ranges.len() > MAX_RANGES { "…]`" } else { "]`" })
}

fn write_char(f: &mut fmt::Formatter<'_>, c: u32, in_class: bool) -> fmt::Result {
    match char::from_u32(c) {
        Some('\n') => f.write_str(r"\n"),
        Some('\t') => f.write_str(r"\t"),
        Some(c @ (']' | '\\' | '^' | '-')) if in_class => write!(f, "\\{c}"),
        Some(c) if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() => f.write_char(c),
        _ => write!(f, r"\x{{{c:x}}}"),
    }
}

/// A character with its article: `a form feed`, `a blank`, `U+00E9`.
pub(crate) fn char_name(c: u32) -> String {
    let name = match c {
        0x00 => "a zero",
        0x07 => "a bell",
        0x08 => "a backspace",
        0x09 => "a tab",
        0x0A => "a newline",
        0x0B => "a vertical tab",
        0x0C => "a form feed",
        0x0D => "a carriage return",
        0x1B => "an escape",
        0x20 => "a blank",
        0x2F => "a slash",
        0x7F => "a delete",
        0x01..0x20 => return format!("control character U+{c:04X}"),
        _ => return format!("U+{c:04X}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_in_words() {
        let shown = |ranges: &[(char, char)], end| {
            let set = CharSet::from_ranges(ranges.iter().map(|&(a, b)| (a as u32, b as u32)).collect());
            Expected { set, end }.to_string()
        };
        assert_eq!(shown(&[('4', '4')], false), "`4`");
        assert_eq!(shown(&[('0', '9')], true), "`[0-9]` or the end of the text");
        assert_eq!(shown(&[], true), "the end of the text");
        assert_eq!(shown(&[], false), "nothing");
        assert_eq!(shown(&[('a', 'b'), ('-', '-'), (']', ']')], false), r"`[\-\]ab]`");
        assert_eq!(shown(&[('\n', '\n')], false), r"`\n`");
        let not_digit = CharSet::from_ranges(vec![(0x30, 0x39)]).negated();
        assert_eq!(
            Expected {
                set: not_digit,
                end: false
            }
            .to_string(),
            "`[^0-9]`"
        );
        assert_eq!(
            Expected {
                set: CharSet::dot(false),
                end: false
            }
            .to_string(),
            "any character"
        );
    }
}
