//! Deterministic states of a program over kernel releases, made when asked for.

use std::collections::HashMap;

use super::closure::Closure;
use super::live::Live;
use super::symbols::Symbols;
use crate::pattern::program::{Alphabet, Inst, Pc, Program, Side};

pub(super) type StateId = u32;

const UNKNOWN: StateId = StateId::MAX;

#[derive(Debug)]
pub(super) struct Automaton {
    program: Program,
    live: Live,
    closure: Closure,
    ids: HashMap<(Box<[Pc]>, Side), StateId>,
    states: Vec<(Box<[Pc]>, Side)>,
    next: Vec<StateId>,
    accepts: Vec<Option<bool>>,
    symbols: usize,
}

impl Automaton {
    pub(super) fn new(program: Program, symbols: &Symbols) -> Automaton {
        let live = Live::new(&program, Alphabet::Kernel, true);
        let closure = Closure::new(&program);
        let mut automaton = Automaton {
            program,
            live,
            closure,
            ids: HashMap::new(),
            states: Vec::new(),
            next: Vec::new(),
            accepts: Vec::new(),
            symbols: symbols.bytes.len(),
        };
        let start = automaton.program.start;
        automaton.state(vec![start], Side::Edge);
        automaton
    }

    pub(super) fn start(&self) -> StateId {
        0
    }

    /// Steps done, to be held against a budget.
    pub(super) fn work(&self) -> u64 {
        self.closure.work + (self.states.len() * self.symbols) as u64
    }

    /// Whether nothing is accepted from here on.
    pub(super) fn is_dead(&self, id: StateId) -> bool {
        self.states[id as usize].0.is_empty()
    }

    /// Whether everything is accepted from here on.
    pub(super) fn is_done(&self, id: StateId) -> bool {
        match (&self.states[id as usize].0[..], self.program.tail) {
            ([pc], Some(tail)) => *pc == tail,
            _ => false,
        }
    }

    pub(super) fn accepts(&mut self, id: StateId) -> bool {
        if let Some(known) = self.accepts[id as usize] {
            return known;
        }
        let (pcs, before) = &self.states[id as usize];
        self.closure
            .run(&self.program, &self.live, pcs, *before, Side::Edge);
        self.accepts[id as usize] = Some(self.closure.accepts);
        self.closure.accepts
    }

    /// The state after the symbol with this number and byte.
    pub(super) fn step(&mut self, id: StateId, symbol: usize, byte: u8) -> StateId {
        let slot = id as usize * self.symbols + symbol;
        if self.next[slot] != UNKNOWN {
            return self.next[slot];
        }
        let side = Side::of(char::from(byte));
        let (pcs, before) = &self.states[id as usize];
        self.closure.run(&self.program, &self.live, pcs, *before, side);
        let mut pcs: Vec<Pc> = Vec::new();
        for &pc in &self.closure.chars {
            if let Inst::Char { set, next, .. } = self.program.insts[pc as usize]
                && self.program.sets[set as usize].kernel >> byte & 1 == 1
                && self.live.is_live(next, side)
            {
                pcs.push(next);
            }
        }
        let next = self.state(pcs, side);
        self.next[slot] = next;
        next
    }

    fn state(&mut self, mut pcs: Vec<Pc>, mut before: Side) -> StateId {
        pcs.sort_unstable();
        pcs.dedup();
        if self.program.tail.is_some_and(|tail| pcs.contains(&tail)) {
            pcs = self.program.tail.into_iter().collect();
            before = Side::Other;
        } else if pcs.is_empty() {
            before = Side::Other;
        }
        let key = (pcs.into_boxed_slice(), before);
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let id = self.states.len() as StateId;
        self.states.push(key.clone());
        self.ids.insert(key, id);
        self.next.extend(std::iter::repeat_n(UNKNOWN, self.symbols));
        self.accepts.push(None);
        id
    }
}
