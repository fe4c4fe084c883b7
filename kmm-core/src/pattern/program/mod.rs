//! The tree as a graph of states, one character a step.
//!
//! Searching uses it where automata over bytes would grow too large, analysis uses it always.

mod builder;
mod side;

use std::sync::Arc;

use super::charset::CharSet;
use super::kernel::{ALPHABET, WORD};
use super::syntax::{Look, NodeId};

pub(super) use builder::Builder;
pub(super) use side::{Side, holds};

pub(super) type Pc = u32;

/// A graph too large to look at.
#[derive(Debug)]
pub(super) struct TooLarge;

#[derive(Debug)]
pub(super) enum Inst {
    /// Consumes one character of a set.
    Char {
        set: u32,
        next: Pc,
        node: NodeId,
    },
    /// Leads to all of these; those that a search prefers come first.
    Split(Vec<Pc>),
    Look {
        look: Look,
        next: Pc,
        node: NodeId,
    },
    Final,
}

/// No node of the tree: the loops before and after what is searched for.
pub(super) const NO_NODE: NodeId = NodeId::MAX;

#[derive(Debug)]
pub(super) struct SetInfo {
    pub(super) set: Arc<CharSet>,
    /// The members that kernel releases have, as bits.
    pub(super) kernel: u128,
    sides: [bool; 4],
}

impl SetInfo {
    fn new(set: Arc<CharSet>) -> SetInfo {
        let kernel = set.ascii() & ALPHABET;
        let has = |side: Side| set.intersection(&side.set()).char_ranges().next().is_some();
        let sides = Side::ALL.map(has);
        SetInfo { set, kernel, sides }
    }

    pub(super) fn has(&self, side: Side, alphabet: Alphabet) -> bool {
        match (alphabet, side) {
            (Alphabet::Text, side) => self.sides[side as usize],
            (Alphabet::Kernel, Side::Word) => self.kernel & WORD != 0,
            (Alphabet::Kernel, Side::Other) => self.kernel & !WORD != 0,
            (Alphabet::Kernel, Side::Edge | Side::Newline) => false,
        }
    }
}

/// Over which texts a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Kernel releases.
    Kernel,
    /// All text.
    Text,
}

#[derive(Debug)]
pub(super) struct Program {
    pub(super) insts: Vec<Inst>,
    pub(super) sets: Vec<SetInfo>,
    pub(super) start: Pc,
    /// Where whatever follows is accepted, if there is such a place.
    pub(super) tail: Option<Pc>,
}
