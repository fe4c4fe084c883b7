//! The syntax tree: nodes in one list, children by number, so that nothing recurses into it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::pattern::charset::CharSet;

pub(in crate::pattern) type NodeId = u32;

/// A parsed pattern. Groups leave no node of their own: captures have no use here.
#[derive(Debug)]
pub(in crate::pattern) struct Ast {
    pub(in crate::pattern) nodes: Vec<Node>,
    pub(in crate::pattern) root: NodeId,
}

#[derive(Debug)]
pub(in crate::pattern) struct Node {
    pub(in crate::pattern) kind: Kind,
    /// Where in the source it was written, as far as it is one place.
    pub(in crate::pattern) start: u32,
    pub(in crate::pattern) end: u32,
}

#[derive(Debug)]
pub(in crate::pattern) enum Kind {
    Empty,
    Literal {
        c: u32,
        fold: bool,
    },
    Dot {
        newline: bool,
    },
    Class(Arc<CharSet>),
    Look(Look),
    Concat(Vec<NodeId>),
    Alternate(Vec<NodeId>),
    Repeat {
        sub: NodeId,
        min: u32,
        max: Option<u32>,
        greedy: bool,
    },
}

/// What is looked at without being consumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::pattern) enum Look {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    Word,
    NotWord,
}

impl Ast {
    pub(in crate::pattern) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(in crate::pattern) fn kind(&self, id: NodeId) -> &Kind {
        &self.node(id).kind
    }
}

impl Node {
    pub(in crate::pattern) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// What a node that consumes one character consumes.
    pub(in crate::pattern) fn char_set(&self) -> Option<Arc<CharSet>> {
        match &self.kind {
            Kind::Literal { c, fold: false } => Some(Arc::new(CharSet::single(*c))),
            Kind::Literal { c, fold: true } => Some(Arc::new(CharSet::folded_single(*c))),
            Kind::Dot { newline } => Some(Arc::new(CharSet::dot(*newline))),
            Kind::Class(set) => Some(Arc::clone(set)),
            Kind::Empty | Kind::Look(_) | Kind::Concat(_) | Kind::Alternate(_) | Kind::Repeat { .. } => None,
        }
    }
}

/// Makes nodes, flattening sequences of sequences and choices of choices.
#[derive(Default)]
pub(super) struct AstBuilder {
    nodes: Vec<Node>,
    sets: HashMap<Arc<CharSet>, ()>,
}

impl AstBuilder {
    pub(super) fn push(&mut self, kind: Kind, start: usize, end: usize) -> NodeId {
        self.nodes.push(Node {
            kind,
            start: start as u32,
            end: end as u32,
        });
        (self.nodes.len() - 1) as NodeId
    }

    pub(super) fn start_of(&self, id: NodeId) -> usize {
        self.nodes[id as usize].start as usize
    }

    /// The one copy of a set.
    pub(super) fn intern(&mut self, set: CharSet) -> Arc<CharSet> {
        let set = Arc::new(set);
        if let Some((known, ())) = self.sets.get_key_value(&set) {
            return Arc::clone(known);
        }
        self.sets.insert(Arc::clone(&set), ());
        set
    }

    pub(super) fn concat(&mut self, items: Vec<NodeId>, start: usize, end: usize) -> NodeId {
        self.flat(items, start, end, false)
    }

    pub(super) fn alternate(&mut self, items: Vec<NodeId>, start: usize, end: usize) -> NodeId {
        self.flat(items, start, end, true)
    }

    fn flat(&mut self, items: Vec<NodeId>, start: usize, end: usize, alternate: bool) -> NodeId {
        if let [only] = items[..] {
            return only;
        }
        if items.is_empty() {
            return self.push(Kind::Empty, start, end);
        }
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            match &mut self.nodes[item as usize].kind {
                Kind::Concat(inner) if !alternate => all.append(inner),
                Kind::Alternate(inner) if alternate => all.append(inner),
                _ => all.push(item),
            }
        }
        self.push(
            if alternate {
                Kind::Alternate(all)
            } else {
                Kind::Concat(all)
            },
            start,
            end,
        )
    }

    pub(super) fn finish(self, root: NodeId) -> Ast {
        Ast {
            nodes: self.nodes,
            root,
        }
    }
}
