//! Searching by following all states at once, one character at a time.

use std::ops::Range;

use crate::pattern::program::{Alphabet, Builder, Inst, Pc, Program, Side, TooLarge, holds};
use crate::pattern::syntax::{Ast, Look};

/// States of one pattern; each takes some tens of bytes.
const MAX_STATES: usize = 400_000;

#[derive(Debug)]
pub(super) struct Threads {
    program: Program,
}

/// The states reached before a character, most preferred first, each with where its match started.
#[derive(Debug, Default)]
struct List {
    threads: Vec<(Pc, usize)>,
    /// The match found, and that no less preferred state is followed.
    found: Option<usize>,
}

impl Threads {
    pub(super) fn new(ast: &Ast) -> Result<Threads, TooLarge> {
        let mut builder = Builder::new(Alphabet::Text, MAX_STATES);
        builder.anchored(ast)?;
        Ok(Threads {
            program: builder.finish()?,
        })
    }

    /// The leftmost match, preferring what is written first; with `any`, the first found.
    pub(super) fn search(&self, text: &str, any: bool) -> Option<Range<usize>> {
        let mut marks = vec![usize::MAX; self.program.insts.len()];
        let mut found: Option<Range<usize>> = None;
        let mut before = Side::Edge;
        let mut from: Vec<(Pc, usize)> = Vec::new();
        let mut rest = text.char_indices();
        loop {
            let (at, c) = match rest.next() {
                Some((at, c)) => (at, Some(c)),
                None => (text.len(), None),
            };
            let after = c.map_or(Side::Edge, Side::of);
            // A new match starts here unless one that started earlier is found.
            if found.is_none() {
                from.push((self.program.start, at));
            }
            let list = self.follow(&from, before, after, at, &mut marks);
            if let Some(start) = list.found {
                found = Some(start..at);
                if any {
                    return found;
                }
            }
            let Some(c) = c else { return found };
            from.clear();
            for (pc, start) in list.threads {
                if let Inst::Char { set, next, .. } = self.program.insts[pc as usize]
                    && self.program.sets[set as usize].set.contains(c as u32)
                {
                    from.push((next, start));
                }
            }
            if from.is_empty() && found.is_some() {
                return found;
            }
            before = after;
        }
    }

    fn follow(
        &self,
        from: &[(Pc, usize)],
        before: Side,
        after: Side,
        at: usize,
        marks: &mut [usize],
    ) -> List {
        let mut list = List::default();
        let mut waiting = Vec::new();
        for &(pc, start) in from {
            waiting.push(pc);
            while let Some(pc) = waiting.pop() {
                if marks[pc as usize] == at {
                    continue;
                }
                marks[pc as usize] = at;
                match &self.program.insts[pc as usize] {
                    Inst::Char { .. } => list.threads.push((pc, start)),
                    Inst::Split(entries) => waiting.extend(entries.iter().rev()),
                    Inst::Look { look, next, .. } if holds(*look, before, after) => waiting.push(*next),
                    Inst::Look { .. } => {}
                    Inst::Final => {
                        list.found = Some(start);
                        return list;
                    }
                }
            }
        }
        list
    }

    /// Whether every way through passes `^`, and whether every way passes `$`.
    pub(super) fn anchors(&self) -> (bool, bool) {
        let start = !self.reaches(self.program.start, |look| look == Look::TextStart, true);
        let end = !self.reaches(self.program.start, |look| look == Look::TextEnd, false);
        (start, end)
    }

    /// Whether something is consumed, or the end reached, without passing a certain assertion.
    ///
    /// Either stops at the first character, or goes through all of them.
    fn reaches(&self, start: Pc, closed: impl Fn(Look) -> bool, to_char: bool) -> bool {
        let mut seen = vec![false; self.program.insts.len()];
        let mut waiting = vec![start];
        while let Some(pc) = waiting.pop() {
            if std::mem::replace(&mut seen[pc as usize], true) {
                continue;
            }
            match &self.program.insts[pc as usize] {
                Inst::Final => return true,
                Inst::Char { .. } if to_char => return true,
                Inst::Char { next, .. } => waiting.push(*next),
                Inst::Split(entries) => waiting.extend(entries),
                Inst::Look { look, next, .. } if !closed(*look) => waiting.push(*next),
                Inst::Look { .. } => {}
            }
        }
        false
    }
}
