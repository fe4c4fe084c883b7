//! What follows a backslash.

use std::sync::Arc;

use super::ast::Look;
use super::parser::Parser;
use crate::pattern::charset::{CharSet, MAX};
use crate::pattern::error::{ErrorKind, PatternError};

impl Parser<'_> {
    /// A backslash outside brackets.
    pub(super) fn backslash(&mut self) -> Result<(), PatternError> {
        let start = self.pos;
        match self.rest().as_bytes().get(1) {
            Some(b'A') => return self.look(Look::TextStart, 2),
            Some(b'z') => return self.look(Look::TextEnd, 2),
            Some(b'b') => return self.look(Look::Word, 2),
            Some(b'B') => return self.look(Look::NotWord, 2),
            Some(b'C') => return Err(self.error(ErrorKind::Escape, start, start + 2)),
            Some(b'Q') => return self.quotation(),
            _ => {}
        }
        if let Some(set) = self.escaped_class()? {
            return self.class(&set, start);
        }
        let c = self.escaped_char()?;
        self.literal(c, start)
    }

    /// `\Q...\E`, or up to the end.
    fn quotation(&mut self) -> Result<(), PatternError> {
        self.pos += 2;
        let length = self.rest().find(r"\E");
        let end = length.map_or(self.source.len(), |length| self.pos + length);
        while self.pos < end {
            let start = self.pos;
            if let Some(c) = self.bump() {
                self.literal(c as u32, start)?;
            }
        }
        if length.is_some() {
            self.pos += 2;
        }
        Ok(())
    }

    /// `\d`, `\pN` and the like; `None`, and nothing consumed, if it is something else.
    pub(super) fn escaped_class(&mut self) -> Result<Option<Arc<CharSet>>, PatternError> {
        let &[b'\\', letter, ..] = self.rest().as_bytes() else {
            return Ok(None);
        };
        let name = match letter {
            b'p' | b'P' => return self.unicode_class().map(Some),
            b'd' | b'D' => "digit",
            b's' | b'S' => "perl space",
            b'w' | b'W' => "word",
            _ => return Ok(None),
        };
        self.pos += 2;
        Ok(self.ascii_class(name, letter.is_ascii_uppercase()))
    }

    /// One of the ASCII classes, folded as the flags say.
    pub(super) fn ascii_class(&mut self, name: &str, negated: bool) -> Option<Arc<CharSet>> {
        let ranges: &[(u8, u8)] = match name {
            "alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
            "alpha" => &[(b'A', b'Z'), (b'a', b'z')],
            "ascii" => &[(0, 0x7F)],
            "blank" => &[(b'\t', b'\t'), (b' ', b' ')],
            "cntrl" => &[(0, 0x1F), (0x7F, 0x7F)],
            "digit" => &[(b'0', b'9')],
            "graph" => &[(b'!', b'~')],
            "lower" => &[(b'a', b'z')],
            "print" => &[(b' ', b'~')],
            "punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
            "space" => &[(b'\t', b'\r'), (b' ', b' ')],
            "perl space" => &[(b'\t', b'\n'), (0x0C, b'\r'), (b' ', b' ')],
            "upper" => &[(b'A', b'Z')],
            "word" => &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')],
            "xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
            _ => return None,
        };
        let mut set = CharSet::from_ranges(ranges.iter().map(|&(lo, hi)| (lo.into(), hi.into())).collect());
        if self.flags.fold {
            set = set.folded();
        }
        if negated {
            set = set.negated();
        }
        Some(self.ast.intern(set))
    }

    /// `\pN`, `\p{Greek}`, `\P{^Greek}`.
    fn unicode_class(&mut self) -> Result<Arc<CharSet>, PatternError> {
        let start = self.pos;
        let mut negated = self.rest().starts_with(r"\P");
        self.pos += 2;
        let name = if self.rest().starts_with('{') {
            let Some(length) = self.rest().find('}') else {
                return Err(self.error(ErrorKind::CharRange, start, self.source.len()));
            };
            let name = &self.source[self.pos + 1..self.pos + length];
            self.pos += length + 1;
            name
        } else {
            self.bump();
            &self.source[start + 2..self.pos]
        };
        let bare = name.strip_prefix('^').unwrap_or(name);
        negated ^= bare.len() < name.len();
        let fold = self.flags.fold;
        let set = match self.unicode.get(&(bare, fold)) {
            Some(known) => known.clone(),
            None => {
                let set = crate::pattern::unicode::class(bare, fold).map(|set| self.ast.intern(set));
                self.unicode.insert((bare, fold), set.clone());
                set
            }
        };
        match set {
            None => Err(self.error(ErrorKind::CharRange, start, self.pos)),
            Some(set) if negated => Ok(self.ast.intern(set.negated())),
            Some(set) => Ok(set),
        }
    }

    /// A backslash that stands for one character.
    pub(super) fn escaped_char(&mut self) -> Result<u32, PatternError> {
        let start = self.pos;
        self.pos += 1;
        let Some(c) = self.bump() else {
            return Err(PatternError::new(
                ErrorKind::TrailingBackslash,
                "",
                start..self.pos,
            ));
        };
        let value = match c {
            '1'..='7' if !self.rest().starts_with(|c| matches!(c, '0'..='7')) => None,
            '0'..='7' => Some(self.octal(c)),
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            'f' => Some(0x0C),
            'n' => Some(0x0A),
            'r' => Some(0x0D),
            't' => Some(0x09),
            'v' => Some(0x0B),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c as u32),
            _ => None,
        };
        value.ok_or_else(|| self.error(ErrorKind::Escape, start, self.pos))
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut value = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                break;
            };
            value = value * 8 + digit;
            self.pos += 1;
        }
        value
    }

    /// `\xhh` or `\x{h...}`; what was read stays consumed, as it is quoted.
    fn hexadecimal(&mut self) -> Option<u32> {
        let first = self.bump()?;
        if first != '{' {
            let second = self.bump();
            return Some(first.to_digit(16)? * 16 + second?.to_digit(16)?);
        }
        let mut value = None;
        loop {
            match self.bump()? {
                '}' => return value,
                c => {
                    let next = value.unwrap_or(0) * 16 + c.to_digit(16)?;
                    if next > MAX {
                        return None;
                    }
                    value = Some(next);
                }
            }
        }
    }
}
