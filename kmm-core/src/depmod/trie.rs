//! The binary index: a trie over its keys, leaves before branches, numbers most significant byte first.
//!
//! Layout: magic, version, offset of the root; each node has its common prefix, a table of children from the first to
//! the last character used, and its values with their priorities, of which the flags in its offset say what is there.

use std::ops::Range;

use crate::depmod::DepmodError;

pub(crate) const MAGIC: u32 = 0xb007_f457;
pub(crate) const VERSION: u32 = 0x0002_0001;
pub(crate) const PREFIX: u32 = 0x8000_0000;
pub(crate) const VALUES: u32 = 0x4000_0000;
pub(crate) const CHILDREN: u32 = 0x2000_0000;
/// The bits of an offset that say where; the others say what.
pub(crate) const OFFSET: u32 = 0x0fff_ffff;
const LARGEST: usize = OFFSET as usize;

/// Keys with values, from which the index is made.
#[derive(Debug, Default)]
pub(crate) struct Trie {
    /// Keys and values, one after the other.
    text: Vec<u8>,
    entries: Vec<Entry>,
    refused: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Where the key starts, where the value does, and where that ends.
    key: usize,
    value: usize,
    end: usize,
    priority: u32,
    sequence: u32,
}

/// A node whose children are being written.
struct Open {
    byte: u8,
    prefix: Range<usize>,
    key: usize,
    values: Range<usize>,
    rest: Range<usize>,
    children: Vec<(u8, u32)>,
}

impl Trie {
    /// Adds a value; keys with bytes beyond ASCII cannot be in an index.
    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8], priority: u32) {
        if !key.is_ascii() {
            self.refused.push(key.to_vec());
            return;
        }
        let start = self.text.len();
        self.text.extend_from_slice(key);
        self.text.extend_from_slice(value);
        self.entries.push(Entry {
            key: start,
            value: start + key.len(),
            end: self.text.len(),
            priority,
            sequence: self.entries.len() as u32,
        });
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        self.text.get(entry.key..entry.value).unwrap_or_default()
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        self.text.get(entry.value..entry.end).unwrap_or_default()
    }

    /// The keys that were left out.
    pub(crate) fn refused(&self) -> &[Vec<u8>] {
        &self.refused
    }

    /// Entries that have both key and value with an earlier one: `key value` in the order of insertion.
    pub(crate) fn duplicates(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut seen = std::collections::HashSet::new();
        let repeated = self
            .entries
            .iter()
            .map(|entry| (self.key(entry), self.value(entry)))
            .filter(|pair| !seen.insert(*pair));
        repeated
            .map(|(key, value)| (key.to_vec(), value.to_vec()))
            .collect()
    }

    /// The bytes of the index.
    pub(crate) fn write(mut self, file: &'static str) -> Result<Vec<u8>, DepmodError> {
        // Of equal keys and priorities, the one that came last goes first.
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            let values = || a.priority.cmp(&b.priority).then(b.sequence.cmp(&a.sequence));
            self.key(a).cmp(self.key(b)).then_with(values)
        });
        self.entries = entries;
        let mut out = Vec::with_capacity(2 * self.text.len() + 12);
        for word in [MAGIC, VERSION, 0] {
            out.extend(word.to_be_bytes());
        }
        let root = self.write_nodes(&mut out).filter(|_| out.len() <= LARGEST);
        let root = root.ok_or(DepmodError::IndexTooLarge { file, limit: LARGEST })?;
        if let Some(place) = out.get_mut(8..12) {
            place.copy_from_slice(&root.to_be_bytes());
        }
        Ok(out)
    }

    /// Writes all nodes, children first, without recursion: keys may be thousands of bytes deep.
    fn write_nodes(&self, out: &mut Vec<u8>) -> Option<u32> {
        let mut stack = vec![self.open(0, 0..self.entries.len(), 0, false)?];
        loop {
            let top = stack.last_mut()?;
            if let Some(first) = self.entries.get(top.rest.start).filter(|_| !top.rest.is_empty()) {
                let at = top.prefix.end;
                let byte = *self.key(first).get(at)?;
                let group = self.entries.get(top.rest.clone())?;
                let length = group.partition_point(|entry| self.key(entry).get(at) == Some(&byte));
                let range = top.rest.start..top.rest.start + length;
                top.rest.start = range.end;
                let child = self.open(byte, range, at + 1, true)?;
                stack.push(child);
                continue;
            }
            let node = stack.pop()?;
            let offset = self.write_node(&node, out)?;
            match stack.last_mut() {
                Some(parent) => parent.children.push((node.byte, offset)),
                None => return Some(offset),
            }
        }
    }

    /// The node of sorted entries that have `from` bytes in common already.
    fn open(&self, byte: u8, range: Range<usize>, from: usize, compress: bool) -> Option<Open> {
        let entries = self.entries.get(range.clone())?;
        let common = match (entries.first(), entries.last()) {
            (Some(first), Some(last)) if compress => {
                let pairs = self.key(first).iter().zip(self.key(last)).skip(from);
                pairs.take_while(|(a, b)| a == b).count()
            }
            _ => 0,
        };
        let end = from + common;
        let values = entries.partition_point(|entry| self.key(entry).len() == end);
        Some(Open {
            byte,
            prefix: from..end,
            key: range.start,
            values: range.start..range.start + values,
            rest: range.start + values..range.end,
            children: Vec::new(),
        })
    }

    fn write_node(&self, node: &Open, out: &mut Vec<u8>) -> Option<u32> {
        let mut offset = u32::try_from(out.len()).ok()?;
        if !node.prefix.is_empty() {
            let first = self.entries.get(node.key)?;
            out.extend_from_slice(self.key(first).get(node.prefix.clone())?);
            out.push(0);
            offset |= PREFIX;
        }
        if let [(first, _), ..] = node.children.as_slice()
            && let Some((last, _)) = node.children.last()
        {
            out.extend([*first, *last]);
            let mut children = node.children.iter().peekable();
            for byte in *first..=*last {
                let child = children.next_if(|(own, _)| *own == byte);
                out.extend(child.map_or(0, |(_, offset)| *offset).to_be_bytes());
            }
            offset |= CHILDREN;
        }
        if !node.values.is_empty() {
            out.extend(u32::try_from(node.values.len()).ok()?.to_be_bytes());
            for entry in self.entries.get(node.values.clone())? {
                out.extend(entry.priority.to_be_bytes());
                out.extend_from_slice(self.value(entry));
                out.push(0);
            }
            offset |= VALUES;
        }
        Some(offset)
    }
}
