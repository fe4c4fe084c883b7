//! One kernel object after the other, in memory that is used again.
//!
//! Files are read, not mapped: that needs no `unsafe`, and a file that is cut short meanwhile is an error, not a signal.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use kmm_core::kmod::Compression;
use kmm_core::kmod::KmodError;
use kmm_core::kmod::LARGEST;

use crate::Decompressors;

/// Reads and unpacks kernel objects.
///
/// # Example: a file that is none
///
/// ```no_run
/// use kmm_core::kmod::{ModuleInfo, PlainOnly};
/// use kmm_files::ObjectReader;
///
/// let mut reader = ObjectReader::default();
/// let bytes = reader.read("a.ko.xz".as_ref())?;
/// let info = ModuleInfo::read(bytes, &PlainOnly)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct ObjectReader {
    file: Vec<u8>,
    unpacked: Vec<u8>,
}

/// Why a file gave no kernel object.
#[derive(Debug)]
#[non_exhaustive]
pub enum ObjectError {
    /// The file cannot be read.
    Io(io::Error),
    /// It can be read, and is too large, or cannot be unpacked.
    Object(KmodError),
}

impl std::fmt::Display for ObjectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Object(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ObjectError {}

impl From<io::Error> for ObjectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<KmodError> for ObjectError {
    fn from(error: KmodError) -> Self {
        Self::Object(error)
    }
}

impl ObjectReader {
    /// The bytes of a kernel object, unpacked where it is compressed; they stay until the next one is read.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or unpacked, or has more than [`LARGEST`] bytes, packed or not.
    pub fn read(&mut self, path: &Path) -> Result<&[u8], ObjectError> {
        let file = File::open(path)?;
        // One byte more shows the end without another growth; what is too large is refused while it is read.
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        self.file.clear();
        self.file.reserve_exact(size.min(LARGEST) + 1);
        self.read_from(file)
    }

    /// Like [`read`](Self::read), from anything that can be read, such as standard input.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn read_from(&mut self, reader: impl Read) -> Result<&[u8], ObjectError> {
        self.file.clear();
        reader.take(LARGEST as u64 + 1).read_to_end(&mut self.file)?;
        if self.file.len() > LARGEST {
            let reason = format!("the file has more than {LARGEST} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason).into());
        }
        let compression = Compression::of(&self.file);
        if compression == Compression::None {
            return Ok(&self.file);
        }
        let unpacked = Decompressors.decompress_into(compression, &self.file, LARGEST, &mut self.unpacked);
        unpacked.map_err(|cause| KmodError::Packed { compression, cause })?;
        Ok(&self.unpacked)
    }
}
