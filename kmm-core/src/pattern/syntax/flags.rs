//! Flags, and what may follow `(?`.

use super::parser::Parser;
use crate::pattern::error::{ErrorKind, PatternError};

/// What `(?imsU)` sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    /// `i`: letters match in either case.
    pub(super) fold: bool,
    /// Not `m`: `^` and `$` match at the ends of the text only.
    pub(super) one_line: bool,
    /// `s`: `.` matches a newline.
    pub(super) dot_newline: bool,
    /// `U`: `x*` and `x*?` change places.
    pub(super) swap_greed: bool,
}

impl Default for Flags {
    fn default() -> Flags {
        Flags {
            fold: false,
            one_line: true,
            dot_newline: false,
            swap_greed: false,
        }
    }
}

impl Flags {
    /// The flags as the accounting of sizes compares them; see `limits::FOLD`.
    pub(super) fn bits(self) -> u8 {
        u8::from(self.fold)
            | u8::from(self.one_line) << 1
            | u8::from(self.dot_newline) << 2
            | u8::from(self.swap_greed) << 3
    }
}

impl Parser<'_> {
    /// What starts with `(?`: a named group, a group with flags, or flags for the rest of this group.
    pub(super) fn group_flags(&mut self) -> Result<(), PatternError> {
        let start = self.pos;
        let rest = self.rest();
        let name_at = if rest.len() > 4 && rest.starts_with("(?P<") {
            Some(4)
        } else if rest.len() > 3 && rest.starts_with("(?<") {
            Some(3)
        } else {
            None
        };
        if let Some(name_at) = name_at {
            return self.named_group(name_at);
        }

        self.pos += 2;
        let mut flags = self.flags;
        let mut on = true;
        let mut seen = false;
        while let Some(c) = self.bump() {
            match c {
                'i' => flags.fold = on,
                'm' => flags.one_line = !on,
                's' => flags.dot_newline = on,
                'U' => flags.swap_greed = on,
                '-' if on => {
                    on = false;
                    seen = false;
                    continue;
                }
                ':' | ')' if on || seen => {
                    if c == ':' {
                        return self.open_group(start, flags, false);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            seen = true;
        }
        Err(self.error(ErrorKind::PerlSyntax, start, self.pos))
    }

    fn named_group(&mut self, name_at: usize) -> Result<(), PatternError> {
        let start = self.pos;
        let Some(length) = self.rest().find('>') else {
            return Err(self.error(ErrorKind::NamedCapture, start, self.source.len()));
        };
        let end = start + length + 1;
        let name = &self.source[start + name_at..end - 1];
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return Err(self.error(ErrorKind::NamedCapture, start, end));
        }
        self.pos = end;
        self.open_group(start, self.flags, true)
    }
}
