//! The main loop: one token at a time, groups on a stack of our own.

use std::collections::HashMap;
use std::sync::Arc;

use super::ast::{Ast, AstBuilder, Kind, Look, NodeId};
use super::flags::Flags;
use crate::pattern::charset::CharSet;
use crate::pattern::error::{ErrorKind, PatternError};
use crate::pattern::limits::{Limit, Op, Shape};

/// Sources beyond this are refused unread, so that places fit in 32 bits.
const MAX_SOURCE: usize = 1 << 28;

/// Parses `source`, or says what Go would say.
pub(in crate::pattern) fn parse(source: &str) -> Result<Ast, PatternError> {
    if source.len() > MAX_SOURCE {
        return Err(PatternError::new(ErrorKind::EngineLimit, "", 0..0));
    }
    let parser = Parser {
        source,
        pos: 0,
        flags: Flags::default(),
        frames: vec![Frame::new(0, Flags::default())],
        ast: AstBuilder::default(),
        shape: Shape::default(),
        no_posix_end: false,
        unicode: HashMap::new(),
    };
    parser.run()
}

pub(super) struct Parser<'s> {
    pub(super) source: &'s str,
    pub(super) pos: usize,
    pub(super) flags: Flags,
    frames: Vec<Frame>,
    pub(super) ast: AstBuilder,
    pub(super) shape: Shape,
    /// No `:]` follows any more.
    pub(super) no_posix_end: bool,
    /// Classes by name and whether they are folded: building one takes thousands of steps.
    pub(super) unicode: HashMap<(&'s str, bool), Option<Arc<CharSet>>>,
}

/// A group that is open; the first is the whole pattern.
struct Frame {
    open: usize,
    flags: Flags,
    branches: Vec<NodeId>,
    branch_start: usize,
    items: Vec<NodeId>,
}

impl Frame {
    fn new(open: usize, flags: Flags) -> Frame {
        Frame {
            open,
            flags,
            branches: Vec::new(),
            branch_start: open,
            items: Vec::new(),
        }
    }
}

impl<'s> Parser<'s> {
    fn run(mut self) -> Result<Ast, PatternError> {
        // Start of the repetition the last token was, if it was one.
        let mut last_repeat = None;
        while let Some(c) = self.peek() {
            let start = self.pos;
            let mut repeat = None;
            match c {
                '(' if self.rest().starts_with("(?") => self.group_flags()?,
                '(' => {
                    self.pos += 1;
                    self.open_group(start, self.flags, true)?;
                }
                '|' => self.bar()?,
                ')' => self.close_group()?,
                '^' if self.flags.one_line => self.look(Look::TextStart, 1)?,
                '^' => self.look(Look::LineStart, 1)?,
                '$' if self.flags.one_line => self.look(Look::TextEnd, 1)?,
                '$' => self.look(Look::LineEnd, 1)?,
                '.' => self.dot()?,
                '[' => self.bracket_class()?,
                '*' | '+' | '?' => {
                    self.pos += 1;
                    let (op, min, max) = match c {
                        '*' => (Op::Star, 0, None),
                        '+' => (Op::Plus, 1, None),
                        _ => (Op::Quest, 0, Some(1)),
                    };
                    self.repeat(op, min, max, start, last_repeat)?;
                    repeat = Some(start);
                }
                '{' => {
                    if let Some((min, max)) = self.counts()? {
                        self.repeat(Op::Repeat, min, max, start, last_repeat)?;
                        repeat = Some(start);
                    } else {
                        self.pos += 1;
                        self.literal('{' as u32, start)?;
                    }
                }
                '\\' => self.backslash()?,
                c => {
                    self.pos += c.len_utf8();
                    self.literal(c as u32, start)?;
                }
            }
            last_repeat = repeat;
        }
        self.finish()
    }

    fn finish(mut self) -> Result<Ast, PatternError> {
        self.limit(Shape::close)?;
        let end = self.source.len();
        let Some(frame) = self.frames.pop() else {
            return Err(self.error(ErrorKind::MissingParenthesis, 0, end));
        };
        if !self.frames.is_empty() {
            return Err(self.whole(ErrorKind::MissingParenthesis, frame.open, frame.open + 1));
        }
        let root = self.alternatives(frame, end);
        Ok(self.ast.finish(root))
    }

    fn bar(&mut self) -> Result<(), PatternError> {
        self.limit(Shape::bar)?;
        let end = self.pos;
        self.pos += 1;
        if let Some(frame) = self.frames.last_mut() {
            let items = std::mem::take(&mut frame.items);
            let branch = self.ast.concat(items, frame.branch_start, end);
            frame.branches.push(branch);
            frame.branch_start = end + 1;
        }
        Ok(())
    }

    /// Opens a group whose parenthesis stands at `open`; `flags` rule inside.
    pub(super) fn open_group(
        &mut self,
        open: usize,
        flags: Flags,
        captures: bool,
    ) -> Result<(), PatternError> {
        let before = self.flags;
        self.limit(|shape| shape.open(captures))?;
        let mut frame = Frame::new(open, before);
        frame.branch_start = self.pos;
        self.frames.push(frame);
        self.flags = flags;
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), PatternError> {
        self.limit(Shape::close)?;
        if self.frames.len() < 2 {
            return Err(self.whole(ErrorKind::UnexpectedParenthesis, self.pos, self.pos + 1));
        }
        let end = self.pos;
        self.pos += 1;
        if let Some(frame) = self.frames.pop() {
            self.flags = frame.flags;
            self.limit(Shape::end_group)?;
            let group = self.alternatives(frame, end);
            self.add(group);
        }
        Ok(())
    }

    fn alternatives(&mut self, mut frame: Frame, end: usize) -> NodeId {
        let last = self.ast.concat(frame.items, frame.branch_start, end);
        frame.branches.push(last);
        self.ast.alternate(frame.branches, frame.open, end)
    }

    fn dot(&mut self) -> Result<(), PatternError> {
        let newline = self.flags.dot_newline;
        self.pos += 1;
        self.limit(|shape| {
            shape.simple(if newline {
                Op::AnyChar
            } else {
                Op::AnyCharNotNewline
            })
        })?;
        let node = self.ast.push(Kind::Dot { newline }, self.pos - 1, self.pos);
        self.add(node);
        Ok(())
    }

    /// An assertion written in `length` bytes.
    pub(super) fn look(&mut self, look: Look, length: usize) -> Result<(), PatternError> {
        let start = self.pos;
        self.pos += length;
        self.limit(|shape| shape.simple(Op::Look))?;
        let node = self.ast.push(Kind::Look(look), start, self.pos);
        self.add(node);
        Ok(())
    }

    /// A literal that was written from `start` up to here.
    pub(super) fn literal(&mut self, c: u32, start: usize) -> Result<(), PatternError> {
        self.limit(|shape| shape.literal(c))?;
        let node = self.ast.push(
            Kind::Literal {
                c,
                fold: self.flags.fold,
            },
            start,
            self.pos,
        );
        self.add(node);
        Ok(())
    }

    /// A class that was written from `start` up to here.
    pub(super) fn class(&mut self, set: &Arc<CharSet>, start: usize) -> Result<(), PatternError> {
        self.limit(|shape| shape.class(set))?;
        let node = self.ast.push(Kind::Class(Arc::clone(set)), start, self.pos);
        self.add(node);
        Ok(())
    }

    fn add(&mut self, node: NodeId) {
        if let Some(frame) = self.frames.last_mut() {
            frame.items.push(node);
        }
    }

    /// Wraps the last item; the operator stands from `start` up to here.
    fn repeat(
        &mut self,
        op: Op,
        min: u32,
        max: Option<u32>,
        start: usize,
        last_repeat: Option<usize>,
    ) -> Result<(), PatternError> {
        let mut greedy = !self.flags.swap_greed;
        if self.rest().starts_with('?') {
            self.pos += 1;
            greedy = !greedy;
        }
        if let Some(last) = last_repeat {
            return Err(self.error(ErrorKind::NestedRepetition, last, self.pos));
        }
        let Some(sub) = self.frames.last_mut().and_then(|frame| frame.items.pop()) else {
            return Err(self.error(ErrorKind::MissingRepeatArgument, start, self.pos));
        };
        let valid = self.limit(|shape| shape.repeat(op, min, max, greedy))?;
        if !valid {
            return Err(self.error(ErrorKind::RepeatCount, start, self.pos));
        }
        let first = self.ast.start_of(sub);
        let node = self.ast.push(
            Kind::Repeat {
                sub,
                min,
                max,
                greedy,
            },
            first,
            self.pos,
        );
        self.add(node);
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`; `None`, and nothing consumed, if it is not of that form.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let start = self.pos;
        let Some(Counts { min, max, length }) = Counts::read(self.rest()) else {
            return Ok(None);
        };
        self.pos += length;
        let valid = min <= 1000 && max.is_none_or(|max| max <= 1000 && min <= max);
        if !valid {
            return Err(self.error(ErrorKind::RepeatCount, start, self.pos));
        }
        Ok(Some((min, max)))
    }

    pub(super) fn rest(&self) -> &'s str {
        &self.source[self.pos..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// An error that quotes what it points at.
    pub(super) fn error(&self, kind: ErrorKind, start: usize, end: usize) -> PatternError {
        PatternError::new(kind, &self.source[start..end], start..end)
    }

    /// An error that quotes everything.
    fn whole(&self, kind: ErrorKind, start: usize, end: usize) -> PatternError {
        PatternError::new(kind, self.source, start..end)
    }

    fn limit<T>(&mut self, step: impl FnOnce(&mut Shape) -> Result<T, Limit>) -> Result<T, PatternError> {
        self.shape.flags = self.flags.bits();
        step(&mut self.shape).map_err(|limit| {
            let kind = match limit {
                Limit::Depth => ErrorKind::NestingDepth,
                Limit::Size => ErrorKind::TooLarge,
            };
            let end = self
                .source
                .len()
                .min(self.pos + self.peek().map_or(0, char::len_utf8));
            self.whole(kind, self.pos, end)
        })
    }
}

struct Counts {
    min: u32,
    max: Option<u32>,
    length: usize,
}

impl Counts {
    fn read(text: &str) -> Option<Counts> {
        let rest = text.strip_prefix('{')?;
        let (min, rest) = integer(rest)?;
        let (max, rest) = match rest.strip_prefix(',') {
            None => (Some(min), rest),
            Some(rest) if rest.starts_with('}') => (None, rest),
            Some(rest) => {
                let (max, rest) = integer(rest)?;
                (Some(max), rest)
            }
        };
        let rest = rest.strip_prefix('}')?;
        Some(Counts {
            min,
            max,
            length: text.len() - rest.len(),
        })
    }
}

/// A decimal number without leading zeros; what does not fit saturates.
fn integer(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}
