//! What is reached without consuming.

use super::live::Live;
use crate::pattern::program::{Inst, Pc, Program, Side, holds};

/// Follows splits and assertions that hold; reused, as it keeps a mark per state.
#[derive(Debug)]
pub(super) struct Closure {
    marks: Vec<u32>,
    round: u32,
    waiting: Vec<Pc>,
    /// The states reached that consume.
    pub(super) chars: Vec<Pc>,
    /// Whether the final state was reached.
    pub(super) accepts: bool,
    /// States looked at in all.
    pub(super) work: u64,
}

impl Closure {
    pub(super) fn new(program: &Program) -> Closure {
        let marks = vec![0; program.insts.len()];
        Closure {
            marks,
            round: 0,
            waiting: Vec::new(),
            chars: Vec::new(),
            accepts: false,
            work: 0,
        }
    }

    /// Reaches from `from` between two sides, leaving out what leads nowhere.
    pub(super) fn run(&mut self, program: &Program, live: &Live, from: &[Pc], before: Side, after: Side) {
        self.round += 1;
        self.chars.clear();
        self.accepts = false;
        self.waiting.extend(from.iter().rev());
        while let Some(pc) = self.waiting.pop() {
            self.work += 1;
            let mark = &mut self.marks[pc as usize];
            if *mark == self.round || !live.is_live_with(pc, before, after) {
                continue;
            }
            *mark = self.round;
            match &program.insts[pc as usize] {
                Inst::Char { .. } => self.chars.push(pc),
                Inst::Split(entries) => self.waiting.extend(entries.iter().rev()),
                Inst::Look { look, next, .. } if holds(*look, before, after) => self.waiting.push(*next),
                Inst::Look { .. } => {}
                Inst::Final => self.accepts = true,
            }
        }
    }
}
