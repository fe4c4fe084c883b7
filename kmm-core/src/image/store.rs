//! Files by name in little memory: 32 bytes for each, its name, and a place in a hash table.

use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;

/// No node, no content.
pub(super) const NONE: u32 = u32::MAX;
/// The root folder.
pub(super) const ROOT: u32 = 0;
/// Symbolic links followed on one way, as in Linux.
pub(super) const MOST_LINKS: usize = 40;
/// Bytes of names on one way, links included: four times the longest path of Linux.
const LONGEST_WAY: usize = 16 << 10;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    Symlink,
    /// To a file of a lower layer: the target is a path.
    HardLink,
    Device,
    /// Nothing of its own: only hides what is below.
    Whiteout,
    /// Removed; nothing finds it any more.
    Dead,
}

/// One file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) parent: u32,
    name: u32,
    first: u32,
    next: u32,
    /// Of a file: the number of its content. Of a link: where its target starts.
    pub(super) payload: u32,
    /// Of a file: its bytes. Of a link: those of its target.
    pub(super) size: u64,
    length: u8,
    pub(super) layer: u8,
    bits: u16,
}

const MODE: u16 = 0o777;
const HIDES: u16 = 1 << 9;
const OPAQUE: u16 = 1 << 10;
const KIND: u16 = 13;

impl Node {
    pub(super) fn new(kind: Kind, mode: u32) -> Self {
        let mut node = Self {
            parent: ROOT,
            name: 0,
            first: NONE,
            next: NONE,
            payload: NONE,
            size: 0,
            length: 0,
            layer: 0,
            bits: (mode as u16) & MODE,
        };
        node.set_kind(kind);
        node
    }

    pub(super) fn kind(&self) -> Kind {
        match self.bits >> KIND {
            0 => Kind::File,
            1 => Kind::Directory,
            2 => Kind::Symlink,
            3 => Kind::HardLink,
            4 => Kind::Device,
            5 => Kind::Whiteout,
            _ => Kind::Dead,
        }
    }

    fn set_kind(&mut self, kind: Kind) {
        let number: u16 = match kind {
            Kind::File => 0,
            Kind::Directory => 1,
            Kind::Symlink => 2,
            Kind::HardLink => 3,
            Kind::Device => 4,
            Kind::Whiteout => 5,
            Kind::Dead => 6,
        };
        self.bits = (self.bits & !(7 << KIND)) | (number << KIND);
    }

    pub(super) fn mode(&self) -> u32 {
        u32::from(self.bits & MODE)
    }

    /// The same without what it hides.
    pub(super) fn plain(mut self) -> Self {
        self.bits &= !(HIDES | OPAQUE);
        self
    }

    /// Whether it hides what lower layers have in its place.
    pub(super) fn hides(&self) -> bool {
        self.bits & HIDES != 0
    }

    /// Whether the folder hides what lower layers have in it.
    pub(super) fn is_opaque(&self) -> bool {
        self.bits & OPAQUE != 0
    }
}

/// A tree of files.
#[derive(Clone, Debug)]
pub(super) struct Store {
    nodes: Vec<Node>,
    names: Vec<u8>,
    /// Numbers of nodes by the hash of parent and name, at the next free place.
    slots: Vec<u32>,
    hasher: RandomState,
}

/// A way that leads in a circle, through too many links, or that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loop;

impl Store {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::new(Kind::Directory, 0o755)],
            names: Vec::new(),
            slots: vec![NONE; 16],
            hasher: RandomState::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    pub(super) fn kind(&self, id: u32) -> Kind {
        self.node(id).map_or(Kind::Dead, Node::kind)
    }

    pub(super) fn name(&self, id: u32) -> &[u8] {
        self.node(id).map_or(&[], |node| {
            let start = node.name as usize;
            self.names
                .get(start..start + usize::from(node.length))
                .unwrap_or_default()
        })
    }

    /// Where a link leads.
    pub(super) fn target(&self, id: u32) -> &[u8] {
        let Some(node) = self
            .node(id)
            .filter(|node| matches!(node.kind(), Kind::Symlink | Kind::HardLink))
        else {
            return &[];
        };
        let start = node.payload as usize;
        self.names
            .get(start..start + node.size as usize)
            .unwrap_or_default()
    }

    /// The children of a folder, without order.
    pub(super) fn children(&self, id: u32) -> impl Iterator<Item = u32> {
        let mut next = self.node(id).map_or(NONE, |node| node.first);
        std::iter::from_fn(move || {
            loop {
                let current = next;
                let node = self.node(current)?;
                next = node.next;
                if node.kind() != Kind::Dead {
                    return Some(current);
                }
            }
        })
    }

    pub(super) fn child(&self, parent: u32, name: &[u8]) -> Option<u32> {
        self.place(parent, name)
            .map(|slot| self.slots.get(slot).copied().unwrap_or(NONE))
            .filter(|id| *id != NONE)
    }

    /// Adds a child that is not there yet. `None` where numbers run out.
    pub(super) fn add(&mut self, parent: u32, name: &[u8], mut node: Node) -> Option<u32> {
        let id = u32::try_from(self.nodes.len()).ok().filter(|id| *id != NONE)?;
        node.name = self.text(name)?;
        node.length = u8::try_from(name.len()).ok()?;
        node.parent = parent;
        node.first = NONE;
        node.next = self.node(parent)?.first;
        self.nodes.push(node);
        self.nodes.get_mut(parent as usize)?.first = id;
        if self.nodes.len() * 4 > self.slots.len() * 3 {
            self.grow();
        } else if let Some(slot) = self.place(parent, name) {
            // `place` cannot find the new node itself: it is in no slot yet.
            if let Some(slot) = self.slots.get_mut(slot) {
                *slot = id;
            }
        }
        Some(id)
    }

    /// Puts something else in the place of a node; a folder that stays one keeps its children.
    pub(super) fn replace(&mut self, id: u32, new: Node) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            let keeps = node.kind() == Kind::Directory && new.kind() == Kind::Directory;
            let marks = node.bits & (HIDES | OPAQUE);
            let dropped = if keeps { NONE } else { node.first };
            *node = Node {
                parent: node.parent,
                name: node.name,
                length: node.length,
                first: if keeps { node.first } else { NONE },
                next: node.next,
                bits: new.bits | marks,
                ..new
            };
            self.kill_siblings(dropped);
        }
    }

    pub(super) fn set_hides(&mut self, id: u32, hides: bool) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.bits = if hides {
                node.bits | HIDES
            } else {
                node.bits & !(HIDES | OPAQUE)
            };
        }
    }

    pub(super) fn set_opaque(&mut self, id: u32) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.bits |= OPAQUE;
        }
    }

    pub(super) fn set_layer(&mut self, layer: u8) {
        for node in &mut self.nodes {
            node.layer = layer;
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Some(node) = self.nodes.get_mut(id as usize) {
            node.set_kind(Kind::Dead);
        }
    }

    /// Removes what is in a folder.
    pub(super) fn clear(&mut self, folder: u32) {
        if let Some(node) = self.nodes.get_mut(folder as usize) {
            let first = std::mem::replace(&mut node.first, NONE);
            self.kill_siblings(first);
        }
    }

    /// Keeps a text, and gives its place.
    pub(super) fn text(&mut self, text: &[u8]) -> Option<u32> {
        let at = u32::try_from(self.names.len()).ok()?;
        self.names.extend_from_slice(text);
        Some(at)
    }

    /// The file at a path, from a folder on. Links lead no further up than the root, which is their root too.
    pub(super) fn find(&self, from: u32, path: &[u8], follow: bool) -> Result<Option<u32>, Loop> {
        let mut way = Way::new(from, path);
        while let Some(part) = way.next()? {
            if part == b".." {
                way.at = self.node(way.at).map_or(ROOT, |node| node.parent);
                continue;
            }
            if self.kind(way.at) != Kind::Directory {
                return Ok(None);
            }
            let Some(child) = self.child(way.at, &part) else {
                return Ok(None);
            };
            if self.kind(child) == Kind::Symlink && (follow || !way.is_at_end()) {
                way.follow(self.target(child))?;
            } else {
                way.at = child;
            }
        }
        Ok(Some(way.at))
    }

    /// The slot of a child that is there, else the one for it.
    fn place(&self, parent: u32, name: &[u8]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash(parent, name) & mask;
        // Never full: at least a quarter of the slots is free.
        loop {
            let id = *self.slots.get(slot)?;
            if id == NONE {
                return Some(slot);
            }
            let node = self.node(id)?;
            if node.parent == parent && node.kind() != Kind::Dead && self.name(id) == name {
                return Some(slot);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        self.slots = vec![NONE; self.slots.len() * 2];
        let mask = self.slots.len() - 1;
        for id in 1..self.nodes.len() as u32 {
            let Some(node) = self.node(id).filter(|node| node.kind() != Kind::Dead) else {
                continue;
            };
            let mut slot = self.hash(node.parent, self.name(id)) & mask;
            while self.slots.get(slot).is_some_and(|taken| *taken != NONE) {
                slot = (slot + 1) & mask;
            }
            if let Some(free) = self.slots.get_mut(slot) {
                *free = id;
            }
        }
    }

    fn hash(&self, parent: u32, name: &[u8]) -> usize {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(parent);
        hasher.write(name);
        hasher.finish() as usize
    }

    fn kill_siblings(&mut self, mut next: u32) {
        while let Some(node) = self.nodes.get_mut(next as usize) {
            node.set_kind(Kind::Dead);
            next = node.next;
        }
    }
}

/// A path that is walked, link by link.
pub(super) struct Way {
    pub(super) at: u32,
    /// What is left, the next part last.
    parts: Vec<Vec<u8>>,
    links: usize,
    /// Bytes of the names so far.
    length: usize,
}

impl Way {
    pub(super) fn new(from: u32, path: &[u8]) -> Self {
        let mut way = Self {
            at: from,
            parts: Vec::new(),
            links: 0,
            length: 0,
        };
        way.push(path);
        way
    }

    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Loop> {
        let next = self.parts.pop();
        self.length += next.as_ref().map_or(0, |part| part.len() + 1);
        if self.length > LONGEST_WAY {
            return Err(Loop);
        }
        Ok(next)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.parts.is_empty()
    }

    /// Goes on where a link in the folder `at` leads.
    pub(super) fn follow(&mut self, target: &[u8]) -> Result<(), Loop> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Loop);
        }
        self.push(target);
        Ok(())
    }

    /// Goes on through these folders.
    pub(super) fn push_all(&mut self, folders: &[&[u8]]) {
        self.parts.extend(folders.iter().rev().map(|part| part.to_vec()));
    }

    fn push(&mut self, path: &[u8]) {
        if path.starts_with(b"/") {
            self.at = ROOT;
        }
        let parts = path.split(|byte| *byte == b'/');
        let parts = parts.filter(|part| !part.is_empty() && *part != b".");
        let at = self.parts.len();
        self.parts.extend(parts.map(<[u8]>::to_vec));
        if let Some(new) = self.parts.get_mut(at..) {
            new.reverse();
        }
    }
}
