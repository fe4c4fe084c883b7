//! How a file is compressed, and who unpacks it.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;

use crate::kmod::KmodError;

/// The most bytes that a module may have when it is unpacked: 512 MiB, some 25 times the largest one of a
/// distribution.
pub const LARGEST: usize = 512 << 20;

/// How the file of a kernel object is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all: `.ko`.
    None,
    /// `.ko.gz`. The kernel and many builds of kmod (Debian's among them) do not read it.
    Gzip,
    /// `.ko.xz`.
    Xz,
    /// `.ko.zst`.
    Zstd,
}

impl Compression {
    /// The compression that the first bytes of a file tell, whatever its name says.
    ///
    /// # Example: by content, not by name
    ///
    /// ```
    /// use kmm_core::kmod::Compression;
    ///
    /// assert_eq!(Compression::of(b"\xfd7zXZ\0..."), Compression::Xz);
    /// assert_eq!(Compression::of(b"\x7fELF..."), Compression::None);
    /// ```
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else if bytes.starts_with(b"\xfd7zXZ\0") {
            Self::Xz
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else {
            Self::None
        }
    }

    /// What follows `.ko` in the name of such a file.
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

/// Unpacks compressed files; implemented outside of this crate, over the library of choice.
pub trait Decompress {
    /// Unpacks `bytes`, to `limit` bytes at the most.
    ///
    /// An implementation must stop as soon as it has more than `limit` bytes: a small file can hold a large one.
    ///
    /// # Errors
    ///
    /// When this compression is not supported, the data is damaged, or there is more of it than `limit`.
    fn decompress(
        &self,
        compression: Compression,
        bytes: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, DecompressError>;
}

/// Why [`Decompress`] gave no data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecompressError {
    /// This program was built without it.
    #[error("this program cannot unpack it")]
    Unsupported,
    /// There is more data than allowed.
    #[error("it unpacks to more than {limit} bytes")]
    TooLarge {
        /// How much is allowed.
        limit: usize,
    },
    /// The data is not what the format asks for.
    #[error("{reason}")]
    Damaged {
        /// What the library says.
        reason: String,
    },
}

/// Reads plain files only: a [`Decompress`] that refuses everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainOnly;

impl Decompress for PlainOnly {
    fn decompress(&self, _: Compression, _: &[u8], _: usize) -> Result<Vec<u8>, DecompressError> {
        Err(DecompressError::Unsupported)
    }
}

/// The bytes of an object, unpacked where they are compressed, [`LARGEST`] at the most.
///
/// # Errors
///
/// When the file is compressed and cannot be unpacked.
pub fn unpack<'a>(bytes: &'a [u8], decompress: &dyn Decompress) -> Result<Cow<'a, [u8]>, KmodError> {
    let compression = Compression::of(bytes);
    if compression == Compression::None {
        return Ok(Cow::Borrowed(bytes));
    }
    let packed = |cause| KmodError::Packed { compression, cause };
    let unpacked = decompress
        .decompress(compression, bytes, LARGEST)
        .map_err(packed)?;
    if unpacked.len() > LARGEST {
        return Err(packed(DecompressError::TooLarge { limit: LARGEST }));
    }
    Ok(Cow::Owned(unpacked))
}
