//! Tar streams, read without trust: every name and header is bounded, and contents are skipped without a copy.
//!
//! Own code, because the `tar` crate takes long names and pax headers of any size into memory. What is accepted is what
//! Go's `archive/tar` accepts, which is what container runtimes unpack layers with.
//!
//! Surprises:
//! - A stream may end after any entry: the two blocks of zeros at the end are optional.
//! - Folders, links and devices have no content, whatever size their header gives.
//! - Global pax headers are skipped, as container runtimes do.
//! - Sparse files are listed with their real size; their content is not read.

mod header;
mod pax;
mod reader;

pub use reader::Entry;
pub use reader::EntryKind;
pub use reader::Fault;
pub use reader::LONGEST_EXTENSION;
pub use reader::Skip;
pub use reader::TarError;
pub use reader::TarReader;

#[cfg(test)]
pub(crate) mod build;
#[cfg(test)]
mod tests;
