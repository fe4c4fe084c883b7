//! One kernel object after the other, in memory that is used again.

use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;

use kmm_core::kmod::ByteSource;
use kmm_core::kmod::Compression;
use kmm_core::kmod::KmodError;
use kmm_core::kmod::LARGEST;

use crate::Decompressors;
use crate::decompress;
use crate::decompress::Fault;
use crate::parts::Buffers;
use crate::parts::FileParts;

/// An object that is larger gives its memory back; few are.
const KEPT: usize = 1 << 20;
/// Memory that is set aside for an object, and touched only as far as one needs it. From 32 MiB on glibc takes it from the
/// system each time, and does not learn from it to keep as much for itself.
const SET_ASIDE: usize = 33 << 20;
/// Bytes that tell how a file is compressed, and the head of an ELF file.
const HEAD: usize = 64;
/// A packed file that can be unpacked in pieces is read in such.
const PIECE: usize = 64 << 10;

/// Reads and unpacks kernel objects: of one that is not compressed, only the parts that are looked at.
///
/// # Example: a file that is none
///
/// ```no_run
/// use kmm_core::kmod::ModuleInfo;
/// use kmm_files::ObjectReader;
///
/// let mut reader = ObjectReader::default();
/// let info = reader.read("a.ko.xz".as_ref(), ModuleInfo::read_from)?;
/// # Ok::<(), kmm_files::ObjectError>(())
/// ```
#[derive(Debug, Default)]
pub struct ObjectReader {
    file: Vec<u8>,
    unpacked: Vec<u8>,
    parts: Buffers,
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
    /// Looks at a kernel object, unpacked where it is compressed.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or unpacked, or has more than [`LARGEST`] bytes, packed or not; else those of
    /// `look`.
    pub fn read<T>(
        &mut self,
        path: &Path,
        look: impl FnOnce(&dyn ByteSource) -> Result<T, KmodError>,
    ) -> Result<T, ObjectError> {
        let file = File::open(path)?;
        let data = file.metadata()?;
        if !data.is_file() {
            return self.read_from(file, look);
        }
        let size = usize::try_from(data.len()).unwrap_or(usize::MAX);
        if size > LARGEST {
            return Err(too_large().into());
        }
        let parts = FileParts::new(&file, size, &self.parts);
        let head = parts.bytes(0..size.min(HEAD)).unwrap_or_default();
        if Compression::of(head) == Compression::None {
            let found = look(&parts);
            // What could not be read may have been taken for what is not there.
            parts.finish()?;
            return Ok(found?);
        }
        let is_xz = Compression::of(head) == Compression::Xz;
        parts.finish()?;
        if !is_xz {
            return self.read_from(file, look);
        }
        empty(&mut self.unpacked);
        let input = BufReader::with_capacity(PIECE, file.take(LARGEST as u64));
        let unpacked = decompress::xz(input, size.saturating_mul(3), LARGEST, &mut self.unpacked);
        unpacked.map_err(|fault| match fault {
            Fault::Io(error) => ObjectError::Io(error),
            Fault::Data(cause) => ObjectError::Object(KmodError::Packed {
                compression: Compression::Xz,
                cause,
            }),
        })?;
        Ok(look(&self.unpacked.as_slice())?)
    }

    /// Like [`read`](Self::read), from anything that can be read, such as standard input.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn read_from<T>(
        &mut self,
        reader: impl Read,
        look: impl FnOnce(&dyn ByteSource) -> Result<T, KmodError>,
    ) -> Result<T, ObjectError> {
        empty(&mut self.file);
        reader.take(LARGEST as u64 + 1).read_to_end(&mut self.file)?;
        if self.file.len() > LARGEST {
            return Err(too_large().into());
        }
        self.look_at_packed(look)
    }

    /// Looks at what stands in `file`, unpacked where it is compressed.
    fn look_at_packed<T>(
        &mut self,
        look: impl FnOnce(&dyn ByteSource) -> Result<T, KmodError>,
    ) -> Result<T, ObjectError> {
        let compression = Compression::of(&self.file);
        if compression == Compression::None {
            return Ok(look(&self.file.as_slice())?);
        }
        empty(&mut self.unpacked);
        let unpacked = Decompressors.decompress_into(compression, &self.file, LARGEST, &mut self.unpacked);
        unpacked.map_err(|cause| KmodError::Packed { compression, cause })?;
        Ok(look(&self.unpacked.as_slice())?)
    }
}

/// Makes room for the next object.
fn empty(buffer: &mut Vec<u8>) {
    if buffer.len() > KEPT {
        *buffer = Vec::new();
    }
    buffer.clear();
    // Where there is not so much, it grows as it is needed.
    let _ = buffer.try_reserve_exact(SET_ASIDE);
}

fn too_large() -> io::Error {
    let reason = format!("the file has more than {LARGEST} bytes");
    io::Error::new(io::ErrorKind::FileTooLarge, reason)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    fn whole(source: &dyn ByteSource) -> Result<Vec<u8>, KmodError> {
        Ok(source.bytes(0..source.size()).unwrap_or_default().to_vec())
    }

    fn packed(bytes: &[u8]) -> [Vec<u8>; 4] {
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(bytes).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        let zstd = zstd::stream::encode_all(bytes, 1).unwrap();
        [bytes.to_vec(), xz.finish().unwrap(), gzip.finish().unwrap(), zstd]
    }

    /// Larger than any piece that is read, and than what is kept; one reader for all.
    #[test]
    fn files_are_read_whole_and_cut_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ko");
        let mut reader = ObjectReader::default();
        for size in [3 << 20, 1000, 300_000] {
            let noise = |i: usize| (i.wrapping_mul(0x9e37_79b9) >> 13) as u8;
            let bytes: Vec<u8> = (0..size).map(noise).collect();
            for file in packed(&bytes) {
                fs::write(&path, &file).unwrap();
                assert_eq!(reader.read(&path, whole).unwrap(), bytes);
                assert_eq!(reader.read_from(file.as_slice(), whole).unwrap(), bytes);
                if file != bytes {
                    fs::write(&path, &file[..file.len() - 5]).unwrap();
                    let error = reader.read(&path, whole).unwrap_err();
                    assert!(
                        matches!(error, ObjectError::Object(KmodError::Packed { .. })),
                        "{error}"
                    );
                }
            }
        }
    }
}
