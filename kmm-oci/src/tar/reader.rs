//! Entries of a tar stream, one after the other.

use std::io;
use std::io::BufRead;

use thiserror::Error;

use crate::tar::header::BLOCK;
use crate::tar::header::Block;
use crate::tar::header::until_nul;
use crate::tar::pax::Pax;

/// The most bytes that one long name or one pax header may have: 1 MiB, as in Go.
pub const LONGEST_EXTENSION: u64 = 1 << 20;

/// Headers that only say more of the next one, in a row. There are four kinds.
const MOST_EXTENSIONS: usize = 16;

/// Blocks with the map of one sparse file, of 21 pieces each.
const MOST_MAP_BLOCKS: usize = 50_000;

/// A stream that can leave bytes out.
pub trait Skip: BufRead {
    /// Leaves out `count` bytes; what was not there is the answer.
    ///
    /// # Errors
    ///
    /// When the stream cannot be read.
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let there = self.fill_buf()?.len();
            if there == 0 {
                break;
            }
            let step = usize::try_from(left).map_or(there, |left| left.min(there));
            self.consume(step);
            left -= step as u64;
        }
        Ok(left)
    }
}

impl Skip for &[u8] {}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A file with holes; its content is not read.
    Sparse,
    /// A folder.
    Directory,
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A hard link and the path of the file.
    HardLink(Vec<u8>),
    /// A device or a named pipe.
    Device,
}

/// One entry of a tar stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path as it stands there, whatever it is.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of the file, 0 for anything else.
    pub size: u64,
    /// Permissions.
    pub mode: u32,
}

/// What is wrong, and where.
#[derive(Debug, Error)]
#[error("tar entry at byte {at}: {fault}")]
pub struct TarError {
    /// The place of the header in the stream.
    pub at: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a tar stream.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The stream ends inside of an entry.
    #[error("the stream ends inside of it")]
    Truncated,
    /// The sum over the header is another one.
    #[error("the checksum of the header is wrong")]
    Checksum,
    /// One block of zeros, and then something.
    #[error("data after a single block of zeros")]
    LoneZeros,
    /// A field is no number, or one that does not fit.
    #[error("the field `{field}` is not a number in range")]
    Number {
        /// Its name.
        field: &'static str,
    },
    /// A pax header is not made of records.
    #[error("a pax header that is not made of `LENGTH KEY=VALUE` lines")]
    Pax,
    /// A long name or a pax header is too long.
    #[error("a long name or pax header of {size} bytes: at most {LONGEST_EXTENSION} are allowed")]
    LongExtension {
        /// Its size.
        size: u64,
    },
    /// Too many of them in a row.
    #[error(
        "more than {MOST_EXTENSIONS} long names and pax headers in a row, or a pax header without an entry"
    )]
    Extensions,
    /// The map of a sparse file has too many pieces.
    #[error("a sparse file of too many pieces")]
    SparseMap,
    /// A sparse file of which the content is needed.
    #[error("`{path}` is a sparse file, and its content is needed: only plain files are read")]
    Sparse {
        /// Its path.
        path: String,
    },
    /// An entry of another kind.
    #[error("an entry of type `{}`: only files, folders, links and devices are allowed", flag.escape_ascii())]
    Kind {
        /// The type flag.
        flag: u8,
    },
    /// The stream cannot be read.
    #[error("could not be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Io(error),
        }
    }
}

/// Reads entries from a stream.
#[derive(Debug)]
pub struct TarReader<R> {
    input: R,
    position: u64,
    entry_at: u64,
    /// Bytes of the current entry that were not read, and its padding.
    left: u64,
    padding: u64,
    ended: bool,
}

/// What headers before the entry's own say of it.
#[derive(Debug, Default)]
struct Extensions {
    count: usize,
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: Skip> TarReader<R> {
    /// Reads from here.
    pub fn new(input: R) -> Self {
        Self {
            input,
            position: 0,
            entry_at: 0,
            left: 0,
            padding: 0,
            ended: false,
        }
    }

    /// Bytes of the stream before the content of the current entry.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next entry; what was not read of the last one is left out.
    ///
    /// # Errors
    ///
    /// When the stream is not tar from here on.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        if self.ended {
            return Ok(None);
        }
        // What is missing belongs to the entry that was read last.
        let at = self.entry_at;
        self.leave().map_err(|fault| TarError { at, fault })?;
        let at = self.position;
        self.entry_at = at;
        let entry = self.read_entry().map_err(|fault| TarError { at, fault })?;
        self.ended = entry.is_none();
        Ok(entry)
    }

    /// Reads all of the content of a plain file that was not read yet. The caller has bounded its size.
    ///
    /// # Errors
    ///
    /// When the file is sparse, or the stream ends before it does.
    pub fn content(&mut self, entry: &Entry, into: &mut Vec<u8>) -> Result<(), TarError> {
        self.part(entry, u64::MAX, into)
    }

    /// Reads the first bytes of a plain file, `most` at the most.
    ///
    /// # Errors
    ///
    /// As [`Self::content`].
    pub fn start(&mut self, entry: &Entry, most: u64, into: &mut Vec<u8>) -> Result<(), TarError> {
        self.part(entry, most, into)
    }

    fn part(&mut self, entry: &Entry, most: u64, into: &mut Vec<u8>) -> Result<(), TarError> {
        let at = self.entry_at;
        let error = |fault| TarError { at, fault };
        if entry.kind == EntryKind::Sparse {
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            return Err(error(Fault::Sparse { path }));
        }
        let mut wanted = self.left.min(most);
        while wanted > 0 {
            let buffer = self.input.fill_buf().map_err(|e| error(e.into()))?;
            let step = usize::try_from(wanted).map_or(buffer.len(), |wanted| wanted.min(buffer.len()));
            if step == 0 {
                return Err(error(Fault::Truncated));
            }
            into.extend_from_slice(buffer.get(..step).unwrap_or_default());
            self.input.consume(step);
            wanted -= step as u64;
            self.left -= step as u64;
            self.position += step as u64;
        }
        Ok(())
    }

    /// The current entry's content as a stream, for what is a tar stream itself or must be seen piece by piece.
    pub fn by_pieces(&mut self) -> Content<'_, R> {
        Content { reader: self }
    }

    /// The stream, from behind what was read.
    pub fn into_inner(self) -> R {
        self.input
    }

    fn read_entry(&mut self) -> Result<Option<Entry>, Fault> {
        let mut extensions = Extensions::default();
        loop {
            let Some(bytes) = self.header()? else {
                return match extensions.count {
                    0 => Ok(None),
                    _ => Err(Fault::Extensions),
                };
            };
            let block = Block::new(&bytes)?;
            let flag = block.type_flag();
            if !matches!(flag, b'x' | b'g' | b'L' | b'K') {
                return self.entry(&block, extensions).map(Some);
            }
            extensions.count += 1;
            if extensions.count > MOST_EXTENSIONS {
                return Err(Fault::Extensions);
            }
            let size = block.size()?;
            self.expect(size);
            match flag {
                b'g' => {}
                b'x' => extensions.pax = Some(Pax::parse(&self.extension(size)?)?),
                b'L' => extensions.long_name = Some(until_nul(&self.extension(size)?).to_vec()),
                _ => extensions.long_link = Some(until_nul(&self.extension(size)?).to_vec()),
            }
            self.leave()?;
        }
    }

    fn entry(&mut self, block: &Block<'_>, extensions: Extensions) -> Result<Entry, Fault> {
        let pax = extensions.pax.unwrap_or_default();
        let path = pax.path.or(extensions.long_name).unwrap_or_else(|| block.name());
        let link = pax.link.or(extensions.long_link).unwrap_or_else(|| block.link());
        let kind = match block.type_flag() {
            b'\0' if path.ends_with(b"/") => EntryKind::Directory,
            b'\0' | b'0' | b'7' if pax.sparse => EntryKind::Sparse,
            b'\0' | b'0' | b'7' => EntryKind::File,
            b'S' => EntryKind::Sparse,
            b'1' => EntryKind::HardLink(link),
            b'2' => EntryKind::Symlink(link),
            b'3' | b'4' | b'6' => EntryKind::Device,
            b'5' => EntryKind::Directory,
            flag => return Err(Fault::Kind { flag }),
        };
        let stored = match pax.size {
            Some(size) => size,
            None => block.size()?,
        };
        let mode = (block.mode()? & 0o7777) as u32;
        let old_sparse = block.type_flag() == b'S';
        let size = match kind {
            EntryKind::File => stored,
            EntryKind::Sparse if old_sparse => block.real_size()?,
            EntryKind::Sparse => pax.sparse_size.unwrap_or(stored),
            EntryKind::Directory | EntryKind::Symlink(_) | EntryKind::HardLink(_) | EntryKind::Device => 0,
        };
        if matches!(kind, EntryKind::File | EntryKind::Sparse) {
            if old_sparse && block.map_goes_on() {
                self.leave_map()?;
            }
            self.expect(stored);
        }
        Ok(Entry {
            path: pax.sparse_name.unwrap_or(path),
            kind,
            size,
            mode,
        })
    }

    /// The next header block; none at the end of the archive or of the stream.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>, Fault> {
        let Some(block) = self.block()? else {
            return Ok(None);
        };
        if block.iter().any(|byte| *byte != 0) {
            return Ok(Some(block));
        }
        match self.block()? {
            Some(second) if second.iter().any(|byte| *byte != 0) => Err(Fault::LoneZeros),
            _ => Ok(None),
        }
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Fault> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return if filled == 0 {
                    Ok(None)
                } else {
                    Err(Fault::Truncated)
                };
            }
            let step = buffer.len().min(BLOCK - filled);
            if let (Some(to), Some(from)) = (block.get_mut(filled..filled + step), buffer.get(..step)) {
                to.copy_from_slice(from);
            }
            self.input.consume(step);
            filled += step;
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Fault> {
        if size > LONGEST_EXTENSION {
            return Err(Fault::LongExtension { size });
        }
        let mut bytes = Vec::new();
        let whole = Entry {
            path: Vec::new(),
            kind: EntryKind::File,
            size,
            mode: 0,
        };
        self.content(&whole, &mut bytes).map_err(|error| error.fault)?;
        Ok(bytes)
    }

    fn expect(&mut self, size: u64) {
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    fn leave(&mut self) -> Result<(), Fault> {
        let left = std::mem::take(&mut self.left);
        if self.input.skip(left)? > 0 {
            return Err(Fault::Truncated);
        }
        // umoci ends a layer with the last byte of its last file: the padding of that one may be missing, as for Go's reader.
        let padding = std::mem::take(&mut self.padding);
        let missing = self.input.skip(padding)?;
        self.position = self.position.saturating_add(left + padding - missing);
        Ok(())
    }

    fn leave_map(&mut self) -> Result<(), Fault> {
        for _ in 0..MOST_MAP_BLOCKS {
            let block = self.block()?.ok_or(Fault::Truncated)?;
            if block.get(504) == Some(&0) {
                return Ok(());
            }
        }
        Err(Fault::SparseMap)
    }
}

/// The content of one entry.
#[derive(Debug)]
pub struct Content<'a, R> {
    reader: &'a mut TarReader<R>,
}

impl<R: Skip> io::Read for Content<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.reader.left;
        if left == 0 || into.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(left).map_or(into.len(), |left| left.min(into.len()));
        let read = self.reader.input.read(into.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the tar stream ends inside of a file",
            ));
        }
        self.reader.left -= read as u64;
        self.reader.position += read as u64;
        Ok(read)
    }
}
