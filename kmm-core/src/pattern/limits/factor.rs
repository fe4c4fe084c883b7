//! Merging alternatives: into classes, and by what they start with.

use super::{Cell, CellId, FOLD, Limit, Op, Set, Shape};
use crate::pattern::charset::{CharSet, MAX};

/// Every level of factoring is a level of the tree, so deeper ones are refused anyway.
const MAX_FACTORING: usize = 1001;

impl Shape {
    /// One cell for all of `subs`, without sequences in sequences and choices in choices.
    pub(super) fn collapse(&mut self, subs: Vec<CellId>, op: Op, depth: usize) -> Result<CellId, Limit> {
        if let [only] = subs[..] {
            return Ok(only);
        }
        let cell = self.take(op);
        let mut all = Vec::with_capacity(subs.len());
        for sub in subs {
            if self.cells[sub].op == op {
                all.append(&mut self.cells[sub].subs);
                self.release(sub);
            } else {
                all.push(sub);
            }
        }
        if op == Op::Alternate {
            if depth > MAX_FACTORING {
                return Err(Limit::Depth);
            }
            all = self.factor(all, depth)?;
            if let [only] = all[..] {
                self.release(cell);
                return Ok(only);
            }
        }
        self.cells[cell].subs = all;
        Ok(cell)
    }

    fn factor(&mut self, subs: Vec<CellId>, depth: usize) -> Result<Vec<CellId>, Limit> {
        if subs.len() < 2 {
            return Ok(subs);
        }
        let subs = self.factor_text(subs, depth)?;
        let subs = self.factor_class(subs, depth)?;
        let subs = self.merge_characters(&subs);
        Ok(self.merge_empties(&subs))
    }

    /// `abc|abd` to `ab(?:c|d)`.
    fn factor_text(&mut self, subs: Vec<CellId>, depth: usize) -> Result<Vec<CellId>, Limit> {
        let mut out = Vec::with_capacity(subs.len());
        let mut run: Vec<CellId> = Vec::new();
        let (mut length, mut fold) = (0, 0);
        for sub in subs {
            if let (Some(&first), Some(literal)) = (run.first(), self.leading_text(sub)) {
                let (text, flags) = self.leading(first);
                let other = &self.cells[literal];
                let common = text[..length]
                    .iter()
                    .zip(&other.text)
                    .take_while(|(a, b)| a == b)
                    .count();
                if flags == fold && other.flags & FOLD == fold && common > 0 {
                    length = common;
                    run.push(sub);
                    continue;
                }
            }
            self.end_text_run(&mut run, length, fold, &mut out, depth)?;
            let (text, flags) = self.leading(sub);
            (length, fold) = (text.len(), flags);
            run.push(sub);
        }
        self.end_text_run(&mut run, length, fold, &mut out, depth)?;
        Ok(out)
    }

    fn end_text_run(
        &mut self,
        run: &mut Vec<CellId>,
        length: usize,
        fold: u8,
        out: &mut Vec<CellId>,
        depth: usize,
    ) -> Result<(), Limit> {
        if run.len() < 2 {
            out.append(run);
            return Ok(());
        }
        let text = self.leading(run[0]).0[..length].to_vec();
        let prefix = self.take(Op::Literal);
        (self.cells[prefix].flags, self.cells[prefix].text) = (fold, text);
        for sub in run.iter_mut() {
            *sub = self.drop_text(*sub, length);
            self.check(*sub)?;
        }
        let suffix = self.collapse(std::mem::take(run), Op::Alternate, depth + 1)?;
        out.push(self.sequence(prefix, suffix));
        Ok(())
    }

    /// `[ab]c|[ab]d` to `[ab](?:c|d)`; also for a fixed count of a class.
    fn factor_class(&mut self, subs: Vec<CellId>, depth: usize) -> Result<Vec<CellId>, Limit> {
        let mut out = Vec::with_capacity(subs.len());
        let mut run: Vec<CellId> = Vec::new();
        let mut first = None;
        for sub in subs {
            let leading = self.leading_cell(sub);
            if let (Some(a), Some(b)) = (first, leading)
                && self.is_fixed_characters(a)
                && self.same(a, b)
            {
                run.push(sub);
                continue;
            }
            self.end_class_run(&mut run, first, &mut out, depth)?;
            first = leading;
            run.push(sub);
        }
        self.end_class_run(&mut run, first, &mut out, depth)?;
        Ok(out)
    }

    fn end_class_run(
        &mut self,
        run: &mut Vec<CellId>,
        first: Option<CellId>,
        out: &mut Vec<CellId>,
        depth: usize,
    ) -> Result<(), Limit> {
        let (Some(prefix), true) = (first, run.len() > 1) else {
            out.append(run);
            return Ok(());
        };
        for (at, sub) in run.iter_mut().enumerate() {
            *sub = self.drop_leading(*sub, at > 0);
            self.check(*sub)?;
        }
        let suffix = self.collapse(std::mem::take(run), Op::Alternate, depth + 1)?;
        out.push(self.sequence(prefix, suffix));
        Ok(())
    }

    /// `a|[b-d]` to `[a-d]`.
    fn merge_characters(&mut self, subs: &[CellId]) -> Vec<CellId> {
        let mut out = Vec::with_capacity(subs.len());
        let mut start = 0;
        for end in 0..=subs.len() {
            if subs.get(end).is_some_and(|&sub| self.is_characters(sub)) {
                continue;
            }
            let run = &subs[start..end];
            if run.len() > 1 {
                let mut run = run.to_vec();
                let mut most = 0;
                for at in 1..run.len() {
                    if self.rank(run[most]) < self.rank(run[at]) {
                        most = at;
                    }
                }
                run.swap(0, most);
                for &other in &run[1..] {
                    self.merge(run[0], other);
                    self.release(other);
                }
                self.tidy(run[0]);
                out.push(run[0]);
            } else {
                out.extend_from_slice(run);
            }
            out.extend(subs.get(end));
            start = end + 1;
        }
        out
    }

    fn merge_empties(&self, subs: &[CellId]) -> Vec<CellId> {
        let empty = |sub: Option<&CellId>| sub.is_some_and(|&sub| self.cells[sub].op == Op::Empty);
        let keep = |at: usize| !(empty(subs.get(at)) && empty(subs.get(at + 1)));
        (0..subs.len())
            .filter(|&at| keep(at))
            .map(|at| subs[at])
            .collect()
    }

    fn rank(&self, cell: CellId) -> (Op, usize) {
        let cell = &self.cells[cell];
        let length = if cell.op == Op::Literal {
            cell.text.len()
        } else {
            2 * cell.set.ranges().len()
        };
        (cell.op, length)
    }

    fn sequence(&mut self, prefix: CellId, suffix: CellId) -> CellId {
        let cell = self.take(Op::Concat);
        self.cells[cell].subs = vec![prefix, suffix];
        cell
    }

    fn leading_text(&self, cell: CellId) -> Option<CellId> {
        let first = match (self.cells[cell].op, self.cells[cell].subs.first()) {
            (Op::Concat, Some(&first)) => first,
            _ => cell,
        };
        (self.cells[first].op == Op::Literal).then_some(first)
    }

    fn leading(&self, cell: CellId) -> (&[u32], u8) {
        match self.leading_text(cell) {
            Some(literal) => (&self.cells[literal].text, self.cells[literal].flags & FOLD),
            None => (&[], 0),
        }
    }

    fn drop_text(&mut self, cell: CellId, length: usize) -> CellId {
        if self.cells[cell].op != Op::Concat || self.cells[cell].subs.is_empty() {
            self.shorten(cell, length);
            return cell;
        }
        let first = self.cells[cell].subs[0];
        self.shorten(first, length);
        if self.cells[first].op != Op::Empty {
            return cell;
        }
        self.release(first);
        self.cells[cell].subs.remove(0);
        self.unwrap_single(cell)
    }

    fn shorten(&mut self, cell: CellId, length: usize) {
        let cell = &mut self.cells[cell];
        if cell.op == Op::Literal {
            cell.text.drain(..length);
            if cell.text.is_empty() {
                cell.op = Op::Empty;
            }
        }
    }

    fn leading_cell(&self, cell: CellId) -> Option<CellId> {
        let first = match (self.cells[cell].op, self.cells[cell].subs.first()) {
            (Op::Concat, Some(&first)) => first,
            _ => cell,
        };
        (self.cells[first].op != Op::Empty).then_some(first)
    }

    fn drop_leading(&mut self, cell: CellId, release: bool) -> CellId {
        if self.cells[cell].op == Op::Concat && !self.cells[cell].subs.is_empty() {
            let first = self.cells[cell].subs.remove(0);
            if release {
                self.release(first);
            }
            return self.unwrap_single(cell);
        }
        if release {
            self.release(cell);
        }
        self.take(Op::Empty)
    }

    /// A sequence of one is that one; a sequence of none is empty.
    fn unwrap_single(&mut self, cell: CellId) -> CellId {
        match self.cells[cell].subs[..] {
            [] => self.cells[cell].op = Op::Empty,
            [only] => {
                self.release(cell);
                return only;
            }
            _ => {}
        }
        cell
    }

    /// A literal of one character, a class or a dot.
    pub(super) fn is_characters(&self, cell: CellId) -> bool {
        let cell = &self.cells[cell];
        match cell.op {
            Op::Literal => cell.text.len() == 1,
            Op::Class | Op::AnyChar | Op::AnyCharNotNewline => true,
            _ => false,
        }
    }

    fn is_fixed_characters(&self, cell: CellId) -> bool {
        let this = &self.cells[cell];
        self.is_characters(cell)
            || (this.op == Op::Repeat && this.max == Some(this.min) && self.is_characters(this.subs[0]))
    }

    fn same(&self, a: CellId, b: CellId) -> bool {
        let (a, b) = (&self.cells[a], &self.cells[b]);
        if a.op != b.op {
            return false;
        }
        match a.op {
            Op::Literal => (a.flags ^ b.flags) & FOLD == 0 && a.text == b.text,
            Op::Class => (a.flags ^ b.flags) & FOLD == 0 && a.set.ranges() == b.set.ranges(),
            // Only asked when `a` is a count of characters.
            Op::Repeat => {
                a.greedy == b.greedy && a.min == b.min && a.max == b.max && self.same(a.subs[0], b.subs[0])
            }
            _ => true,
        }
    }

    /// Adds the characters of `from` to `into`, which is no lesser than it.
    pub(super) fn merge(&mut self, into: CellId, from: CellId) {
        let source = std::mem::replace(&mut self.cells[from].set, Set::Raw(Vec::new(), 0));
        let (op, flags) = (self.cells[from].op, self.cells[from].flags);
        let character = self.cells[from].text.first().copied().unwrap_or(0);
        let target = &mut self.cells[into];
        match target.op {
            Op::AnyCharNotNewline => {
                let newline = match op {
                    Op::Literal => character == 0xA,
                    Op::Class => source.ranges().iter().any(|&(lo, hi)| lo <= 0xA && 0xA <= hi),
                    _ => false,
                };
                if newline {
                    target.op = Op::AnyChar;
                }
            }
            Op::Class if op == Op::Literal => target.set.add(either_case(character, flags).ranges()),
            Op::Class => target.set.add(source.ranges()),
            Op::Literal => {
                let own = target.text[0];
                if own == character && flags == target.flags {
                    return;
                }
                target.op = Op::Class;
                target.set = Set::Raw(Vec::new(), 0);
                target.set.add(either_case(own, target.flags).ranges());
                target.set.add(either_case(character, flags).ranges());
            }
            _ => {}
        }
    }

    /// Sorts the members of a class; the two widest classes become dots.
    pub(super) fn tidy(&mut self, cell: CellId) {
        let Cell { op, set, .. } = &mut self.cells[cell];
        if *op != Op::Class {
            return;
        }
        set.tidy();
        match set.ranges() {
            [(0, MAX)] => *op = Op::AnyChar,
            [(0, 0x9), (0xB, MAX)] => *op = Op::AnyCharNotNewline,
            _ => return,
        }
        *set = Set::Raw(Vec::new(), 0);
    }
}

fn either_case(c: u32, flags: u8) -> CharSet {
    if flags & FOLD == 0 {
        CharSet::single(c)
    } else {
        CharSet::folded_single(c)
    }
}
