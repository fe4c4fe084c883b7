//! How much of an image is read before it is refused.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Bounds on what an image may hold, and on what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Layers of one image. No more than 255 can be told apart.
    pub layers: usize,
    /// Entries of all layers together.
    pub entries: usize,
    /// Bytes of all names and link targets together, and 16 for each.
    pub name_bytes: usize,
    /// Bytes that are kept of modules and of files such as `modules.dep`; what is beyond is read and left out.
    pub kept_bytes: usize,
    /// The largest module that is read, as it lies in the layer.
    pub module_bytes: u64,
    /// The largest module, unpacked.
    pub unpacked_bytes: usize,
    /// The largest file such as `modules.dep`.
    pub text_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            layers: 255,
            entries: 750_000,
            name_bytes: 32 << 20,
            kept_bytes: 24 << 20,
            module_bytes: 128 << 20,
            unpacked_bytes: 256 << 20,
            text_bytes: 4 << 20,
        }
    }
}

/// What is left of [`Limits`] while the layers of one image are read, at once or one after the other.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    limits: Limits,
    used: Arc<Used>,
}

#[derive(Debug, Default)]
struct Used {
    entries: AtomicUsize,
    name_bytes: AtomicUsize,
    kept_bytes: AtomicUsize,
}

impl Budget {
    /// All of it.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            used: Arc::default(),
        }
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes one entry; false where there are none left.
    pub(super) fn entry(&self) -> bool {
        take(&self.used.entries, 1, self.limits.entries)
    }

    pub(super) fn name(&self, bytes: usize) -> bool {
        take(&self.used.name_bytes, bytes, self.limits.name_bytes)
    }

    pub(super) fn keep(&self, bytes: usize) -> bool {
        take(&self.used.kept_bytes, bytes, self.limits.kept_bytes)
    }
}

fn take(used: &AtomicUsize, amount: usize, most: usize) -> bool {
    let taken = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        used.checked_add(amount).filter(|after| *after <= most)
    });
    taken.is_ok()
}
