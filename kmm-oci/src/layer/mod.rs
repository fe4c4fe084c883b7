//! One layer, from the bytes of its blob to facts about its files.
//!
//! Three threads work on a layer: one reads the blob and hashes it, one unpacks it, and one hashes what comes out and
//! reads the tar stream. A few chunks lie between them, and that is all that is in memory. What is not compressed needs
//! no thread in the middle.

mod blob;
mod chunks;
mod error;
mod pool;
mod read;

use std::io;
use std::io::BufRead;

pub use error::LayerFault;

pub(crate) use blob::Expected;
pub(crate) use blob::WINDOW_LOG;
pub(crate) use blob::format_of;
pub(crate) use pool::Pool;
pub use read::layer_of_tar;

pub(crate) use read::LayerJob;
pub(crate) use read::ReadLayer;
pub(crate) use read::Shared;
pub(crate) use read::read;

/// `read` of what has a buffer.
pub(crate) fn read_buffered(from: &mut impl BufRead, into: &mut [u8]) -> io::Result<usize> {
    let there = from.fill_buf()?;
    let step = there.len().min(into.len());
    if let (Some(to), Some(from)) = (into.get_mut(..step), there.get(..step)) {
        to.copy_from_slice(from);
    }
    from.consume(step);
    Ok(step)
}

#[cfg(test)]
pub(crate) mod tests;
