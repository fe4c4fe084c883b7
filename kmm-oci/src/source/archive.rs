//! A tar file as a folder: one pass over its headers tells where each file lies.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::source::SourceError;
use crate::source::files::Files;
use crate::source::files::Opened;
use crate::tar::EntryKind;
use crate::tar::Skip;
use crate::tar::TarReader;

/// Files in one archive: an image has some two for each layer.
pub(super) const MOST_FILES: usize = 100_000;

/// Bytes of their names together.
pub(super) const MOST_NAMES: usize = 16 << 20;

/// Links that lead to links.
const MOST_LINKS: usize = 16;

/// A tar file of which the headers were read.
pub(crate) struct TarFile {
    file: Arc<File>,
    index: Index<(u64, u64)>,
    place: String,
}

/// What lies where in an archive.
#[derive(Debug)]
pub(super) struct Index<T> {
    nodes: HashMap<String, Node<T>>,
    name_bytes: usize,
}

#[derive(Debug)]
enum Node<T> {
    File(T),
    Link(String),
}

impl<T> Index<T> {
    pub(super) fn new() -> Self {
        Self {
            nodes: HashMap::new(),
            name_bytes: 0,
        }
    }

    /// Where a file of this path goes; none if no file of an image has such a path.
    pub(super) fn path(path: &[u8]) -> Option<String> {
        normal("", std::str::from_utf8(path).ok()?)
    }

    pub(super) fn add(&mut self, path: String, file: T) -> Result<(), String> {
        self.put(path, Node::File(file))
    }

    /// Adds a link, if it leads to anywhere in the archive.
    pub(super) fn add_link(&mut self, path: String, kind: &EntryKind) -> Result<(), String> {
        let target = match kind {
            EntryKind::HardLink(target) => Self::path(target),
            EntryKind::Symlink(target) => {
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                std::str::from_utf8(target)
                    .ok()
                    .and_then(|target| normal(folder, target))
            }
            EntryKind::File | EntryKind::Sparse | EntryKind::Directory | EntryKind::Device => None,
        };
        match target {
            Some(target) => self.put(path, Node::Link(target)),
            None => Ok(()),
        }
    }

    fn put(&mut self, path: String, node: Node<T>) -> Result<(), String> {
        self.name_bytes += path.len();
        if let Node::Link(target) = &node {
            self.name_bytes += target.len();
        }
        if self.nodes.len() >= MOST_FILES || self.name_bytes > MOST_NAMES {
            return Err(format!(
                "more than {MOST_FILES} files or {MOST_NAMES} bytes of names, which is the most that is read of an archive"
            ));
        }
        self.nodes.insert(path, node);
        Ok(())
    }

    /// The path of the file itself, links followed.
    pub(super) fn follow<'a>(&'a self, path: &'a str) -> Option<(&'a str, &'a T)> {
        let mut path = path;
        for _ in 0..MOST_LINKS {
            match self.nodes.get(path)? {
                Node::File(file) => return Some((path, file)),
                Node::Link(target) => path = target,
            }
        }
        None
    }

    pub(super) fn remove(&mut self, path: &str) -> Option<T> {
        match self.nodes.remove(path)? {
            Node::File(file) => Some(file),
            Node::Link(_) => None,
        }
    }
}

/// A path without `.`, `..` and doubled slashes; none if it leads out of the archive.
pub(super) fn normal(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = if path.starts_with('/') {
        Vec::new()
    } else {
        folder.split('/').collect()
    };
    parts.retain(|part| !part.is_empty());
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

impl TarFile {
    pub(crate) fn new(file: File, path: &Path, transport: &str) -> Result<Self, SourceError> {
        let place = format!("{transport}:{}", path.display());
        let unreachable = |error: io::Error| SourceError::unreachable(place.clone(), error);
        let length = file.metadata().map_err(unreachable)?.len();
        let input = Seekable {
            file: BufReader::new(file.try_clone().map_err(unreachable)?),
            at: 0,
            length,
        };
        let mut tar = TarReader::new(input);
        let mut index = Index::new();
        loop {
            let entry = tar
                .next_entry()
                .map_err(|error| SourceError::damaged(&place, error.to_string()))?;
            let Some(entry) = entry else { break };
            let Some(path) = Index::<()>::path(&entry.path) else {
                continue;
            };
            let added = match entry.kind {
                EntryKind::File => index.add(path, (tar.position(), entry.size)),
                ref kind => index.add_link(path, kind),
            };
            added.map_err(|reason| SourceError::refused(&place, reason))?;
        }
        Ok(Self {
            file: Arc::new(file),
            index,
            place,
        })
    }
}

impl Files for TarFile {
    fn open(&self, path: &str) -> Result<Option<Opened>, SourceError> {
        let Some((_, (start, size))) = self.index.follow(path) else {
            return Ok(None);
        };
        let part = Part {
            file: Arc::clone(&self.file),
            at: *start,
            left: *size,
        };
        Ok(Some((Box::new(part), *size)))
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// A part of a file; several of one file can be read at once.
struct Part {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(into.len(), |left| left.min(into.len()));
        let read = self
            .file
            .read_at(into.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// A file that skips by seeking.
struct Seekable {
    file: BufReader<File>,
    at: u64,
    length: u64,
}

impl Read for Seekable {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl BufRead for Seekable {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.at += count as u64;
        self.file.consume(count);
    }
}

impl Skip for Seekable {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let step = count.min(self.length.saturating_sub(self.at));
        // No file is larger than a signed number.
        self.file.seek_relative(i64::try_from(step).unwrap_or(i64::MAX))?;
        self.at += step;
        Ok(count - step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_archive() {
        assert_eq!(normal("", "./a//b/../c").as_deref(), Some("a/c"));
        assert_eq!(normal("x/y", "../layer.tar").as_deref(), Some("x/layer.tar"));
        assert_eq!(normal("x", "/etc/passwd").as_deref(), Some("etc/passwd"));
        assert_eq!(normal("x", "../../etc"), None);
        let mut index = Index::new();
        index
            .add_link("a".to_owned(), &EntryKind::Symlink(b"b".to_vec()))
            .unwrap();
        index
            .add_link("b".to_owned(), &EntryKind::Symlink(b"a".to_vec()))
            .unwrap();
        index.add("c".to_owned(), 1).unwrap();
        index
            .add_link("d/e".to_owned(), &EntryKind::Symlink(b"../c".to_vec()))
            .unwrap();
        let long = vec![b'x'; MOST_NAMES / 4];
        let links =
            (0..5).map(|number| index.add_link(number.to_string(), &EntryKind::Symlink(long.clone())));
        assert_eq!(links.filter(Result::is_err).count(), 2);
        assert!(index.follow("a").is_none());
        assert_eq!(index.follow("d/e"), Some(("c", &1)));
    }
}
