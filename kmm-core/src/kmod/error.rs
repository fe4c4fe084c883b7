//! Why a file is no kernel object that can be read.

use thiserror::Error;

use crate::kmod::compression::Compression;
use crate::kmod::compression::DecompressError;

/// A file is no kernel object, or a damaged one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KmodError {
    /// The first bytes belong to no format that a kernel object can have.
    #[error("not a kernel object: {}", foreign(start))]
    Foreign {
        /// The first bytes, as hexadecimal digits; empty for an empty file.
        start: String,
    },
    /// The file could not be read; only those who read files say so.
    #[error("{reason}")]
    Unreadable {
        /// What the system says.
        reason: String,
    },
    /// The file is compressed and could not be unpacked.
    #[error("could not unpack {compression} data: {cause}")]
    Packed {
        /// How it is compressed.
        compression: Compression,
        /// What the decompressor says.
        cause: DecompressError,
    },
    /// A part of the file cannot be what it claims to be.
    #[error("{place}, at byte {offset:#x}: {reason}")]
    Damaged {
        /// Which part: a header, or a section with its number.
        place: String,
        /// Where the part, or the fault in it, lies in the unpacked file.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A section without which the kernel loads no module is not there.
    #[error("there is no section `{section}`, which every kernel object has")]
    Missing {
        /// The name of the section.
        section: &'static str,
    },
}

fn foreign(start: &str) -> String {
    if start.is_empty() {
        return "the file is empty".to_owned();
    }
    format!(
        "it starts with `{start}`, where an ELF file has `7f 45 4c 46` (or gzip, xz and zstd have theirs)"
    )
}

impl KmodError {
    pub(crate) fn damaged(place: impl Into<String>, offset: u64, reason: impl Into<String>) -> Self {
        Self::Damaged {
            place: place.into(),
            offset,
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_called_empty() {
        let error = KmodError::Foreign { start: String::new() };
        assert_eq!(error.to_string(), "not a kernel object: the file is empty");
    }
}
