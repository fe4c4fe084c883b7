//! Chunks of bytes, from one thread to the next.

use std::io;
use std::io::BufRead;
use std::io::Read;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;

use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::layer::read_buffered;
use crate::tar::Skip;

/// The size of a chunk: 128 KiB, so that two stay in a core's cache.
pub(super) const CHUNK: usize = 128 << 10;

/// Chunks that may wait between two threads.
const WAITING: usize = 4;

/// A way for chunks, and back for those that were used.
pub(super) fn way() -> (ChunkSender, ChunkReceiver) {
    let (to, chunks) = sync_channel(WAITING);
    let (back, used) = sync_channel(WAITING);
    let receiver = ChunkReceiver {
        chunks,
        used: back,
        current: Vec::new(),
        start: 0,
    };
    (ChunkSender { to, used }, receiver)
}

/// The end that chunks go in.
#[derive(Debug)]
pub(super) struct ChunkSender {
    to: SyncSender<Vec<u8>>,
    used: Receiver<Vec<u8>>,
}

impl ChunkSender {
    /// A chunk to fill; what stands in it has no meaning.
    pub(super) fn blank(&self) -> Vec<u8> {
        let mut chunk = self.used.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        chunk
    }

    /// Hands a chunk over; whether someone still takes them.
    pub(super) fn send(&self, chunk: Vec<u8>) -> bool {
        self.to.send(chunk).is_ok()
    }
}

/// The end that they come out, as a stream.
#[derive(Debug)]
pub(super) struct ChunkReceiver {
    chunks: Receiver<Vec<u8>>,
    used: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    start: usize,
}

impl ChunkReceiver {
    /// Goes to the next chunk; none at the end.
    fn next(&mut self) -> Option<&[u8]> {
        self.start = 0;
        let Ok(chunk) = self.chunks.recv() else {
            self.current.clear();
            return None;
        };
        // A full way back means that there are chunks enough.
        let _ = self.used.try_send(std::mem::replace(&mut self.current, chunk));
        Some(&self.current)
    }

    fn rest(&self) -> &[u8] {
        self.current.get(self.start..).unwrap_or_default()
    }
}

impl Read for ChunkReceiver {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, into)
    }
}

impl BufRead for ChunkReceiver {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.rest().is_empty() && self.next().is_some() {}
        Ok(self.rest())
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

/// What a layer unpacks to: counted, and hashed where that is asked for. Skipping does not copy.
pub(super) struct Unpacked<'a> {
    chunks: ChunkReceiver,
    hasher: Option<Hasher>,
    count: &'a AtomicU64,
    limit: u64,
    too_large: bool,
}

impl<'a> Unpacked<'a> {
    /// `count` is what all layers of the image unpack to.
    pub(super) fn new(
        chunks: ChunkReceiver,
        hash: Option<Algorithm>,
        count: &'a AtomicU64,
        limit: u64,
    ) -> Self {
        Self {
            chunks,
            hasher: hash.map(Hasher::new),
            count,
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
        let Some(chunk) = self.chunks.next() else {
            return false;
        };
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        let size = chunk.len() as u64;
        let before = self.count.fetch_add(size, Ordering::Relaxed);
        self.too_large = before.saturating_add(size) > self.limit;
        true
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, into)
    }
}

impl BufRead for Unpacked<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunks.rest().is_empty() && !self.too_large && self.next() {}
        if self.too_large {
            return Err(io::Error::other("more data than allowed"));
        }
        Ok(self.chunks.rest())
    }

    fn consume(&mut self, count: usize) {
        self.chunks.consume(count);
    }
}

impl Skip for Unpacked<'_> {}
