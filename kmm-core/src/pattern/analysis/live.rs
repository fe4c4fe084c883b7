//! From which states a match can still be had.

use std::collections::VecDeque;

use crate::pattern::program::{Alphabet, Inst, Pc, Program, Side, holds};

/// For each state, the pairs of sides (before, after) in which some text leads on to the end.
#[derive(Debug)]
pub(super) struct Live {
    masks: Vec<u16>,
    /// Characters that must follow at least; assertions may ask for more.
    least: Vec<u32>,
}

fn bit(before: Side, after: Side) -> u16 {
    1 << (before as u16 * 4 + after as u16)
}

fn row(before: Side) -> u16 {
    0xF << (before as u16 * 4)
}

fn column(after: Side) -> u16 {
    0x1111 << (after as u16)
}

impl Live {
    /// With `whole`, the final state counts at the end of the text only.
    pub(super) fn new(program: &Program, alphabet: Alphabet, whole: bool) -> Live {
        let count = program.insts.len();
        let mut before: Vec<Vec<Pc>> = vec![Vec::new(); count];
        let mut queue = Vec::new();
        let mut masks = vec![0u16; count];
        for (pc, inst) in program.insts.iter().enumerate() {
            match inst {
                Inst::Char { next, .. } | Inst::Look { next, .. } => before[*next as usize].push(pc as Pc),
                Inst::Split(entries) => entries
                    .iter()
                    .for_each(|&next| before[next as usize].push(pc as Pc)),
                Inst::Final => {
                    masks[pc] = if whole { column(Side::Edge) } else { u16::MAX };
                    queue.push(pc);
                }
            }
        }
        while let Some(pc) = queue.pop() {
            for &from in &before[pc] {
                let mask = Live::derive(program, alphabet, &masks, from);
                if mask & !masks[from as usize] != 0 {
                    masks[from as usize] |= mask;
                    queue.push(from as usize);
                }
            }
        }
        let least = least(program, &before);
        Live { masks, least }
    }

    /// How many characters lie between a state and the end, at least.
    pub(super) fn least(&self, pc: Pc) -> usize {
        self.least[pc as usize] as usize
    }

    fn derive(program: &Program, alphabet: Alphabet, masks: &[u16], pc: Pc) -> u16 {
        match &program.insts[pc as usize] {
            Inst::Final => 0,
            Inst::Split(entries) => entries.iter().fold(0, |all, &next| all | masks[next as usize]),
            Inst::Look { look, next, .. } => {
                let mut mask = 0;
                for before in Side::ALL {
                    for after in Side::ALL {
                        if holds(*look, before, after) {
                            mask |= bit(before, after);
                        }
                    }
                }
                mask & masks[*next as usize]
            }
            Inst::Char { set, next, .. } => {
                let set = &program.sets[*set as usize];
                let mut mask = 0;
                for side in Side::CHARACTERS {
                    if set.has(side, alphabet) && masks[*next as usize] & row(side) != 0 {
                        mask |= column(side);
                    }
                }
                mask
            }
        }
    }

    /// Whether some text leads on from here.
    pub(super) fn is_live(&self, pc: Pc, before: Side) -> bool {
        self.masks[pc as usize] & row(before) != 0
    }

    /// Whether some text that starts with a character of that side leads on from here.
    pub(super) fn is_live_with(&self, pc: Pc, before: Side, after: Side) -> bool {
        self.masks[pc as usize] & bit(before, after) != 0
    }
}

fn least(program: &Program, before: &[Vec<Pc>]) -> Vec<u32> {
    let mut least = vec![u32::MAX; before.len()];
    let mut queue = VecDeque::new();
    for (pc, inst) in program.insts.iter().enumerate() {
        if matches!(inst, Inst::Final) {
            least[pc] = 0;
            queue.push_back(pc as Pc);
        }
    }
    // What consumes nothing goes to the front, so that nearer states come first.
    while let Some(pc) = queue.pop_front() {
        for &from in &before[pc as usize] {
            let consumes = matches!(program.insts[from as usize], Inst::Char { .. });
            let distance = least[pc as usize] + u32::from(consumes);
            if distance < least[from as usize] {
                least[from as usize] = distance;
                if consumes {
                    queue.push_back(from);
                } else {
                    queue.push_front(from);
                }
            }
        }
    }
    least
}
