//! From which states a match can still be had.

use crate::pattern::program::{Alphabet, Inst, Pc, Program, Side, holds};

/// For each state, the pairs of sides (before, after) in which some text leads on to the end.
#[derive(Debug)]
pub(super) struct Live {
    masks: Vec<u16>,
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
        Live { masks }
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
