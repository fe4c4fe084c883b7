//! The shortest kernel release that one program accepts and others do or do not.

use std::collections::HashSet;

use super::closure::Closure;
use super::determine::{Automaton, StateId};
use super::live::Live;
use super::symbols::Symbols;
use crate::pattern::kernel::MAX_LENGTH;
use crate::pattern::program::{Alphabet, Inst, Pc, Program, Side};

/// Steps that a new place counts for: it takes memory too.
const PLACE_COST: u64 = 8;

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Text(String),
    Nothing,
    CannotTell,
}

/// A text that `wanted` accepts, `like` accepts too, and `unlike` does not.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) wanted: Program,
    pub(super) like: Option<Program>,
    pub(super) unlike: Option<Program>,
    /// Steps before giving up.
    pub(super) budget: u64,
}

/// A place in the product of all programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    pc: Pc,
    before: Side,
    like: StateId,
    unlike: StateId,
}

struct Step {
    place: Place,
    from: usize,
    byte: u8,
    length: usize,
}

impl Query {
    pub(super) fn run(self) -> Found {
        let programs = [Some(&self.wanted), self.like.as_ref(), self.unlike.as_ref()];
        let sets = programs
            .into_iter()
            .flatten()
            .flat_map(|program| program.sets.iter().map(|set| set.kernel));
        let symbols = Symbols::new(sets);
        let like = self.like.map(|program| Automaton::new(program, &symbols));
        let unlike = self.unlike.map(|program| Automaton::new(program, &symbols));
        let live = Live::new(&self.wanted, Alphabet::Kernel, true);
        let closure = Closure::new(&self.wanted);
        Walk {
            wanted: self.wanted,
            live,
            closure,
            like,
            unlike,
            symbols,
            budget: self.budget,
        }
        .run()
    }
}

struct Walk {
    wanted: Program,
    live: Live,
    closure: Closure,
    like: Option<Automaton>,
    unlike: Option<Automaton>,
    symbols: Symbols,
    budget: u64,
}

impl Walk {
    /// Breadth first, so the first found is a shortest one.
    fn run(mut self) -> Found {
        let start = Place {
            pc: self.wanted.start,
            before: Side::Edge,
            like: self.like.as_ref().map_or(0, Automaton::start),
            unlike: self.unlike.as_ref().map_or(0, Automaton::start),
        };
        if !self.live.is_live(start.pc, Side::Edge) || self.live.least(start.pc) > MAX_LENGTH {
            return Found::Nothing;
        }
        let mut seen = HashSet::from([start]);
        let mut steps = vec![Step {
            place: start,
            from: 0,
            byte: 0,
            length: 0,
        }];
        let mut at = 0;
        let mut work = 0u64;
        while at < steps.len() {
            let Step { place, length, .. } = steps[at];
            if length == MAX_LENGTH {
                break;
            }
            let reached = [Side::Word, Side::Other].map(|side| {
                self.closure
                    .run(&self.wanted, &self.live, &[place.pc], place.before, side);
                self.closure.chars.clone()
            });
            for symbol in 0..self.symbols.bytes.len() {
                let byte = self.symbols.bytes[symbol];
                let side = Side::of(char::from(byte));
                let reached = &reached[usize::from(side == Side::Other)];
                work += reached.len() as u64;
                let nexts = self.nexts(reached, byte, side, MAX_LENGTH - length - 1);
                let Some((like, unlike)) = self.advance(place, symbol, byte, nexts.is_empty()) else {
                    continue;
                };
                for pc in nexts {
                    let place = Place {
                        pc,
                        before: side,
                        like,
                        unlike,
                    };
                    if !seen.insert(place) {
                        continue;
                    }
                    work += PLACE_COST;
                    steps.push(Step {
                        place,
                        from: at,
                        byte,
                        length: length + 1,
                    });
                    if self.accepts(place) {
                        return spell(&steps);
                    }
                }
            }
            if self.spent(work) {
                return Found::CannotTell;
            }
            at += 1;
        }
        Found::Nothing
    }

    /// The states after a byte from which the end is no more than `room` characters away.
    fn nexts(&self, reached: &[Pc], byte: u8, side: Side, room: usize) -> Vec<Pc> {
        let mut nexts = Vec::new();
        for &pc in reached {
            if let Inst::Char { set, next, .. } = self.wanted.insts[pc as usize]
                && self.wanted.sets[set as usize].kernel >> byte & 1 == 1
                && self.live.is_live(next, side)
                && self.live.least(next) <= room
            {
                nexts.push(next);
            }
        }
        nexts
    }

    /// The states of the others after a symbol, unless they rule out all that follows.
    fn advance(&mut self, place: Place, symbol: usize, byte: u8, idle: bool) -> Option<(StateId, StateId)> {
        if idle {
            return None;
        }
        let mut next = (0, 0);
        if let Some(like) = &mut self.like {
            next.0 = like.step(place.like, symbol, byte);
            if like.is_dead(next.0) {
                return None;
            }
        }
        if let Some(unlike) = &mut self.unlike {
            next.1 = unlike.step(place.unlike, symbol, byte);
            if unlike.is_done(next.1) {
                return None;
            }
        }
        Some(next)
    }

    fn accepts(&mut self, place: Place) -> bool {
        self.closure
            .run(&self.wanted, &self.live, &[place.pc], place.before, Side::Edge);
        self.closure.accepts
            && self.like.as_mut().is_none_or(|like| like.accepts(place.like))
            && self
                .unlike
                .as_mut()
                .is_none_or(|unlike| !unlike.accepts(place.unlike))
    }

    fn spent(&self, work: u64) -> bool {
        let others = [&self.like, &self.unlike]
            .into_iter()
            .flatten()
            .map(Automaton::work)
            .sum::<u64>();
        work + self.closure.work + others > self.budget
    }
}

fn spell(steps: &[Step]) -> Found {
    let mut bytes = Vec::new();
    let mut at = steps.len() - 1;
    while at > 0 {
        bytes.push(char::from(steps[at].byte));
        at = steps[at].from;
    }
    Found::Text(bytes.into_iter().rev().collect())
}
