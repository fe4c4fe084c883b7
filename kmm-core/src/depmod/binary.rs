//! Reading a binary index: `modules.dep.bin`, `modules.alias.bin` and their kind. [`trie`](super::trie) has the format.
//!
//! Such a file may come from an image: nothing in it is believed. In a proper index no two nodes share bytes, so one
//! walk looks at each byte once; where it would look at more, nodes lie on each other, and it ends.

use crate::depmod::DependencyLine;
use crate::depmod::IndexError;
use crate::depmod::trie::CHILDREN;
use crate::depmod::trie::MAGIC;
use crate::depmod::trie::OFFSET;
use crate::depmod::trie::PREFIX;
use crate::depmod::trie::VALUES;
use crate::depmod::trie::VERSION;

/// The longest key that is followed; aliases have at most 4,095 bytes.
const LONGEST_KEY: usize = 4096;

/// A binary index, looked at where it lies.
///
/// # Example: read what was written
///
/// ```
/// use kmm_core::depmod::{BinaryIndex, Config, Index, MemoryTree, ModuleFacts, Options};
///
/// let mut tree = MemoryTree::default();
/// tree.add("extra/a-b.ko", Ok(ModuleFacts::default()));
/// let (files, _) = Index::build(&tree, &Config::default(), &Options::default())?.files()?;
/// let file = files.iter().find(|file| file.name == "modules.dep.bin").unwrap();
/// let index = BinaryIndex::parse(&file.bytes)?;
/// assert_eq!(index.dependencies("a-b")?.unwrap().path, "extra/a-b.ko");
/// assert_eq!(index.dependencies("c")?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BinaryIndex<'a> {
    bytes: &'a [u8],
    root: u32,
}

/// A value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexValue<'a> {
    /// The place of its module; the value of a key with the smallest one counts most.
    pub priority: u32,
    /// What is said of the key.
    pub value: &'a [u8],
}

/// A node, taken apart, up to its values.
struct Node<'a> {
    prefix: &'a [u8],
    /// The byte of the first child.
    first: u8,
    /// Four bytes for each child.
    children: &'a [u8],
    /// Where its values start, if it has any.
    values: Option<usize>,
    /// Where it starts, and where what is known of it ends.
    start: usize,
    end: usize,
}

impl<'a> BinaryIndex<'a> {
    /// Reads the head. An empty file is an index without keys.
    ///
    /// # Errors
    ///
    /// When the file has no head, or is of another format or version: `kmod` reads 2.x.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, IndexError> {
        if bytes.is_empty() {
            return Ok(Self { bytes, root: 0 });
        }
        let short = || wrong(0, "the head of 12 bytes is cut off");
        let mut at = 0;
        let mut word = || take_word(bytes, &mut at).ok_or_else(short);
        let (magic, version, root) = (word()?, word()?, word()?);
        if magic != MAGIC {
            return Err(wrong(
                0,
                "it does not start with `b0 07 f4 57`, as a binary index does",
            ));
        }
        if version >> 16 != VERSION >> 16 {
            return Err(wrong(4, "its version is not 2.x, the one that kmod reads"));
        }
        Ok(Self { bytes, root })
    }

    /// The values of a key, those that count most first; nothing where there is no such key.
    ///
    /// # Errors
    ///
    /// When a node on the way to the key is damaged.
    pub fn lookup(&self, key: &[u8]) -> Result<Vec<IndexValue<'a>>, IndexError> {
        let (mut offset, mut rest) = (self.root, key);
        while offset & OFFSET != 0 {
            let node = self.node(offset)?;
            let Some(after) = rest.strip_prefix(node.prefix) else {
                break;
            };
            let Some((byte, after)) = after.split_first() else {
                return Ok(self.values(&node)?.0);
            };
            let Some(child) = node.child(*byte) else { break };
            (offset, rest) = (child, after);
        }
        Ok(Vec::new())
    }

    /// What a `modules.dep.bin` says of a module, by its name; `-` and `_` are alike.
    ///
    /// # Errors
    ///
    /// When the index is damaged on the way, or what it says is no line of a `modules.dep`.
    pub fn dependencies(&self, module: &str) -> Result<Option<DependencyLine>, IndexError> {
        let values = self.lookup(module.replace('-', "_").as_bytes())?;
        let Some(line) = values.first() else {
            return Ok(None);
        };
        let at = line.value.as_ptr() as usize - self.bytes.as_ptr() as usize;
        let text = std::str::from_utf8(line.value).map_err(|_| wrong(at, "the value is no UTF-8"))?;
        DependencyLine::parse(text)
            .map(Some)
            .map_err(|reason| wrong(at, reason))
    }

    /// Shows every key with its values, in the order of the keys.
    ///
    /// # Errors
    ///
    /// When a node is damaged, nodes lie on each other, or a key has more than 4,096 bytes. Keys before it have been
    /// shown then.
    pub fn walk(&self, mut visit: impl FnMut(&[u8], &[IndexValue<'a>])) -> Result<(), IndexError> {
        let mut left = self.bytes.len();
        let mut key: Vec<u8> = Vec::new();
        // Nodes to be looked at, with the length of the key before each and the byte that leads to it.
        let mut open: Vec<(u32, usize, Option<u8>)> = vec![(self.root, 0, None)];
        while let Some((offset, length, byte)) = open.pop() {
            if offset & OFFSET == 0 {
                continue;
            }
            key.truncate(length);
            key.extend(byte);
            let at = (offset & OFFSET) as usize;
            let node = self.node(offset)?;
            key.extend_from_slice(node.prefix);
            if key.len() > LONGEST_KEY {
                return Err(wrong(at, "a key of more than 4096 bytes"));
            }
            let (values, end) = self.values(&node)?;
            left = left
                .checked_sub(end - node.start)
                .ok_or_else(|| wrong(at, "nodes lie on each other"))?;
            if !values.is_empty() {
                visit(&key, &values);
            }
            let children = node.children.chunks_exact(4).enumerate().rev();
            open.extend(children.map(|(number, _)| {
                let byte = node.first.saturating_add(number as u8);
                (node.child(byte).unwrap_or_default(), key.len(), Some(byte))
            }));
        }
        Ok(())
    }

    fn node(&self, offset: u32) -> Result<Node<'a>, IndexError> {
        let start = (offset & OFFSET) as usize;
        let cut = || wrong(start, "a node is cut off, or lies outside of the file");
        let mut at = start;
        let mut node = Node {
            prefix: &[],
            first: 0,
            children: &[],
            values: None,
            start,
            end: start,
        };
        if offset & PREFIX != 0 {
            node.prefix = take_string(self.bytes, &mut at, LONGEST_KEY).ok_or_else(cut)?;
        }
        if offset & CHILDREN != 0 {
            let [first, last] = *take(self.bytes, &mut at, 2).ok_or_else(cut)? else {
                return Err(cut());
            };
            let count = usize::from(last)
                .checked_sub(usize::from(first))
                .ok_or_else(|| wrong(start, "the last child of a node comes before the first"))?;
            node.first = first;
            node.children = take(self.bytes, &mut at, (count + 1) * 4).ok_or_else(cut)?;
        }
        node.values = (offset & VALUES != 0).then_some(at);
        node.end = at;
        Ok(node)
    }

    /// The values of a node, and where it ends.
    fn values(&self, node: &Node<'_>) -> Result<(Vec<IndexValue<'a>>, usize), IndexError> {
        let Some(mut at) = node.values else {
            return Ok((Vec::new(), node.end));
        };
        let cut = || wrong(node.start, "the values of a node go past the end of the file");
        let count = take_word(self.bytes, &mut at).ok_or_else(cut)?;
        let mut values = Vec::new();
        for _ in 0..count {
            let priority = take_word(self.bytes, &mut at).ok_or_else(cut)?;
            let value = take_string(self.bytes, &mut at, usize::MAX).ok_or_else(cut)?;
            values.push(IndexValue { priority, value });
        }
        Ok((values, at))
    }
}

impl Node<'_> {
    /// Where the child for a byte lies; `None` where there is none.
    fn child(&self, byte: u8) -> Option<u32> {
        let mut at = usize::from(byte.checked_sub(self.first)?) * 4;
        take_word(self.children, &mut at)
    }
}

fn take<'a>(bytes: &'a [u8], at: &mut usize, count: usize) -> Option<&'a [u8]> {
    let taken = bytes.get(*at..at.checked_add(count)?)?;
    *at += count;
    Some(taken)
}

fn take_word(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let word = take(bytes, at, 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(word))
}

/// The bytes up to a NUL, which is passed over.
fn take_string<'a>(bytes: &'a [u8], at: &mut usize, longest: usize) -> Option<&'a [u8]> {
    let rest = bytes.get(*at..)?;
    let length = rest.iter().take(longest).position(|byte| *byte == 0)?;
    let taken = rest.get(..length)?;
    *at += length + 1;
    Some(taken)
}

fn wrong(offset: usize, reason: &'static str) -> IndexError {
    IndexError::Binary { offset, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of these parts, the root last.
    fn index(parts: &[&[u8]], flags: u32) -> Vec<u8> {
        let mut bytes = [MAGIC, VERSION, 0].map(u32::to_be_bytes).concat();
        let (root, before) = parts.split_last().unwrap();
        before.iter().for_each(|part| bytes.extend_from_slice(part));
        let offset = bytes.len() as u32 | flags;
        bytes[8..12].copy_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(root);
        bytes
    }

    fn walked(bytes: &[u8]) -> Result<Vec<String>, String> {
        let mut keys = Vec::new();
        let index = BinaryIndex::parse(bytes).map_err(|error| error.to_string())?;
        let done = index.walk(|key, values| keys.push(format!("{} {}", key.escape_ascii(), values.len())));
        done.map(|()| keys).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_has_no_keys() {
        assert_eq!(walked(b""), Ok(Vec::new()));
        assert_eq!(walked(&index(&[b""], 0)), Ok(Vec::new()));
        assert!(BinaryIndex::parse(b"").unwrap().lookup(b"a").unwrap().is_empty());
    }

    #[test]
    fn heads_of_other_files_are_refused() {
        for (bytes, error) in [
            (
                b"\xb0\x07\xf4\x57".as_slice(),
                "at byte 0: the head of 12 bytes is cut off",
            ),
            (b"extra/a.ko:\n", "at byte 0: it does not start with"),
            (
                b"\xb0\x07\xf4\x57\0\x03\0\0\0\0\0\x0c",
                "at byte 4: its version is not 2.x",
            ),
        ] {
            let said = walked(bytes).unwrap_err();
            assert!(said.starts_with(error), "{said}");
        }
        let mut later = index(&[b"a\0\0\0\0\x01\0\0\0\x07b\0"], PREFIX | VALUES);
        later[7] = 9;
        assert_eq!(walked(&later), Ok(vec!["a 1".to_owned()]));
    }

    #[test]
    fn circles_and_shared_nodes_end() {
        // The root is its own child.
        let own = (12 | CHILDREN).to_be_bytes();
        let circle = index(&[&[&b"aa"[..], &own].concat()], CHILDREN);
        assert_eq!(
            walked(&circle),
            Err("at byte 12: nodes lie on each other".to_owned())
        );
        assert!(
            BinaryIndex::parse(&circle)
                .unwrap()
                .lookup(b"aaaaaaaa")
                .unwrap()
                .is_empty()
        );
        // Two children, of which each has the same two children, and so on.
        let mut parts: Vec<Vec<u8>> = vec![b"\0\0\0\x01\0\0\0\0v\0".to_vec()];
        let (mut at, mut flags, mut next) = (12_u32, VALUES, 22_u32);
        for _ in 0..60 {
            let child = (at | flags).to_be_bytes();
            parts.push([&b"ab"[..], &child, &child].concat());
            (at, flags, next) = (next, CHILDREN, next + 10);
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let said = walked(&index(&parts, CHILDREN)).unwrap_err();
        assert!(said.ends_with("nodes lie on each other"), "{said}");
    }

    #[test]
    fn nodes_that_are_cut_off_are_named() {
        let whole = index(&[b"ab\0\0\0\0\x02\0\0\0\x01x\0\0\0\0\x02y\0"], PREFIX | VALUES);
        assert_eq!(walked(&whole), Ok(vec!["ab 2".to_owned()]));
        for end in 12..whole.len() {
            let said = walked(&whole[..end]).unwrap_err();
            assert!(said.starts_with("at byte 12: "), "{said}");
        }
        let backwards = index(&[b"ba\0\0\0\0"], CHILDREN);
        let said = walked(&backwards).unwrap_err();
        assert_eq!(
            said,
            "at byte 12: the last child of a node comes before the first"
        );
        let outside = index(&[b""], VALUES);
        assert!(walked(&outside).is_err());
    }

    #[test]
    fn a_key_that_never_ends_is_refused() {
        let long = [&vec![b'a'; 4095][..], b"\0"].concat();
        let child = (12 | PREFIX).to_be_bytes();
        let root = [&vec![b'b'; 4095][..], b"\0cc", &child].concat();
        let said = walked(&index(&[&long, &root], PREFIX | CHILDREN)).unwrap_err();
        assert_eq!(said, "at byte 12: a key of more than 4096 bytes");
    }
}
