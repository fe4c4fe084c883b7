//! The bytes of a blob: counted, hashed, unpacked.

use std::io;
use std::io::BufRead;
use std::io::Read;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;

use flate2::bufread::MultiGzDecoder;

use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::digest::Hasher;
use crate::layer::LayerFault;
use crate::layer::Pool;
use crate::layer::Shared;
use crate::layer::chunks::CHUNK;
use crate::layer::read_buffered;
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

/// What a blob was.
#[derive(Debug)]
pub(super) struct ReadBlob {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) format: LayerFormat,
}

/// A blob while it is read.
struct Blob<'a> {
    input: Box<dyn Read + Send + 'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    hasher: Hasher,
    size: u64,
    expected: Option<u64>,
    /// Why reading stopped; a decompressor that reads from here says less.
    fault: Option<LayerFault>,
    ended: bool,
    progress: Option<&'a Progress>,
}

impl<'a> Blob<'a> {
    fn new(input: Box<dyn Read + Send + 'a>, expected: &Expected, progress: Option<&'a Progress>) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            hasher: Hasher::new(algorithm(expected)),
            size: 0,
            expected: expected.as_ref().map(|(_, size)| *size),
            fault: None,
            ended: false,
            progress,
        }
    }

    /// Fills the buffer as far as the input gives, hashes what came, and notices when it is too much.
    fn refill(&mut self) -> Result<(), LayerFault> {
        (self.start, self.end) = (0, 0);
        while self.end < self.buffer.len() && !self.ended {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.input.read(room) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end = (self.end + read).min(self.buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(LayerFault::Io {
                        at: self.size + self.end as u64,
                        source,
                    });
                }
            }
        }
        self.size += self.end as u64;
        if let Some(progress) = self.progress {
            progress.add(self.end as u64);
        }
        self.hasher
            .update(self.buffer.get(..self.end).unwrap_or_default());
        match self.expected {
            Some(expected) if self.size > expected => Err(LayerFault::Size {
                size: self.size,
                expected,
            }),
            _ => Ok(()),
        }
    }

    /// Reads on to the end, and tells whether it was the right blob.
    fn finish(mut self, expected: &Expected, format: LayerFormat) -> Result<ReadBlob, LayerFault> {
        loop {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if self.ended {
                break;
            }
            self.refill()?;
        }
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
        Ok(ReadBlob {
            digest,
            size: self.size,
            format,
        })
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        read_buffered(self, into)
    }
}

impl BufRead for Blob<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && !self.ended && self.fault.is_none() {
            self.fault = self.refill().err();
        }
        if self.fault.is_some() {
            return Err(io::Error::other("the blob is not what it should be"));
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

/// Reads a blob to its end, of which `start` is how it begins, and sends what it unpacks to in chunks, as long as someone takes them.
///
/// What is wrong with the blob itself (another digest) counts more than what follows from it (damaged compression).
pub(super) fn unpack(
    input: Box<dyn Read + Send + '_>,
    start: &[u8],
    expected: &Expected,
    shared: &Shared<'_>,
    chunks: &SyncSender<Vec<u8>>,
    used: &Receiver<Vec<u8>>,
) -> Result<ReadBlob, LayerFault> {
    let mut blob = Blob::new(input, expected, shared.progress.as_deref());
    let unpacked = decode(&mut blob, start, &shared.windows, chunks, used);
    let format = format_of(start);
    let read = blob.finish(expected, format)?;
    match unpacked {
        Ok(()) => Ok(read),
        Err(error) => Err(LayerFault::Unpack {
            format,
            reason: error.to_string(),
        }),
    }
}

fn decode(
    blob: &mut Blob<'_>,
    start: &[u8],
    windows: &Pool,
    chunks: &SyncSender<Vec<u8>>,
    used: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    match format_of(start) {
        LayerFormat::Plain => send(blob, chunks, used),
        LayerFormat::Gzip => send(&mut MultiGzDecoder::new(blob), chunks, used),
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
            send(&mut decoder, chunks, used)
        }
    }
}

/// Sends all that comes out of a reader; stops early when nobody takes it.
fn send(from: &mut dyn Read, chunks: &SyncSender<Vec<u8>>, used: &Receiver<Vec<u8>>) -> io::Result<()> {
    loop {
        let mut chunk = used.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let mut filled = 0;
        while let Some(room) = chunk.get_mut(filled..).filter(|room| !room.is_empty()) {
            match from.read(room) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        chunk.truncate(filled);
        if filled == 0 || chunks.send(chunk).is_err() {
            return Ok(());
        }
    }
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
