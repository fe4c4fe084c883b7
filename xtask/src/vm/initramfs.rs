//! The first file system of a machine: a cpio archive in the `newc` form, which the kernel unpacks.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// An archive under construction. Everything in it belongs to root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Initramfs {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Initramfs {
    /// Adds a folder, and those above it.
    pub(crate) fn folder(&mut self, path: &str) {
        if let Some((above, _)) = path.rsplit_once('/') {
            self.folder(above);
        }
        if !path.is_empty() && self.folders.insert(path.to_owned()) {
            self.entry(path, FOLDER | 0o755, b"");
        }
    }

    /// Adds a file. `path` is relative to the root.
    pub(crate) fn file(&mut self, path: &str, permissions: u32, content: &[u8]) {
        self.above(path);
        self.entry(path, FILE | permissions, content);
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.above(path);
        self.entry(path, LINK | 0o777, target.as_bytes());
    }

    /// Adds a file of this machine, with its permissions.
    pub(crate) fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        let read = || -> std::io::Result<_> { Ok((fs::read(from)?, fs::metadata(from)?.mode())) };
        let (content, mode) = read().with_context(|| format!("could not read `{}`", from.display()))?;
        self.file(path, mode & 0o7777, &content);
        Ok(())
    }

    /// Adds all that is below a folder of this machine.
    pub(crate) fn tree(&mut self, path: &str, from: &Path) -> Result<()> {
        self.folder(path);
        let entries = fs::read_dir(from).with_context(|| format!("could not read `{}`", from.display()))?;
        let mut entries: Vec<_> = entries.collect::<std::io::Result<_>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let inside = format!("{path}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.tree(&inside, &entry.path())?;
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?;
                self.link(&inside, &String::from_utf8_lossy(target.as_os_str().as_bytes()));
            } else {
                self.copy(&inside, &entry.path())?;
            }
        }
        Ok(())
    }

    /// The finished archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, b"");
        self.bytes
    }

    fn above(&mut self, path: &str) {
        if let Some((above, _)) = path.rsplit_once('/') {
            self.folder(above);
        }
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("no file of a test machine has 4 GiB");
        let name = u32::try_from(path.len() + 1).expect("paths are short");
        self.bytes.extend(b"070701");
        // inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, checksum
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Initramfs;

    #[test]
    fn parents_come_first_and_once() {
        let mut archive = Initramfs::default();
        archive.file("a/b/c", 0o644, b"12345");
        archive.file("a/b/d", 0o644, b"");
        let bytes = archive.finish();
        let names: Vec<usize> = ["\0a\0", "a/b\0", "a/b/c\0", "a/b/d\0", "TRAILER!!!\0"]
            .iter()
            .map(|name| {
                let name = name.trim_start_matches('\0').as_bytes();
                bytes.windows(name.len()).position(|window| window == name)
            })
            .map(|at| at.expect("every name is in the archive"))
            .collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(bytes.windows(6).filter(|window| window == b"070701").count(), 5);
        assert_eq!(bytes.len() % 4, 0);
    }
}
