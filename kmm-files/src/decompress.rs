//! gzip, xz and zstd, each unpacked to a limit.

use std::io;
use std::io::BufRead;
use std::io::Read;

use kmm_core::kmod::Compression;
use kmm_core::kmod::Decompress;
use kmm_core::kmod::DecompressError;
use liblzma::stream::Action;
use liblzma::stream::CONCATENATED;
use liblzma::stream::Status;
use liblzma::stream::Stream;

/// The most memory that an xz stream may ask for: its own largest preset (`xz -9`) takes 65 MiB.
const XZ_MEMORY: u64 = 128 << 20;

/// Unpacks gzip with `zlib-rs`, xz and zstd with their C libraries.
///
/// Several members, streams or frames in one file are unpacked one after the other, as `zcat`, `xzcat` and `zstdcat`
/// do. Memory is bounded: the limit for what comes out, 128 MiB for what an xz or zstd stream may look back at.
///
/// # Example: a limit
///
/// ```
/// use kmm_core::kmod::{Compression, Decompress, DecompressError};
/// use kmm_files::Decompressors;
///
/// let packed = zstd::bulk::compress(&[0; 1000], 1)?;
/// assert_eq!(Decompressors.decompress(Compression::Zstd, &packed, 1000), Ok(vec![0; 1000]));
/// let error = Decompressors.decompress(Compression::Zstd, &packed, 999);
/// assert_eq!(error, Err(DecompressError::TooLarge { limit: 999 }));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Decompressors;

impl Decompress for Decompressors {
    fn decompress(
        &self,
        compression: Compression,
        bytes: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, DecompressError> {
        let mut out = Vec::new();
        self.decompress_into(compression, bytes, limit, &mut out)?;
        Ok(out)
    }
}

impl Decompressors {
    /// Unpacks `bytes` into `out`, which is emptied first: a buffer that is used again saves its making.
    ///
    /// # Errors
    ///
    /// When the data is damaged or cut off, or there is more of it than `limit`. What stands in `out` then has no
    /// meaning.
    pub fn decompress_into(
        &self,
        compression: Compression,
        bytes: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecompressError> {
        out.clear();
        match compression {
            Compression::None => out.extend_from_slice(bytes),
            Compression::Gzip => bounded(flate2::read::MultiGzDecoder::new(bytes), limit, out)?,
            Compression::Xz => xz(bytes, bytes.len().saturating_mul(3), limit, out)?,
            Compression::Zstd => zstd(bytes, limit, out)?,
        }
        if out.len() > limit {
            return Err(DecompressError::TooLarge { limit });
        }
        Ok(())
    }
}

fn bounded(reader: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    let most = (limit as u64).saturating_add(1);
    reader
        .take(most)
        .read_to_end(out)
        .map_err(|error| damaged(&error))?;
    Ok(())
}

/// Why a stream gave no data.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It could not be read.
    Io(io::Error),
    /// What was read could not be unpacked.
    Data(DecompressError),
}

impl From<Fault> for DecompressError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) => damaged(&error),
            Fault::Data(error) => error,
        }
    }
}

/// Unpacks xz data that need not be in memory. `expected` is how much may come out, as a guess.
pub(crate) fn xz(
    mut input: impl BufRead,
    expected: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let unusable = |reason: &dyn ToString| Fault::Data(damaged(&reason.to_string()));
    let mut stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED).map_err(|error| unusable(&error))?;
    loop {
        if out.len() == out.capacity() {
            // As much again, one byte more than allowed at the most.
            let more = out.len().max(expected).max(4096);
            let more = more.min(limit.saturating_add(1).saturating_sub(out.len()));
            out.try_reserve_exact(more).map_err(|error| unusable(&error))?;
        }
        let (read, written) = (stream.total_in(), out.len());
        let rest = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            rest => rest.map_err(Fault::Io)?,
        };
        let action = match rest {
            [] => Action::Finish,
            _ => Action::Run,
        };
        let status = stream
            .process_vec(rest, out, action)
            .map_err(|error| unusable(&error))?;
        let used = stream.total_in() - read;
        input.consume(usize::try_from(used).unwrap_or(usize::MAX));
        if out.len() > limit {
            return Err(Fault::Data(DecompressError::TooLarge { limit }));
        }
        if status == Status::StreamEnd {
            return Ok(());
        }
        if used == 0 && out.len() == written {
            return Err(unusable(&"the data is cut off"));
        }
    }
}

fn zstd(bytes: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    // In one go where the frame says how much it is, and does not lie.
    let size = zstd::zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok());
    if let Some(size) = size.filter(|size| *size <= limit)
        && out.try_reserve_exact(size).is_ok()
        && let Ok(mut decoder) = zstd::bulk::Decompressor::new()
        && decoder.decompress_to_buffer(bytes, out).is_ok()
    {
        return Ok(());
    }
    out.clear();
    let decoder = zstd::Decoder::with_buffer(bytes).map_err(|error| damaged(&error))?;
    bounded(decoder, limit, out)
}

fn damaged<E: ToString + ?Sized>(reason: &E) -> DecompressError {
    DecompressError::Damaged {
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * i / 7 % 251) as u8).collect()
    }

    fn pack(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => bytes.to_vec(),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Compression::Zstd => zstd::stream::encode_all(bytes, 1).unwrap(),
        }
    }

    const ALL: [Compression; 3] = [Compression::Gzip, Compression::Xz, Compression::Zstd];

    #[test]
    fn what_was_packed_comes_out_and_no_more_than_the_limit() {
        for compression in ALL {
            for length in [0, 1, 4095, 4096, 4097, 1 << 20] {
                let bytes = text(length);
                let packed = pack(compression, &bytes);
                let unpack = |limit| Decompressors.decompress(compression, &packed, limit);
                assert_eq!(unpack(length), Ok(bytes.clone()), "{compression} {length}");
                assert_eq!(unpack(usize::MAX), Ok(bytes), "{compression} {length}");
                if length > 0 {
                    let limit = length - 1;
                    assert_eq!(
                        unpack(limit),
                        Err(DecompressError::TooLarge { limit }),
                        "{compression} {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        let zeros = vec![0; 4 << 20];
        for compression in ALL {
            let packed = pack(compression, &zeros);
            let limit = 1 << 16;
            let error = Decompressors.decompress(compression, &packed, limit);
            assert_eq!(error, Err(DecompressError::TooLarge { limit }), "{compression}");
        }
    }

    #[test]
    fn every_cut_and_many_changes_are_seen() {
        let bytes = text(3000);
        for compression in ALL {
            let packed = pack(compression, &bytes);
            for end in 6..packed.len() {
                let cut = Decompressors.decompress(compression, &packed[..end], 1 << 20);
                assert!(cut.is_err(), "{compression} cut at {end}");
            }
            for at in 0..packed.len() {
                let mut changed = packed.clone();
                changed[at] ^= 0x41;
                // Not every byte matters (a time, an unused bit); none makes it loop or grow.
                if let Ok(out) = Decompressors.decompress(compression, &changed, 1 << 20) {
                    assert!(out.len() <= 1 << 20);
                }
            }
        }
    }

    #[test]
    fn several_in_one_file_are_one() {
        let (first, second) = (text(5000), text(9000));
        for compression in ALL {
            let packed = [pack(compression, &first), pack(compression, &second)].concat();
            let out = Decompressors.decompress(compression, &packed, 14_000);
            assert_eq!(out, Ok([&first[..], &second].concat()), "{compression}");
            let limit = 13_999;
            let out = Decompressors.decompress(compression, &packed, limit);
            assert_eq!(out, Err(DecompressError::TooLarge { limit }), "{compression}");
        }
    }

    #[test]
    fn a_buffer_is_emptied_first() {
        let mut out = text(1 << 16);
        for compression in [
            Compression::None,
            Compression::Gzip,
            Compression::Xz,
            Compression::Zstd,
        ] {
            let bytes = text(1000);
            let packed = pack(compression, &bytes);
            Decompressors
                .decompress_into(compression, &packed, 1000, &mut out)
                .unwrap();
            assert_eq!(out, bytes, "{compression}");
        }
    }
}
