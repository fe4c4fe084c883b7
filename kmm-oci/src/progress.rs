//! How far reading has come, for whoever watches.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Bytes of blobs: those that were read, and all that are to be read as far as is known.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    all: AtomicU64,
}

impl Progress {
    /// Bytes that were read so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes that are to be read; 0 where nobody knows, as of a stream.
    pub fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    pub(crate) fn expect(&self, bytes: u64) {
        self.all.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }
}
