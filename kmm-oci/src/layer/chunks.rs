//! What a layer unpacks to, chunk by chunk from the thread that unpacks it.

use std::io;
use std::io::BufRead;
use std::io::Read;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;

use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::layer::read_buffered;
use crate::tar::Skip;

/// The size of a chunk: 128 KiB, so that two stay in a core's cache.
pub(super) const CHUNK: usize = 128 << 10;

/// Chunks that may wait.
pub(super) const WAITING: usize = 4;

/// The receiving end, as a stream. Skipping does not copy.
pub(super) struct Chunks<'a> {
    chunks: Receiver<Vec<u8>>,
    used: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    start: usize,
    hasher: Option<Hasher>,
    unpacked: &'a AtomicU64,
    limit: u64,
    too_large: bool,
}

impl<'a> Chunks<'a> {
    /// `unpacked` counts what all layers of the image unpack to.
    pub(super) fn new(
        chunks: Receiver<Vec<u8>>,
        used: SyncSender<Vec<u8>>,
        hash: Option<Algorithm>,
        unpacked: &'a AtomicU64,
        limit: u64,
    ) -> Self {
        let hasher = hash.map(Hasher::new);
        Self {
            chunks,
            used,
            current: Vec::new(),
            start: 0,
            hasher,
            unpacked,
            limit,
            too_large: false,
        }
    }

    /// Whether it stopped because there is more than allowed.
    pub(super) fn is_too_large(&self) -> bool {
        self.too_large
    }

    /// Takes the rest, and gives the digest of all.
    pub(super) fn finish(mut self) -> (Option<Digest>, bool) {
        while !self.too_large && self.next() {}
        (self.hasher.map(Hasher::finish), self.too_large)
    }

    fn next(&mut self) -> bool {
        self.start = 0;
        let Ok(chunk) = self.chunks.recv() else {
            self.current.clear();
            return false;
        };
        // A full way back means that there are chunks enough.
        let _ = self.used.try_send(std::mem::replace(&mut self.current, chunk));
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.current);
        }
        let size = self.current.len() as u64;
        self.too_large = self
            .unpacked
            .fetch_add(size, Ordering::Relaxed)
            .saturating_add(size)
            > self.limit;
        true
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, into)
    }
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start >= self.current.len() && !self.too_large && self.next() {}
        if self.too_large {
            return Err(io::Error::other("more data than allowed"));
        }
        Ok(self.current.get(self.start..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

impl Skip for Chunks<'_> {}
