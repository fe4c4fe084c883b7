//! The tree as a graph of states, for questions about languages rather than searches.

use std::collections::HashMap;
use std::sync::Arc;

use super::kernel::{ALPHABET, Side, WORD};
use crate::pattern::charset::CharSet;
use crate::pattern::syntax::{Ast, Kind, Look, NodeId};

pub(super) type Pc = u32;

/// More states than this are not looked at.
const MAX_STATES: usize = 50_000;

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

#[derive(Debug, PartialEq, Eq, Hash)]
enum SetKey {
    Literal(u32, bool),
    Dot(bool),
    Class(*const CharSet),
}

/// Builds a [`Program`] from its end to its start.
#[derive(Debug)]
pub(super) struct Builder {
    insts: Vec<Inst>,
    sets: Vec<SetInfo>,
    known: HashMap<SetKey, u32>,
    alphabet: Alphabet,
    /// Nodes that are taken to hold whatever comes.
    relaxed: Vec<NodeId>,
    fin: Pc,
    tail: Option<Pc>,
    starts: Vec<Pc>,
}

/// Work that waits while a tree is compiled.
enum Task {
    Node(NodeId),
    /// One branch is done; the next leads to the given state.
    Branch(Pc),
    /// So many branches are done.
    Join(usize),
    /// The body of the loop at the given state is done.
    Loop(Pc),
    /// Something optional is done; leaving it out leads to the given state.
    Optional(Pc),
}

impl Builder {
    pub(super) fn new(alphabet: Alphabet) -> Builder {
        Builder {
            insts: vec![Inst::Final],
            sets: Vec::new(),
            known: HashMap::new(),
            alphabet,
            relaxed: Vec::new(),
            fin: 0,
            tail: None,
            starts: Vec::new(),
        }
    }

    pub(super) fn relax(mut self, nodes: &[NodeId]) -> Builder {
        self.relaxed = nodes.to_vec();
        self
    }

    /// Adds: some part of the text matches.
    pub(super) fn search(&mut self, ast: &Ast) -> Result<(), TooLarge> {
        let any = self.set(SetKey::Dot(true), || Arc::new(CharSet::dot(true)));
        let tail = match self.tail {
            Some(tail) => tail,
            None => {
                let tail = self.any_loop(any, self.fin)?;
                self.tail = Some(tail);
                tail
            }
        };
        let body = self.compile(ast, tail)?;
        let start = self.any_loop(any, body)?;
        self.starts.push(start);
        Ok(())
    }

    /// Every text.
    pub(super) fn anything(mut self) -> Result<Program, TooLarge> {
        let any = self.set(SetKey::Dot(true), || Arc::new(CharSet::dot(true)));
        let start = self.any_loop(any, self.fin)?;
        self.starts.push(start);
        self.finish()
    }

    /// Adds: a match starts here.
    pub(super) fn anchored(&mut self, ast: &Ast) -> Result<(), TooLarge> {
        let start = self.compile(ast, self.fin)?;
        self.starts.push(start);
        Ok(())
    }

    /// Adds: the text is this.
    pub(super) fn literal(&mut self, text: &str) -> Result<(), TooLarge> {
        let mut next = self.fin;
        for c in text.chars().rev() {
            let set = self.set(SetKey::Literal(c as u32, false), || {
                Arc::new(CharSet::single(c as u32))
            });
            next = self.push(Inst::Char {
                set,
                next,
                node: NO_NODE,
            })?;
        }
        self.starts.push(next);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Program, TooLarge> {
        let start = match self.starts[..] {
            [start] => start,
            _ => {
                let starts = std::mem::take(&mut self.starts);
                self.push(Inst::Split(starts))?
            }
        };
        Ok(Program {
            insts: self.insts,
            sets: self.sets,
            start,
            tail: self.tail,
        })
    }

    fn any_loop(&mut self, any: u32, after: Pc) -> Result<Pc, TooLarge> {
        let split = self.push(Inst::Split(Vec::new()))?;
        let body = self.push(Inst::Char {
            set: any,
            next: split,
            node: NO_NODE,
        })?;
        self.insts[split as usize] = Inst::Split(vec![body, after]);
        Ok(split)
    }

    fn push(&mut self, inst: Inst) -> Result<Pc, TooLarge> {
        if self.insts.len() >= MAX_STATES {
            return Err(TooLarge);
        }
        self.insts.push(inst);
        Ok((self.insts.len() - 1) as Pc)
    }

    fn set(&mut self, key: SetKey, make: impl FnOnce() -> Arc<CharSet>) -> u32 {
        *self.known.entry(key).or_insert_with(|| {
            self.sets.push(SetInfo::new(make()));
            (self.sets.len() - 1) as u32
        })
    }

    /// The state from which the tree leads to `after`.
    fn compile(&mut self, ast: &Ast, after: Pc) -> Result<Pc, TooLarge> {
        let mut tasks = vec![Task::Node(ast.root)];
        let mut branches: Vec<Pc> = Vec::new();
        let mut next = after;
        while let Some(task) = tasks.pop() {
            match task {
                Task::Node(id) => next = self.node(ast, id, next, &mut tasks)?,
                Task::Branch(after) => {
                    branches.push(next);
                    next = after;
                }
                Task::Join(count) => {
                    branches.push(next);
                    let entries = branches.split_off(branches.len().saturating_sub(count));
                    next = self.push(Inst::Split(entries))?;
                }
                Task::Loop(split) => {
                    if let Inst::Split(entries) = &mut self.insts[split as usize] {
                        entries.push(next);
                    }
                    next = split;
                }
                Task::Optional(skip) => next = self.push(Inst::Split(vec![next, skip]))?,
            }
        }
        Ok(next)
    }

    fn node(&mut self, ast: &Ast, id: NodeId, next: Pc, tasks: &mut Vec<Task>) -> Result<Pc, TooLarge> {
        let node = ast.node(id);
        let key = match &node.kind {
            Kind::Empty => return Ok(next),
            Kind::Look(_) if self.relaxed.contains(&id) => return Ok(next),
            Kind::Look(look) => {
                return self.push(Inst::Look {
                    look: *look,
                    next,
                    node: id,
                });
            }
            Kind::Concat(subs) => {
                tasks.extend(subs.iter().map(|&sub| Task::Node(sub)));
                return Ok(next);
            }
            Kind::Alternate(subs) => {
                tasks.push(Task::Join(subs.len()));
                for (at, &sub) in subs.iter().enumerate() {
                    if at > 0 {
                        tasks.push(Task::Branch(next));
                    }
                    tasks.push(Task::Node(sub));
                }
                return Ok(next);
            }
            Kind::Repeat { sub, min, max, .. } => return self.repeat(*sub, *min, *max, next, tasks),
            Kind::Literal { c, fold } => SetKey::Literal(*c, *fold),
            Kind::Dot { newline } => SetKey::Dot(*newline),
            Kind::Class(set) => SetKey::Class(Arc::as_ptr(set)),
        };
        let key = if self.relaxed.contains(&id) {
            SetKey::Dot(true)
        } else {
            key
        };
        let relaxed = key == SetKey::Dot(true);
        let set = self.set(key, || match node.char_set() {
            Some(set) if !relaxed => set,
            _ => Arc::new(CharSet::dot(true)),
        });
        self.push(Inst::Char { set, next, node: id })
    }

    fn repeat(
        &mut self,
        sub: NodeId,
        min: u32,
        max: Option<u32>,
        next: Pc,
        tasks: &mut Vec<Task>,
    ) -> Result<Pc, TooLarge> {
        // In a text of at most 64 characters, at most 64 rounds consume something and one more may be
        // empty; rounds beyond that are empty too, and change nothing.
        let cap = match self.alphabet {
            Alphabet::Kernel => super::kernel::MAX_LENGTH as u32 + 1,
            Alphabet::Text => u32::MAX,
        };
        let max = max.filter(|&max| max < cap);
        let min = min.min(cap);
        let mut next = next;
        // Tasks run last first: the optional rounds lie at the end of the pattern, so come first.
        tasks.extend((0..min).map(|_| Task::Node(sub)));
        match max {
            None => {
                let split = self.push(Inst::Split(vec![next]))?;
                tasks.push(Task::Loop(split));
                tasks.push(Task::Node(sub));
                next = split;
            }
            Some(max) => {
                for _ in min..max {
                    tasks.push(Task::Optional(next));
                    tasks.push(Task::Node(sub));
                }
            }
        }
        if tasks.len() > 4 * MAX_STATES {
            Err(TooLarge)
        } else {
            Ok(next)
        }
    }
}
