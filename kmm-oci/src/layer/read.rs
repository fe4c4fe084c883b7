//! The threads of a layer, and what they find.

use std::io::Cursor;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use kmm_core::image;
use kmm_core::image::Budget;
use kmm_core::image::LayerReader;
use kmm_core::image::Want;
use kmm_core::kmod::Compression;
use kmm_core::kmod::Decompress;
use kmm_core::sign::Verifier;

use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::layer::Expected;
use crate::layer::LayerFault;
use crate::layer::Pool;
use crate::layer::blob;
use crate::layer::chunks;
use crate::layer::chunks::Unpacked;
use crate::manifest::LayerFormat;
use crate::progress::Progress;
use crate::tar::Entry;
use crate::tar::EntryKind;
use crate::tar::Skip;
use crate::tar::TarReader;

/// What a compressed module may need in memory: itself, and some eight times that when it is unpacked.
const UNPACKED_FACTOR: u64 = 9;

/// How many bytes of a file tell how it is compressed.
const MAGIC: u64 = 8;

/// What all layers of an image share while they are read.
pub(crate) struct Shared<'a> {
    pub(crate) budget: Budget,
    pub(crate) contents: Pool,
    pub(crate) windows: Pool,
    pub(crate) unpacked: AtomicU64,
    pub(crate) unpacked_limit: u64,
    pub(crate) decompress: &'a (dyn Decompress + Sync),
    pub(crate) verifier: Option<Arc<dyn Verifier>>,
    pub(crate) progress: Option<Arc<Progress>>,
}

/// One layer to read.
pub(crate) struct LayerJob<'a> {
    pub(crate) input: Box<dyn Read + Send + 'a>,
    pub(crate) expected: Expected,
    /// The hash of what it unpacks to that is wanted.
    pub(crate) diff: Option<Algorithm>,
}

/// One layer that was read: blob and tar stream are whole and right.
#[derive(Debug)]
pub(crate) struct ReadLayer {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) format: LayerFormat,
    pub(crate) diff_id: Option<Digest>,
    pub(crate) layer: image::Layer,
}

/// Reads a layer, to the end of its blob; what is of no use is left before.
pub(crate) fn read(job: LayerJob<'_>, shared: &Shared<'_>) -> Result<ReadLayer, LayerFault> {
    let LayerJob {
        mut input,
        expected,
        diff,
    } = job;
    let mut start = Vec::new();
    let begun = input.by_ref().take(blob::START as u64).read_to_end(&mut start);
    begun.map_err(|source| LayerFault::Io { at: 0, source })?;
    let format = blob::format_of(&start);
    // What is not compressed is hashed once, unless two hashes are asked for.
    let plain = format == LayerFormat::Plain;
    let hash = diff.filter(|diff| !plain || *diff != blob::algorithm(&expected));
    let input = Box::new(Cursor::new(start.clone()).chain(input));
    thread::scope(|scope| {
        let (to, packed) = chunks::way();
        let fetching = scope.spawn(move || {
            let progress = shared.progress.as_deref();
            let fetched = blob::fetch(input, &expected, progress, &to);
            drop(to);
            fetched
        });
        let (unpacking, unpacked) = if plain {
            (None, packed)
        } else {
            let (to, unpacked) = chunks::way();
            let unpack = move || blob::unpack(packed, &start, &shared.windows, &to);
            (Some(scope.spawn(unpack)), unpacked)
        };
        let limit = shared.unpacked_limit;
        let found = find(Unpacked::new(unpacked, hash, &shared.unpacked, limit), shared);
        let unpacked = unpacking.map_or(Ok(()), |thread| thread.join().unwrap_or(Err(stopped(format))));
        // A blob that is not the right one counts more than what was found in it.
        let fetched = fetching.join().unwrap_or(Err(stopped(format)))?;
        unpacked?;
        let (layer, diff_id) = found?;
        let (digest, size) = fetched.ok_or_else(|| stopped(format))?;
        let same = || diff.filter(|_| hash.is_none()).map(|_| digest.clone());
        Ok(ReadLayer {
            diff_id: diff_id.or_else(same),
            digest,
            size,
            format,
            layer,
        })
    })
}

/// A thread ended without a result: none does, as far as is known.
fn stopped(format: LayerFormat) -> LayerFault {
    LayerFault::Unpack {
        format,
        reason: "the thread that reads it stopped".to_owned(),
    }
}

/// The entries of a layer, and the digest of what it unpacks to. Drops the stream where it is of no use any more, so
/// that those who send stop.
fn find(mut stream: Unpacked<'_>, shared: &Shared<'_>) -> Result<(image::Layer, Option<Digest>), LayerFault> {
    let layer = entries(&mut stream, shared);
    let limit = shared.unpacked_limit;
    if stream.is_too_large() {
        return Err(LayerFault::TooLarge { limit });
    }
    let layer = layer?;
    match stream.finish() {
        (_, true) => Err(LayerFault::TooLarge { limit }),
        (diff_id, false) => Ok((layer, diff_id)),
    }
}

fn entries(stream: &mut Unpacked<'_>, shared: &Shared<'_>) -> Result<image::Layer, LayerFault> {
    let mut layer = LayerReader::within(&shared.budget);
    if let Some(verifier) = &shared.verifier {
        layer = layer.verify_with(Arc::clone(verifier));
    }
    feed(stream, &mut layer, &shared.contents, shared.decompress)?;
    Ok(layer.finish())
}

/// Tells a reader every entry of a tar stream.
pub(super) fn feed(
    stream: &mut impl Skip,
    layer: &mut LayerReader,
    contents: &Pool,
    decompress: &dyn Decompress,
) -> Result<(), LayerFault> {
    let mut tar = TarReader::new(ByReference(stream));
    while let Some(entry) = tar.next_entry()? {
        if layer.entry(header(&entry))? == Want::Nothing {
            continue;
        }
        // How a file is compressed is told by how it begins, whatever its name says.
        let mut bytes = Vec::new();
        tar.start(&entry, MAGIC, &mut bytes)?;
        let _memory = contents.take(weight(entry.size, &bytes));
        // The size is bounded by what the reader asks for.
        tar.content(&entry, &mut bytes)?;
        layer.content(&bytes, decompress);
    }
    Ok(())
}

/// What a file of so many bytes, of which these are the first, needs in memory while it is looked at.
fn weight(size: u64, start: &[u8]) -> u64 {
    match Compression::of(start) {
        Compression::None => size,
        Compression::Gzip | Compression::Xz | Compression::Zstd => size.saturating_mul(UNPACKED_FACTOR),
    }
}

fn header(entry: &Entry) -> image::Header<'_> {
    let kind = match &entry.kind {
        EntryKind::File | EntryKind::Sparse => image::Kind::File,
        EntryKind::Directory => image::Kind::Directory,
        EntryKind::Symlink(target) => image::Kind::Symlink(target),
        EntryKind::HardLink(target) => image::Kind::HardLink(target),
        EntryKind::Device => image::Kind::Device,
    };
    image::Header {
        path: &entry.path,
        kind,
        size: entry.size,
        mode: entry.mode,
    }
}

/// Lends a stream to a reader that wants to own one.
struct ByReference<'a, R>(&'a mut R);

impl<R: Skip> std::io::Read for ByReference<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

impl<R: Skip> std::io::BufRead for ByReference<'_, R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.0.consume(count);
    }
}

impl<R: Skip> Skip for ByReference<'_, R> {
    fn skip(&mut self, count: u64) -> std::io::Result<u64> {
        self.0.skip(count)
    }
}

/// Reads a tar stream that lies in memory, for tests and fuzzing: any bytes give a layer or an error.
///
/// # Errors
///
/// When it is no tar stream, or no layer.
pub fn layer_of_tar(bytes: &[u8], limits: &image::Limits) -> Result<image::Layer, LayerFault> {
    let mut layer = LayerReader::new(limits);
    let mut stream = bytes;
    feed(&mut stream, &mut layer, &Pool::new(1), &kmm_core::kmod::PlainOnly)?;
    Ok(layer.finish())
}
