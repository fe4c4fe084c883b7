//! From the tree to states, from the end to the start.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Alphabet, Inst, NO_NODE, Pc, Program, SetInfo, TooLarge};
use crate::pattern::charset::CharSet;
use crate::pattern::kernel::MAX_LENGTH;
use crate::pattern::syntax::{Ast, Kind, NodeId};

#[derive(Debug, PartialEq, Eq, Hash)]
enum SetKey {
    Literal(u32, bool),
    Dot(bool),
    Class(*const CharSet),
}

/// Builds a [`Program`] from its end to its start.
#[derive(Debug)]
pub(in crate::pattern) struct Builder {
    insts: Vec<Inst>,
    sets: Vec<SetInfo>,
    known: HashMap<SetKey, u32>,
    alphabet: Alphabet,
    max_states: usize,
    /// Nodes that are taken to hold whatever comes.
    relaxed: Vec<NodeId>,
    /// For the tree at hand: which parts may be empty.
    empties: Vec<bool>,
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
    /// The body of the loop at `split` is done.
    Loop {
        split: Pc,
        greedy: bool,
    },
    /// The body of a loop that runs at least once is done, and the loop is entered there.
    LoopOnce {
        split: Pc,
        greedy: bool,
    },
    /// Something optional is done; leaving it out leads to the given state.
    Optional {
        skip: Pc,
        greedy: bool,
    },
}

impl Builder {
    /// A builder that gives up beyond `max_states`.
    pub(in crate::pattern) fn new(alphabet: Alphabet, max_states: usize) -> Builder {
        Builder {
            max_states,
            insts: vec![Inst::Final],
            sets: Vec::new(),
            known: HashMap::new(),
            alphabet,
            relaxed: Vec::new(),
            empties: Vec::new(),
            fin: 0,
            tail: None,
            starts: Vec::new(),
        }
    }

    pub(in crate::pattern) fn relax(mut self, nodes: &[NodeId]) -> Builder {
        self.relaxed = nodes.to_vec();
        self
    }

    /// Adds: some part of the text matches, or, with `from_start`, some first part.
    pub(in crate::pattern) fn search(&mut self, ast: &Ast, from_start: bool) -> Result<(), TooLarge> {
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
        let start = if from_start {
            body
        } else {
            self.any_loop(any, body)?
        };
        self.starts.push(start);
        Ok(())
    }

    /// Every text.
    pub(in crate::pattern) fn anything(mut self) -> Result<Program, TooLarge> {
        let any = self.set(SetKey::Dot(true), || Arc::new(CharSet::dot(true)));
        let start = self.any_loop(any, self.fin)?;
        self.starts.push(start);
        self.finish()
    }

    /// Adds: a match starts here.
    pub(in crate::pattern) fn anchored(&mut self, ast: &Ast) -> Result<(), TooLarge> {
        let start = self.compile(ast, self.fin)?;
        self.starts.push(start);
        Ok(())
    }

    /// Adds: the text is this.
    pub(in crate::pattern) fn literal(&mut self, text: &str) -> Result<(), TooLarge> {
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

    pub(in crate::pattern) fn finish(mut self) -> Result<Program, TooLarge> {
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
        if self.insts.len() >= self.max_states {
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
        self.empties.clear();
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
                    let mut entries = branches.split_off(branches.len().saturating_sub(count));
                    entries.reverse();
                    next = self.push(Inst::Split(entries))?;
                }
                Task::Loop { split, greedy } => {
                    self.close_loop(split, next, greedy);
                    next = split;
                }
                Task::LoopOnce { split, greedy } => self.close_loop(split, next, greedy),
                Task::Optional { skip, greedy } => {
                    next = self.push(Inst::Split(ordered(next, skip, greedy)))?;
                }
            }
        }
        Ok(next)
    }

    fn close_loop(&mut self, split: Pc, body: Pc, greedy: bool) {
        if let Inst::Split(entries) = &mut self.insts[split as usize] {
            let after = entries.first().copied().unwrap_or(body);
            *entries = ordered(body, after, greedy);
        }
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
            Kind::Repeat { .. } => return self.repeat(ast, id, next, tasks),
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

    fn repeat(&mut self, ast: &Ast, id: NodeId, next: Pc, tasks: &mut Vec<Task>) -> Result<Pc, TooLarge> {
        let &Kind::Repeat {
            sub,
            min,
            max,
            greedy,
        } = ast.kind(id)
        else {
            return Ok(next);
        };
        // In a text of at most 64 characters, at most 64 rounds consume something and one more may be
        // empty; rounds beyond that are empty too, and change nothing.
        let cap = match self.alphabet {
            Alphabet::Kernel => MAX_LENGTH as u32 + 1,
            Alphabet::Text => u32::MAX,
        };
        let max = max.filter(|&max| max < cap);
        let min = min.min(cap);
        let mut next = next;
        // Tasks run last first: what comes last in the pattern is pushed last.
        match max {
            None => {
                // As in Go, a loop is entered through its body if it must run, or if its body may be
                // empty: only then is the order of preference that of the rounds.
                let split = self.push(Inst::Split(vec![next]))?;
                if min > 0 {
                    tasks.extend((1..min).map(|_| Task::Node(sub)));
                    tasks.push(Task::LoopOnce { split, greedy });
                } else if self.may_be_empty(ast, sub) {
                    tasks.push(Task::Optional { skip: next, greedy });
                    tasks.push(Task::LoopOnce { split, greedy });
                } else {
                    tasks.push(Task::Loop { split, greedy });
                }
                tasks.push(Task::Node(sub));
                next = split;
            }
            Some(max) => {
                tasks.extend((0..min).map(|_| Task::Node(sub)));
                for _ in min..max {
                    tasks.push(Task::Optional { skip: next, greedy });
                    tasks.push(Task::Node(sub));
                }
            }
        }
        if tasks.len() > 4 * self.max_states {
            Err(TooLarge)
        } else {
            Ok(next)
        }
    }

    /// Whether a part may match without consuming; known for all parts once asked for one.
    fn may_be_empty(&mut self, ast: &Ast, id: NodeId) -> bool {
        if self.empties.len() != ast.nodes.len() {
            self.empties.clear();
            for node in &ast.nodes {
                // Children have smaller numbers than their parents.
                let known = |&id: &NodeId| self.empties.get(id as usize).copied().unwrap_or(false);
                let empty = match &node.kind {
                    Kind::Empty | Kind::Look(_) => true,
                    Kind::Literal { .. } | Kind::Dot { .. } | Kind::Class(_) => false,
                    Kind::Concat(subs) => subs.iter().all(known),
                    Kind::Alternate(subs) => subs.iter().any(known),
                    Kind::Repeat { sub, min, .. } => *min == 0 || known(sub),
                };
                self.empties.push(empty);
            }
        }
        self.empties.get(id as usize).copied().unwrap_or(false)
    }
}

fn ordered(body: Pc, skip: Pc, greedy: bool) -> Vec<Pc> {
    if greedy {
        vec![body, skip]
    } else {
        vec![skip, body]
    }
}
