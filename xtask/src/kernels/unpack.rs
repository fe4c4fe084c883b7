//! The decompressors of the comparison, over C libraries where they are the fast ones.

use std::io::Read;

use kmm_core::kmod::Compression;
use kmm_core::kmod::Decompress;
use kmm_core::kmod::DecompressError;

/// Unpacks gzip, xz and zstd.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unpack;

impl Decompress for Unpack {
    fn decompress(
        &self,
        compression: Compression,
        bytes: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, DecompressError> {
        let damaged = |error: std::io::Error| DecompressError::Damaged {
            reason: error.to_string(),
        };
        match compression {
            Compression::None => Ok(bytes.to_vec()),
            Compression::Gzip => bounded(flate2::read::MultiGzDecoder::new(bytes), bytes.len(), limit),
            Compression::Xz => bounded(
                liblzma::read::XzDecoder::new_multi_decoder(bytes),
                bytes.len(),
                limit,
            ),
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(bytes).map_err(damaged)?;
                bounded(decoder, bytes.len(), limit)
            }
        }
    }
}

fn bounded(reader: impl Read, packed: usize, limit: usize) -> Result<Vec<u8>, DecompressError> {
    let mut out = Vec::with_capacity(packed.saturating_mul(5).min(limit));
    let read = reader.take(limit as u64 + 1).read_to_end(&mut out);
    read.map_err(|error| DecompressError::Damaged {
        reason: error.to_string(),
    })?;
    if out.len() > limit {
        return Err(DecompressError::TooLarge { limit });
    }
    Ok(out)
}
