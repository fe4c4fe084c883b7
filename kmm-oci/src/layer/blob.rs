//! The bytes of a blob: counted, hashed, unpacked.

use std::io;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::layer::LayerFault;
use crate::layer::Pool;
use crate::layer::chunks::CHUNK;
use crate::layer::chunks::ChunkReceiver;
use crate::layer::chunks::ChunkSender;
use crate::manifest::LayerFormat;
use crate::progress::Progress;

/// How far back zstd data may refer without asking: 8 MiB, what its specification asks every reader to allow.
pub(crate) const WINDOW_LOG: u32 = 23;

/// How far back it may refer at most: 32 MiB, what the best level of the encoder that builders use asks for.
const LARGEST_WINDOW_LOG: u32 = 25;

/// Digest and size that a blob has to have, where the manifest names the blob itself.
pub(crate) type Expected = Option<(Digest, u64)>;

/// The hash of the blob.
pub(super) fn algorithm(expected: &Expected) -> Algorithm {
    expected
        .as_ref()
        .map_or(Algorithm::Sha256, |(digest, _)| digest.algorithm())
}

/// The most of a blob that is read only to tell whether it is the right one, after it turned out to be of no use: 4 MiB.
const MOST_REST: u64 = 4 << 20;

/// A blob while it is read.
struct Blob<'a> {
    input: Box<dyn Read + Send + 'a>,
    hasher: Hasher,
    size: u64,
    expected: Option<u64>,
    progress: Option<&'a Progress>,
}

impl<'a> Blob<'a> {
    fn new(input: Box<dyn Read + Send + 'a>, expected: &Expected, progress: Option<&'a Progress>) -> Self {
        let expected_size = expected.as_ref().map(|(_, size)| *size);
        Self {
            // One byte more tells that there is more; nobody needs the rest of that.
            input: match expected_size {
                Some(size) => Box::new(input.take(size.saturating_add(1))),
                None => input,
            },
            hasher: Hasher::new(algorithm(expected)),
            size: 0,
            expected: expected_size,
            progress,
        }
    }

    /// Fills a chunk as far as the input gives, hashes what came, and notices when it is too much. Empty is the end.
    fn fill(&mut self, chunk: &mut Vec<u8>) -> Result<(), LayerFault> {
        let (filled, error) = fill(&mut self.input, chunk);
        chunk.truncate(filled);
        if let Some(source) = error {
            let at = self.size + filled as u64;
            return Err(LayerFault::Io { at, source });
        }
        self.size += filled as u64;
        if let Some(progress) = self.progress {
            progress.add(filled as u64);
        }
        self.hasher.update(chunk);
        match self.expected {
            Some(expected) if self.size > expected => Err(LayerFault::Size {
                size: self.size,
                expected,
            }),
            _ => Ok(()),
        }
    }

    /// Reads on to the end if that is near; whether it was.
    fn rest(&mut self, mut chunk: Vec<u8>) -> Result<bool, LayerFault> {
        let rest = self.expected.map(|expected| expected.saturating_sub(self.size));
        if rest.is_none_or(|rest| rest > MOST_REST) {
            return Ok(false);
        }
        loop {
            chunk.resize(CHUNK, 0);
            self.fill(&mut chunk)?;
            if chunk.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Tells at its end whether it was the right blob.
    fn finish(self, expected: &Expected) -> Result<(Digest, u64), LayerFault> {
        let digest = self.hasher.finish();
        if let Some((right, size)) = expected {
            if self.size != *size {
                return Err(LayerFault::Size {
                    size: self.size,
                    expected: *size,
                });
            }
            if digest != *right {
                return Err(LayerFault::Digest { found: digest });
            }
        }
        Ok((digest, self.size))
    }
}

/// Reads a blob, hashes it, and sends it on in chunks; gives its digest and size.
///
/// When nobody takes chunks any more, it is of no use. The rest is read only if it is small: then a blob that is not
/// the right one is told as that, and not as what follows from it. Else the answer is `None`.
pub(super) fn fetch(
    input: Box<dyn Read + Send + '_>,
    expected: &Expected,
    progress: Option<&Progress>,
    chunks: &ChunkSender,
) -> Result<Option<(Digest, u64)>, LayerFault> {
    let mut blob = Blob::new(input, expected, progress);
    loop {
        let mut chunk = chunks.blank();
        blob.fill(&mut chunk)?;
        if chunk.is_empty() {
            return blob.finish(expected).map(Some);
        }
        if !chunks.send(chunk) {
            return match blob.rest(chunks.blank())? {
                true => blob.finish(expected).map(Some),
                false => Ok(None),
            };
        }
    }
}

/// Unpacks a blob of which `start` is how it begins, and sends what comes out in chunks, as long as someone takes them.
pub(super) fn unpack(
    blob: ChunkReceiver,
    start: &[u8],
    windows: &Pool,
    chunks: &ChunkSender,
) -> Result<(), LayerFault> {
    decode(blob, start, windows, chunks).map_err(|error| LayerFault::Unpack {
        format: format_of(start),
        reason: error.to_string(),
    })
}

fn decode(mut blob: ChunkReceiver, start: &[u8], windows: &Pool, chunks: &ChunkSender) -> io::Result<()> {
    match format_of(start) {
        LayerFormat::Plain => send(&mut blob, chunks),
        LayerFormat::Gzip => send(&mut MultiGzDecoder::new(blob), chunks),
        LayerFormat::Zstd => {
            let window = window_log(start);
            let _window = windows.take(if window > WINDOW_LOG {
                1 << LARGEST_WINDOW_LOG
            } else {
                0
            });
            let mut decoder = zstd::stream::read::Decoder::with_buffer(blob)?;
            decoder.window_log_max(if window > WINDOW_LOG {
                LARGEST_WINDOW_LOG
            } else {
                WINDOW_LOG
            })?;
            send(&mut decoder, chunks)
        }
    }
}

/// Sends all that comes out of a reader; stops early when nobody takes it.
fn send(from: &mut dyn Read, chunks: &ChunkSender) -> io::Result<()> {
    loop {
        let mut chunk = chunks.blank();
        let (filled, error) = fill(from, &mut chunk);
        if let Some(error) = error {
            return Err(error);
        }
        chunk.truncate(filled);
        if filled == 0 || !chunks.send(chunk) {
            return Ok(());
        }
    }
}

/// Reads until a buffer is full or there is no more; how much it was, and what stopped it.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

/// How many bytes of a blob tell how it is compressed.
pub(super) const START: usize = 6;

/// The compression that the first bytes tell.
pub(crate) fn format_of(start: &[u8]) -> LayerFormat {
    match start {
        [0x1f, 0x8b, ..] => LayerFormat::Gzip,
        // A frame, or one that holds no data.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => LayerFormat::Zstd,
        _ => LayerFormat::Plain,
    }
}

/// The window that the first zstd frame asks for, as a power of two, rounded up.
fn window_log(start: &[u8]) -> u32 {
    let (Some(descriptor), Some(window)) = (start.get(4), start.get(5)) else {
        return 0;
    };
    if descriptor & 0x20 != 0 {
        // One segment: the window is as large as the content, and the field is left out.
        return match descriptor >> 6 {
            0 | 1 => 0,
            _ => LARGEST_WINDOW_LOG,
        };
    }
    10 + u32::from(window >> 3) + u32::from(window & 7 != 0)
}
