//! How large and how deep Go would find a pattern.
//!
//! Go bounds the size and the height of its own tree while it builds it, and what it counts depends
//! on how it builds: neighbouring literals are joined, alternatives are merged into classes and
//! factored by common prefixes, nodes are used again. A pattern near a limit is accepted or refused
//! by that, so this module keeps a tree of the same shape. Nothing else is done with it.

mod factor;
mod measure;

use std::sync::Arc;

use super::charset::CharSet;
use super::unicode;

/// The flag bit for case folding.
pub(super) const FOLD: u8 = 1;

/// Which limit was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// More than 1,000 levels.
    Depth,
    /// Too many instructions, or too many characters in classes.
    Size,
}

/// What a cell stands for. The order matters: of two that merge, the greater one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    Empty,
    Literal,
    Class,
    AnyCharNotNewline,
    AnyChar,
    Look,
    Capture,
    Star,
    Plus,
    Quest,
    Repeat,
    Concat,
    Alternate,
    Open,
    OpenCapture,
    Bar,
}

impl Op {
    fn is_mark(self) -> bool {
        matches!(self, Op::Open | Op::OpenCapture | Op::Bar)
    }
}

type CellId = usize;

#[derive(Debug)]
struct Cell {
    op: Op,
    flags: u8,
    text: Vec<u32>,
    set: Set,
    subs: Vec<CellId>,
    min: u32,
    max: Option<u32>,
    greedy: bool,
}

/// The members of a class: shared and tidy, or being collected.
#[derive(Clone, Debug)]
enum Set {
    Clean(Arc<CharSet>),
    /// With the number of ranges when it was last tidy.
    Raw(Vec<(u32, u32)>, usize),
}

impl Set {
    fn ranges(&self) -> &[(u32, u32)] {
        match self {
            Set::Clean(set) => set.ranges(),
            Set::Raw(ranges, _) => ranges,
        }
    }

    fn add(&mut self, more: &[(u32, u32)]) {
        // Tidied now and then, so that merging thousands of classes takes no more room than the result.
        const SLACK: usize = 8192;
        let (mut all, tidy) = match std::mem::replace(self, Set::Raw(Vec::new(), 0)) {
            Set::Clean(set) => (set.ranges().to_vec(), set.ranges().len()),
            Set::Raw(ranges, tidy) => (ranges, tidy),
        };
        all.extend_from_slice(more);
        let crowded = all.len() > 2 * tidy + SLACK;
        *self = Set::Raw(all, tidy);
        if crowded {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        if let Set::Raw(ranges, _) = self {
            *self = Set::Clean(Arc::new(CharSet::from_ranges(std::mem::take(ranges))));
        }
    }
}

/// The tree, and the marks and parts that wait on the stack.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// The flags that rule where the parser stands.
    pub(super) flags: u8,
    cells: Vec<Cell>,
    free: Vec<CellId>,
    stack: Vec<CellId>,
    /// Cells ever taken that were not free ones.
    taken: u64,
    /// Characters in classes and literals.
    runes: u64,
    /// Product of all repeat counts.
    repeats: u64,
    sizes: Option<Vec<u64>>,
    heights: Option<Vec<u32>>,
}

impl Shape {
    /// A leaf without contents.
    pub(super) fn simple(&mut self, op: Op) -> Result<(), Limit> {
        let cell = self.take(op);
        self.push(cell)
    }

    pub(super) fn literal(&mut self, c: u32) -> Result<(), Limit> {
        let c = if self.flags & FOLD == 0 {
            c
        } else {
            unicode::orbit(c).fold(c, u32::min)
        };
        let cell = self.take(Op::Literal);
        self.cells[cell].text.push(c);
        self.push(cell)
    }

    pub(super) fn class(&mut self, set: &Arc<CharSet>) -> Result<(), Limit> {
        let cell = self.take(Op::Class);
        self.cells[cell].set = Set::Clean(Arc::clone(set));
        self.push(cell)
    }

    pub(super) fn open(&mut self, captures: bool) -> Result<(), Limit> {
        self.simple(if captures { Op::OpenCapture } else { Op::Open })
    }

    /// Wraps the top of the stack; `false` if nested counts multiply to more than 1,000.
    pub(super) fn repeat(&mut self, op: Op, min: u32, max: Option<u32>, greedy: bool) -> Result<bool, Limit> {
        let cell = self.take(op);
        let Some(top) = self.stack.last_mut() else {
            return Ok(true);
        };
        let sub = std::mem::replace(top, cell);
        let new = &mut self.cells[cell];
        (new.min, new.max, new.greedy) = (min, max, greedy);
        new.subs.push(sub);
        self.check(cell)?;
        let counts = op == Op::Repeat && (min >= 2 || max.is_some_and(|max| max >= 2));
        Ok(!counts || self.counts_fit(cell, 1000))
    }

    /// `|`.
    pub(super) fn bar(&mut self) -> Result<(), Limit> {
        self.concat()?;
        if !self.swap_bar() {
            self.simple(Op::Bar)?;
        }
        Ok(())
    }

    /// `)` or the end: makes one cell of everything above the last open mark.
    pub(super) fn close(&mut self) -> Result<(), Limit> {
        self.concat()?;
        if self.swap_bar() {
            self.stack.pop();
        }
        let subs = self.pop_to_mark();
        if let Some(&last) = subs.last() {
            self.tidy(last);
        }
        let cell = self.collapse(subs, Op::Alternate, 0)?;
        self.push(cell)
    }

    /// Replaces the open mark below the top by the group.
    pub(super) fn end_group(&mut self) -> Result<(), Limit> {
        let (Some(body), Some(mark)) = (self.stack.pop(), self.stack.pop()) else {
            return Ok(());
        };
        if self.cells[mark].op == Op::Open {
            return self.push(body);
        }
        self.cells[mark].op = Op::Capture;
        self.cells[mark].subs = vec![body];
        self.push(mark)
    }

    fn concat(&mut self) -> Result<(), Limit> {
        self.join_literals(None);
        let subs = self.pop_to_mark();
        let cell = if subs.is_empty() {
            self.take(Op::Empty)
        } else {
            self.collapse(subs, Op::Concat, 0)?
        };
        self.push(cell)
    }

    fn pop_to_mark(&mut self) -> Vec<CellId> {
        let mark = self.stack.iter().rposition(|&cell| self.cells[cell].op.is_mark());
        self.stack.split_off(mark.map_or(0, |mark| mark + 1))
    }

    fn push(&mut self, cell: CellId) -> Result<(), Limit> {
        let new = &self.cells[cell];
        self.runes += match new.op {
            Op::Literal => new.text.len() as u64,
            Op::Class => 2 * new.set.ranges().len() as u64,
            _ => 0,
        };
        let single = if new.op == Op::Class {
            one_character(new.set.ranges())
        } else {
            None
        };
        if let Some((c, fold)) = single {
            let flags = if fold {
                self.flags | FOLD
            } else {
                self.flags & !FOLD
            };
            if self.join_literals(Some((c, flags))) {
                return Ok(());
            }
            let new = &mut self.cells[cell];
            (new.op, new.flags, new.text) = (Op::Literal, flags, vec![c]);
        } else {
            self.join_literals(None);
        }
        self.stack.push(cell);
        self.check(cell)
    }

    /// Joins the two literals on top, if both are; the freed cell then takes the next literal.
    fn join_literals(&mut self, next: Option<(u32, u8)>) -> bool {
        let &[.., below, top] = &self.stack[..] else {
            return false;
        };
        let literals = self.cells[below].op == Op::Literal && self.cells[top].op == Op::Literal;
        if !literals || (self.cells[below].flags ^ self.cells[top].flags) & FOLD != 0 {
            return false;
        }
        let mut text = std::mem::take(&mut self.cells[top].text);
        self.cells[below].text.append(&mut text);
        if let Some((c, flags)) = next {
            text.push(c);
            (self.cells[top].text, self.cells[top].flags) = (text, flags);
            return true;
        }
        self.stack.pop();
        self.release(top);
        false
    }

    /// Brings a part above a bar below it, merging it with the part there if both are characters.
    fn swap_bar(&mut self) -> bool {
        let count = self.stack.len();
        if count < 2 || self.cells[self.stack[count - 2]].op != Op::Bar {
            return false;
        }
        let top = self.stack[count - 1];
        if count >= 3 {
            let below = self.stack[count - 3];
            if self.is_characters(top) && self.is_characters(below) {
                let (from, into) = if self.cells[top].op > self.cells[below].op {
                    (below, top)
                } else {
                    (top, below)
                };
                self.stack[count - 3] = into;
                self.merge(into, from);
                self.release(from);
                self.stack.pop();
                return true;
            }
            self.tidy(below);
        }
        self.stack.swap(count - 2, count - 1);
        true
    }

    fn take(&mut self, op: Op) -> CellId {
        let new = Cell {
            op,
            flags: self.flags,
            text: Vec::new(),
            set: Set::Raw(Vec::new(), 0),
            subs: Vec::new(),
            min: 0,
            max: None,
            greedy: true,
        };
        if let Some(cell) = self.free.pop() {
            self.cells[cell] = new;
            return cell;
        }
        self.taken += 1;
        self.cells.push(new);
        self.cells.len() - 1
    }

    fn release(&mut self, cell: CellId) {
        if let Some(height) = self.heights.as_mut().and_then(|heights| heights.get_mut(cell)) {
            *height = 0;
        }
        self.free.push(cell);
    }
}

/// The character a class comes down to, and whether it is one of two cases.
fn one_character(ranges: &[(u32, u32)]) -> Option<(u32, bool)> {
    let pair = |a, b| unicode::simple_fold(a) == b && unicode::simple_fold(b) == a;
    match *ranges {
        [(lo, hi)] if lo == hi => Some((lo, false)),
        [(lo, hi)] if lo + 1 == hi && pair(lo, hi) => Some((lo, true)),
        [(a, a2), (b, b2)] if a == a2 && b == b2 && pair(a, b) => Some((a, true)),
        _ => None,
    }
}
