//! What stands between two values in YAML: indicators, properties, comments.

use std::ops::Range;

/// One thing between two values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// `:`
    Colon(usize),
    /// `-`
    Dash(usize),
    /// `?`
    Question(usize),
    /// `,`
    Comma(usize),
    /// A tag or an anchor.
    Property,
    /// A comment, from its `#` to before the line end.
    Comment(Range<usize>),
    /// `|` or `>`, where a block scalar begins.
    Block(usize),
    /// Anything else: a value, a bracket.
    Other,
}

/// What stands in `text[range]`, up to and including the first thing that is no indicator of the gap.
pub(crate) fn gaps(text: &str, range: Range<usize>) -> impl Iterator<Item = Gap> {
    let bytes = text.as_bytes();
    let end = range.end.min(bytes.len());
    let mut at = range.start;
    let mut over = false;
    std::iter::from_fn(move || {
        while at < end && matches!(bytes[at], b' ' | b'\t' | b'\n' | b'\r') {
            at += 1;
        }
        if at >= end || over {
            return None;
        }
        let here = at;
        let separate = bytes.get(here + 1).is_none_or(u8::is_ascii_whitespace);
        at += 1;
        Some(match bytes[here] {
            b':' => Gap::Colon(here),
            b'-' if separate => Gap::Dash(here),
            b'?' if separate => Gap::Question(here),
            b',' => Gap::Comma(here),
            b'|' | b'>' => {
                over = true;
                Gap::Block(here)
            }
            b'#' => {
                while at < end && !matches!(bytes[at], b'\n' | b'\r') {
                    at += 1;
                }
                Gap::Comment(here..at)
            }
            b'!' | b'&' => {
                while at < end && !bytes[at].is_ascii_whitespace() && !matches!(bytes[at], b',' | b']' | b'}')
                {
                    at += 1;
                }
                Gap::Property
            }
            // A byte order mark in front of the first value.
            0xef if bytes[here..].starts_with(b"\xef\xbb\xbf") => {
                at += 2;
                Gap::Property
            }
            _ => {
                over = true;
                Gap::Other
            }
        })
    })
}

/// The first dash of the gap.
pub(crate) fn dash(text: &str, range: Range<usize>) -> Option<usize> {
    gaps(text, range).find_map(|gap| match gap {
        Gap::Dash(at) => Some(at),
        _ => None,
    })
}

/// The colon behind a key that ends where `range` starts.
pub(crate) fn colon(text: &str, range: Range<usize>) -> Option<usize> {
    gaps(text, range)
        .take_while(|gap| matches!(gap, Gap::Comment(_) | Gap::Colon(_)))
        .find_map(|gap| match gap {
            Gap::Colon(at) => Some(at),
            _ => None,
        })
}

/// The `|` or `>` of the block scalar whose content ends where `range` ends.
#[cfg(feature = "yaml")]
pub(crate) fn block(text: &str, range: Range<usize>) -> Option<usize> {
    gaps(text, range).find_map(|gap| match gap {
        Gap::Block(at) => Some(at),
        _ => None,
    })
}

/// Where the line of byte `at` starts.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at.min(text.len())];
    before
        .iter()
        .rposition(|b| matches!(b, b'\n' | b'\r'))
        .map_or(0, |i| i + 1)
}

/// Where the line of byte `at` ends, before its line end.
pub(crate) fn line_end(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    let after = &text.as_bytes()[at..];
    after
        .iter()
        .position(|b| matches!(b, b'\n' | b'\r'))
        .map_or(text.len(), |i| at + i)
}

/// Where the line behind the one of byte `at` starts; the end of the text behind the last.
pub(crate) fn next_line(text: &str, at: usize) -> usize {
    let end = line_end(text, at);
    let rest = &text.as_bytes()[end..];
    end + match rest {
        [b'\r', b'\n', ..] => 2,
        [_, ..] => 1,
        [] => 0,
    }
}
