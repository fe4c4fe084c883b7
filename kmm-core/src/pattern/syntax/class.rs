//! Classes in brackets.

use super::parser::Parser;
use crate::pattern::charset::CharSet;
use crate::pattern::error::{ErrorKind, PatternError};

impl Parser<'_> {
    /// `[...]`. A `]` that comes first is a member; `&&`, `--` and a second `[` mean nothing special.
    pub(super) fn bracket_class(&mut self) -> Result<(), PatternError> {
        let open = self.pos;
        self.pos += 1;
        let negated = self.rest().starts_with('^');
        if negated {
            self.pos += 1;
        }

        // Named members are folded when read, the others all at once.
        let mut named: Vec<(u32, u32)> = Vec::new();
        let mut plain: Vec<(u32, u32)> = Vec::new();
        let mut first = true;
        while first || !self.rest().starts_with(']') {
            first = false;
            if let Some(members) = self.posix_class()? {
                named.extend_from_slice(members.ranges());
            } else if let Some(members) = self.escaped_class()? {
                named.extend_from_slice(members.ranges());
            } else {
                plain.push(self.class_range(open)?);
            }
        }
        self.pos += 1;

        let mut set = CharSet::from_ranges(plain);
        if self.flags.fold {
            set = set.folded();
        }
        named.extend_from_slice(set.ranges());
        set = CharSet::from_ranges(named);
        if negated {
            set = set.negated();
        }
        let set = self.ast.intern(set);
        self.class(&set, open)
    }

    /// `[:alnum:]`; `None`, and nothing consumed, if no `:]` follows.
    fn posix_class(&mut self) -> Result<Option<std::sync::Arc<CharSet>>, PatternError> {
        if self.no_posix_end || !self.rest().starts_with("[:") {
            return Ok(None);
        }
        let start = self.pos;
        let Some(length) = self.rest()[2..].find(":]") else {
            self.no_posix_end = true;
            return Ok(None);
        };
        self.pos += length + 4;
        let name = &self.source[start + 2..start + 2 + length];
        let bare = name.strip_prefix('^').unwrap_or(name);
        match self.ascii_class(bare, bare.len() < name.len()) {
            Some(set) if bare != "perl space" => Ok(Some(set)),
            _ => Err(self.error(ErrorKind::CharRange, start, self.pos)),
        }
    }

    fn class_range(&mut self, open: usize) -> Result<(u32, u32), PatternError> {
        let start = self.pos;
        let lo = self.class_char(open)?;
        if !self.rest().starts_with('-') || self.rest().len() < 2 || self.rest().starts_with("-]") {
            return Ok((lo, lo));
        }
        self.pos += 1;
        let hi = self.class_char(open)?;
        if hi < lo {
            return Err(self.error(ErrorKind::CharRange, start, self.pos));
        }
        Ok((lo, hi))
    }

    fn class_char(&mut self, open: usize) -> Result<u32, PatternError> {
        if self.rest().starts_with('\\') {
            return self.escaped_char();
        }
        match self.bump() {
            Some(c) => Ok(c as u32),
            None => Err(self.error(ErrorKind::MissingBracket, open, self.source.len())),
        }
    }
}
