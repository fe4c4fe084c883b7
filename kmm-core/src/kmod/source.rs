//! Where the bytes of a kernel object come from.

use std::borrow::Cow;
use std::ops::Range;

/// A plain kernel object of which only parts are looked at: of a large module, `modinfo` and `depmod` need the tables
/// at its end and a few small sections, never its code.
///
/// Implemented here for bytes in memory, and outside of this crate for files.
///
/// # Example: a source that counts what is looked at
///
/// ```
/// use std::cell::Cell;
/// use std::ops::Range;
///
/// use kmm_core::kmod::{ByteSource, ModuleInfo};
///
/// struct Counted<'a>(&'a [u8], Cell<usize>);
///
/// impl ByteSource for Counted<'_> {
///     fn size(&self) -> usize {
///         self.0.len()
///     }
///
///     fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
///         self.1.set(self.1.get() + range.len());
///         self.0.get(range)
///     }
/// }
///
/// let source = Counted(&[0; 1000], Cell::new(0));
/// assert!(ModuleInfo::read_from(&source).is_err());
/// assert!(source.1.get() <= 64);
/// ```
pub trait ByteSource {
    /// How many bytes there are.
    fn size(&self) -> usize;

    /// The bytes of a range; `None` where it goes past the end or cannot be read.
    ///
    /// The same range may be asked for again.
    fn bytes(&self, range: Range<usize>) -> Option<&[u8]>;
}

impl ByteSource for &[u8] {
    fn size(&self) -> usize {
        self.len()
    }

    fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        self.get(range)
    }
}

impl ByteSource for Cow<'_, [u8]> {
    fn size(&self) -> usize {
        self.len()
    }

    fn bytes(&self, range: Range<usize>) -> Option<&[u8]> {
        self.get(range)
    }
}
