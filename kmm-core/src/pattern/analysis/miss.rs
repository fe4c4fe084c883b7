//! Why a kernel does not match, as near as it came.

use std::ops::Range;

use super::MAX_STATES;
use super::live::Live;
use super::nothing::Nothing;
use super::render::Expected;
use crate::pattern::Pattern;
use crate::pattern::charset::CharSet;
use crate::pattern::program::{Alphabet, Builder, Inst, NO_NODE, Pc, Program, Side, holds};
use crate::pattern::syntax::NodeId;

/// States looked at before giving up.
const BUDGET: u64 = 5_000_000;

/// Why a pattern does not match a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It does match, there.
    Matches(Range<usize>),
    /// It matches no kernel release at all.
    MatchesNothing(Nothing),
    /// It got so far.
    Stopped(Stop),
    /// The question was too large.
    CannotTell,
}

/// How far a match got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The longest part of the kernel that some text could have continued to a match; the first of them.
    pub matched: Range<usize>,
    /// What could have come after it.
    pub expected: Expected,
    /// Where the attempt that got most of the written characters right was stopped.
    ///
    /// For `^.+\.fc37$` this is the place to show: `.+` takes any kernel to its end, so `matched` says little.
    pub stuck: Option<Stuck>,
}

/// A part of the pattern that the kernel did not give what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The byte of the kernel.
    pub at: usize,
    /// The part of the pattern.
    pub pattern: Range<usize>,
    /// What that part asks for; nothing, if it is an assertion.
    pub expected: Expected,
}

impl Pattern {
    /// Says how near `kernel` came to a match, and what was missing.
    ///
    /// # Example: one digit off
    ///
    /// ```
    /// use kmm_core::pattern::{Miss, Pattern};
    ///
    /// let pattern = Pattern::parse(r"^5\.14\.0-.+\.el9")?;
    /// let Miss::Stopped(stop) = pattern.explain_miss("5.15.0-1.el9") else { panic!() };
    /// assert_eq!(stop.matched, 0..3);
    /// assert_eq!(stop.expected.to_string(), "`4`");
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn explain_miss(&self, kernel: &str) -> Miss {
        if let Some(found) = self.find(kernel) {
            return Miss::Matches(found);
        }
        if let Some(nothing) = self.matches_nothing() {
            return Miss::MatchesNothing(nothing);
        }
        let mut builder = Builder::new(Alphabet::Text, MAX_STATES);
        if builder.anchored(self.ast()).is_err() {
            return Miss::CannotTell;
        }
        let Ok(program) = builder.finish() else {
            return Miss::CannotTell;
        };
        let live = Live::new(&program, Alphabet::Text, false);
        let marks = vec![0; program.insts.len()];
        let attempts = Attempts {
            pattern: self,
            program,
            live,
            marks,
            round: 0,
            work: 0,
            best: None,
            stuck: None,
        };
        attempts.run(kernel).map_or(Miss::CannotTell, Miss::Stopped)
    }
}

/// A state and how many characters that the pattern spells out led to it.
type Thread = (Pc, u32);

struct Attempts<'p> {
    pattern: &'p Pattern,
    program: Program,
    live: Live,
    marks: Vec<u32>,
    round: u32,
    work: u64,
    /// The longest part yet, with what was reached after it.
    best: Option<(Range<usize>, Vec<Thread>, Side)>,
    /// Characters got right, place in the kernel, and the node that was not satisfied.
    stuck: Option<(u32, usize, NodeId)>,
}

impl Attempts<'_> {
    fn run(mut self, kernel: &str) -> Option<Stop> {
        let starts = kernel.char_indices().map(|(at, _)| at).chain([kernel.len()]);
        for start in starts {
            let before = kernel[..start].chars().next_back().map_or(Side::Edge, Side::of);
            self.attempt(kernel, start, before);
            if self.work > BUDGET {
                return None;
            }
            if self.pattern.is_anchored_start() {
                break;
            }
        }
        let (matched, threads, before) = match self.best.take() {
            Some(best) => best,
            None => (0..0, Vec::new(), Side::Edge),
        };
        let expected = self.expected(&threads, before);
        let stuck = self.stuck.map(|(_, at, node)| {
            let node = self.pattern.ast().node(node);
            let set = node
                .char_set()
                .map(|set| CharSet::clone(&set))
                .unwrap_or_default();
            Stuck {
                at,
                pattern: node.span(),
                expected: Expected { set, end: false },
            }
        });
        Some(Stop {
            matched,
            expected,
            stuck,
        })
    }

    fn attempt(&mut self, kernel: &str, start: usize, mut before: Side) {
        let mut threads = vec![(self.program.start, 0)];
        let mut at = start;
        let mut rest = kernel[start..].chars();
        loop {
            threads.retain(|&(pc, _)| self.live.is_live(pc, before));
            if threads.is_empty() || self.work > BUDGET {
                return;
            }
            let longer = self
                .best
                .as_ref()
                .is_none_or(|(range, ..)| range.len() < at - start);
            if longer {
                self.best = Some((start..at, threads.clone(), before));
            }
            let Some(c) = rest.next() else {
                self.closure(&threads, before, Side::Edge, at, None);
                return;
            };
            let side = Side::of(c);
            threads = self.closure(&threads, before, side, at, Some(c));
            before = side;
            at += c.len_utf8();
        }
    }

    /// The threads after `c`, which stands at `at`; best ones first. Notes what was not satisfied.
    fn closure(
        &mut self,
        from: &[Thread],
        before: Side,
        after: Side,
        at: usize,
        c: Option<char>,
    ) -> Vec<Thread> {
        self.round += 1;
        let mut next: Vec<Thread> = Vec::new();
        let mut waiting: Vec<Thread> = Vec::new();
        for &thread in from {
            waiting.push(thread);
            while let Some((pc, score)) = waiting.pop() {
                self.work += 1;
                if self.marks[pc as usize] == self.round {
                    continue;
                }
                self.marks[pc as usize] = self.round;
                match &self.program.insts[pc as usize] {
                    Inst::Split(entries) => waiting.extend(entries.iter().rev().map(|&entry| (entry, score))),
                    Inst::Final => {}
                    Inst::Look { look, next, .. } if holds(*look, before, after) => {
                        waiting.push((*next, score));
                    }
                    Inst::Look { node, .. } => note(&mut self.stuck, (score, at, *node)),
                    Inst::Char {
                        set,
                        next: target,
                        node,
                    } => {
                        let set = &self.program.sets[*set as usize];
                        if c.is_some_and(|c| set.set.contains(c as u32)) {
                            let spelled = set.kernel.count_ones() <= 2;
                            next.push((*target, score + u32::from(spelled)));
                        } else {
                            note(&mut self.stuck, (score, at, *node));
                        }
                    }
                }
            }
        }
        // A state keeps the best score, and the best are followed first.
        next.sort_unstable_by_key(|&(pc, score)| (std::cmp::Reverse(score), pc));
        let mut seen = std::collections::HashSet::new();
        next.retain(|&(pc, _)| seen.insert(pc));
        next
    }

    fn expected(&self, threads: &[Thread], before: Side) -> Expected {
        let pcs: Vec<Pc> = threads.iter().map(|&(pc, _)| pc).collect();
        let mut closure = super::closure::Closure::new(&self.program);
        let mut ranges = Vec::new();
        for side in Side::CHARACTERS {
            closure.run(&self.program, &self.live, &pcs, before, side);
            if closure.accepts {
                ranges.extend_from_slice(side.set().ranges());
            }
            for &pc in &closure.chars {
                if let Inst::Char { set, next, .. } = self.program.insts[pc as usize]
                    && self.live.is_live(next, side)
                {
                    let set = self.program.sets[set as usize].set.intersection(&side.set());
                    ranges.extend_from_slice(set.ranges());
                }
            }
        }
        closure.run(&self.program, &self.live, &pcs, before, Side::Edge);
        Expected {
            set: CharSet::from_ranges(ranges),
            end: closure.accepts,
        }
    }
}

/// Keeps what got most right, then what got farthest; the first of equals.
fn note(stuck: &mut Option<(u32, usize, NodeId)>, new: (u32, usize, NodeId)) {
    let better = stuck.is_none_or(|old| (old.0, old.1) < (new.0, new.1));
    if better && new.2 != NO_NODE {
        *stuck = Some(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(source: &str, kernel: &str) -> Stop {
        match Pattern::parse(source).unwrap().explain_miss(kernel) {
            Miss::Stopped(stop) => stop,
            other => panic!("{source} on {kernel}: {other:?}"),
        }
    }

    #[test]
    fn how_far_it_came() {
        for (source, kernel, matched, expected) in [
            (r"^5\.14\.0", "5.15.0", 0..3, "`4`"),
            (r"^5\.14\.[0-9]", "5.14.x", 0..5, "`[0-9]`"),
            (r"^5\.14$", "5.14.0", 0..4, "the end of the text"),
            (r"^5\.14$", "5.1", 0..3, "`4`"),
            (r"el9_\d", "5.14.0-el9.x86_64", 7..10, "`_`"),
            (
                r"^5\.1\b",
                "5.14",
                0..3,
                r"`[^0-9A-Z_a-z]` or the end of the text",
            ),
            (r"^6|^7", "5.14", 0..0, "`[67]`"),
            ("(?i)^fc", "el", 0..0, "`[Ff]`"),
        ] {
            let stop = stop(source, kernel);
            assert_eq!(
                (stop.matched, stop.expected.to_string().as_str()),
                (matched, expected),
                "{source} on {kernel}"
            );
        }
    }

    #[test]
    fn where_it_was_stuck() {
        let stuck = stop(r"^.+\.fc37\.x86_64$", "6.0.15-300.fc38.x86_64")
            .stuck
            .unwrap();
        assert_eq!(
            (stuck.at, stuck.pattern, stuck.expected.to_string().as_str()),
            (14, 8..9, "`7`")
        );
        let stuck = stop(r"^5\.14\.0$|^6\.", "5.14.1").stuck.unwrap();
        assert_eq!((stuck.at, stuck.pattern), (5, 8..9));
        let stuck = stop(r"^5\.14$", "5.14.0").stuck.unwrap();
        assert_eq!(
            (stuck.at, stuck.pattern, stuck.expected.to_string().as_str()),
            (4, 6..7, "nothing")
        );
    }
}
