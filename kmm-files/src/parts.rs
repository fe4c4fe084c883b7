//! A file of which only parts are read.
//!
//! Parts are read, not mapped: that needs no `unsafe`, and a file that is cut short meanwhile is an error, not a signal.

use std::cell::Cell;
use std::cell::OnceCell;
use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use kmm_core::kmod::ByteSource;

/// A file up to this size is read as a whole: one call costs as much as some 20 KiB.
const WHOLE: usize = 24 << 10;
/// What is read along before and behind a part: the tables at the end of a module lie side by side.
const AROUND: (usize, usize) = (1 << 10, 3 << 10);
/// Parts of one file; a module has some ten tables.
const PARTS: usize = 12;
/// A buffer that is larger is not kept for the next file.
const KEPT: usize = 1 << 20;

/// Memory that is used again for the next file.
pub(crate) type Buffers = RefCell<Vec<Vec<u8>>>;

/// The parts of one file that have been read.
#[derive(Debug)]
pub(crate) struct FileParts<'a> {
    file: &'a File,
    size: usize,
    parts: [OnceCell<Part>; PARTS],
    /// Bytes of all parts.
    read: Cell<usize>,
    failed: OnceCell<io::Error>,
    buffers: &'a Buffers,
}

/// Bytes of a file, from `start` on.
#[derive(Debug)]
struct Part {
    start: usize,
    length: usize,
    /// May be longer: then the rest is of an earlier file.
    buffer: Vec<u8>,
}

impl<'a> FileParts<'a> {
    pub(crate) fn new(file: &'a File, size: usize, buffers: &'a Buffers) -> Self {
        Self {
            file,
            size,
            parts: [const { OnceCell::new() }; PARTS],
            read: Cell::new(0),
            failed: OnceCell::new(),
            buffers,
        }
    }

    /// Gives the memory back; why a part could not be read, if one could not.
    pub(crate) fn finish(self) -> io::Result<()> {
        let buffers = self.parts.into_iter().filter_map(OnceCell::into_inner);
        let kept = buffers
            .map(|part| part.buffer)
            .filter(|buffer| buffer.len() <= KEPT);
        self.buffers.borrow_mut().extend(kept);
        self.failed.into_inner().map_or(Ok(()), Err)
    }

    /// What is read to have `range`.
    ///
    /// In all, no more than twice the file is read, however its parts lie: the last part is the whole file.
    fn window(&self, range: &Range<usize>, place: usize) -> Range<usize> {
        let start = range.start.saturating_sub(AROUND.0);
        let end = range.end.saturating_add(AROUND.1).min(self.size);
        let read = self.read.get().saturating_add(end - start);
        if self.size <= WHOLE || read > self.size || place + 1 >= PARTS {
            return 0..self.size;
        }
        start..end
    }

    fn load(&self, window: Range<usize>) -> io::Result<Part> {
        let (start, length) = (window.start, window.len());
        let mut buffer = self.buffers.borrow_mut().pop().unwrap_or_default();
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let target = buffer.get_mut(..length).unwrap_or_default();
        self.file.read_exact_at(target, start as u64)?;
        self.read.set(self.read.get().saturating_add(length));
        Ok(Part {
            start,
            length,
            buffer,
        })
    }
}

impl Part {
    /// The bytes of a range of the file, if all of them are here.
    fn get(&self, range: &Range<usize>) -> Option<&[u8]> {
        let own = self.buffer.get(..self.length)?;
        own.get(range.start.checked_sub(self.start)?..range.end.checked_sub(self.start)?)
    }
}

impl ByteSource for FileParts<'_> {
    fn size(&self) -> usize {
        self.size
    }

    fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.size || self.failed.get().is_some() {
            return None;
        }
        for (place, part) in self.parts.iter().enumerate() {
            let part = match part.get() {
                Some(part) => part,
                None => match self.load(self.window(&range, place)) {
                    Ok(read) => part.get_or_init(|| read),
                    Err(error) => {
                        let _ = self.failed.set(error);
                        return None;
                    }
                },
            };
            if let Some(bytes) = part.get(&range) {
                return Some(bytes);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(length: usize) -> (File, Vec<u8>) {
        let bytes: Vec<u8> = (0..length).map(|at| (at * at / 13 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (file, bytes)
    }

    #[test]
    fn every_range_is_what_the_file_has_there() {
        let buffers = Buffers::default();
        for length in [0, 1, WHOLE - 1, WHOLE, WHOLE + 1, 300_000] {
            let (file, bytes) = file(length);
            let parts = FileParts::new(&file, length, &buffers);
            let mut at = 0;
            for size in [64, 0, 4000, 1, 30_000, 5, 100_000, 2, 2, 3, 4, 5, 6, 7, 8, 9] {
                at = (at + 77_777) % (length + 1);
                let range = at..at + size;
                assert_eq!(
                    parts.bytes(range.clone()),
                    bytes.get(range.clone()),
                    "{length} {range:?}"
                );
            }
            assert_eq!(parts.bytes(0..length), Some(bytes.as_slice()));
            assert_eq!(parts.bytes(0..length + 1), None);
            assert!(parts.read.get() <= 2 * length);
            parts.finish().unwrap();
        }
    }

    #[test]
    fn overlapping_parts_read_the_file_twice_at_the_most() {
        let (file, bytes) = file(500_000);
        let buffers = Buffers::default();
        let parts = FileParts::new(&file, 500_000, &buffers);
        for start in 0..200 {
            let range = start * 1000..300_000 + start * 1000;
            assert_eq!(parts.bytes(range.clone()), bytes.get(range));
        }
        assert!(parts.read.get() <= 1_000_000, "{}", parts.read.get());
    }

    #[test]
    fn a_file_that_was_cut_short_is_an_error() {
        let (file, bytes) = file(100_000);
        let buffers = Buffers::default();
        let parts = FileParts::new(&file, 100_000, &buffers);
        assert_eq!(parts.bytes(0..64), bytes.get(0..64));
        file.set_len(50_000).unwrap();
        assert_eq!(parts.bytes(90_000..90_010), None);
        let error = parts.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
