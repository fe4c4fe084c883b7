//! An archive that comes in one stream and cannot be read twice: standard input, or a compressed file.
//!
//! The manifest may come last. So every file that looks like a layer is read as one when it comes, and its facts are
//! kept under its path; every small JSON file is kept. When the stream has ended, the manifest tells which of them
//! count. What is kept is bounded, and what does not count takes from the same bounds.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Cursor;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::layer;
use crate::layer::LayerFault;
use crate::layer::LayerJob;
use crate::layer::ReadLayer;
use crate::layer::Shared;
use crate::manifest::LARGEST;
use crate::manifest::LayerFormat;
use crate::scan;
use crate::scan::ScanError;
use crate::scan::ScanOptions;
use crate::scan::ScannedImage;
use crate::select;
use crate::source::DockerArchive;
use crate::source::ImageStore;
use crate::source::OciLayout;
use crate::source::SourceError;
use crate::source::archive::Index;
use crate::source::files::Files;
use crate::source::files::Opened;
use crate::tar::Entry;
use crate::tar::EntryKind;
use crate::tar::Skip;
use crate::tar::TarReader;

/// Bytes of all JSON files that are kept: 16 MiB.
const MOST_JSON: u64 = 16 << 20;

/// What is looked at to tell what a file is.
const START: u64 = 512;

/// Reads an archive, of OCI or of docker, from a stream.
pub(crate) fn scan_stream(
    input: impl Read + Send,
    place: &str,
    tag: Option<&str>,
    options: &ScanOptions<'_>,
) -> Result<ScannedImage, ScanError> {
    let seen = read_all(input, place, options)?;
    let files = Kept {
        seen: Arc::new(Mutex::new(seen)),
        place: place.to_owned(),
    };
    let seen = Arc::clone(&files.seen);
    if files.has("index.json") {
        let store = OciLayout::over(files, tag);
        return finish(&store, |digest| Some(OciLayout::path(digest)), &seen, options);
    }
    if files.has("manifest.json") {
        let store = DockerArchive::over(files, tag)?;
        return finish(
            &store,
            |digest| store.path(digest).map(str::to_owned),
            &seen,
            options,
        );
    }
    let reason =
        "no archive of an image: it has neither the `index.json` of OCI nor the `manifest.json` of docker";
    Err(SourceError::damaged(place, reason).into())
}

/// Whether an archive can only be read from its start to its end: a pipe, or a compressed file.
pub(crate) fn must_stream(path: &Path) -> io::Result<bool> {
    if !path.metadata()?.is_file() {
        return Ok(true);
    }
    let mut start = Vec::new();
    File::open(path)?.take(8).read_to_end(&mut start)?;
    Ok(layer::format_of(&start) != LayerFormat::Plain || unread_compression(&start).is_some())
}

/// A file of the archive.
enum Seen {
    Json(Vec<u8>),
    Layer {
        read: Box<Result<ReadLayer, LayerFault>>,
        size: u64,
    },
    Other,
}

fn read_all(
    input: impl Read + Send,
    place: &str,
    options: &ScanOptions<'_>,
) -> Result<Index<Seen>, SourceError> {
    let limit = options.limits.archive_bytes;
    let over = AtomicBool::new(false);
    let input = Archive {
        input: unpacked(input, place)?,
        left: limit,
        over: &over,
    };
    let read = read_entries(input, place, options);
    // Whatever was told of it: that it was cut off here is the reason.
    if over.load(Ordering::Relaxed) {
        let reason =
            format!("the archive has, or unpacks to, more than {limit} bytes, the most that is read");
        return Err(SourceError::refused(place, reason));
    }
    read
}

fn read_entries(
    input: Archive<'_>,
    place: &str,
    options: &ScanOptions<'_>,
) -> Result<Index<Seen>, SourceError> {
    let mut tar = TarReader::new(input);
    let shared = scan::shared(options);
    let mut index = Index::new();
    let mut json = 0;
    loop {
        let entry = tar
            .next_entry()
            .map_err(|error| SourceError::damaged(place, error.to_string()))?;
        let Some(entry) = entry else { break };
        let Some(path) = Index::<Seen>::path(&entry.path) else {
            continue;
        };
        let added = match &entry.kind {
            EntryKind::File => {
                let seen = look(&mut tar, &entry, &path, &mut json, &shared)
                    .map_err(|error| SourceError::unreachable(format!("{place}: `{path}`"), error))?;
                index.add(path, seen)
            }
            kind => index.add_link(path, kind),
        };
        added.map_err(|reason| SourceError::refused(place, reason))?;
    }
    // To the end, so that whoever writes the stream is not cut off.
    let mut rest = tar.into_inner();
    rest.skip(u64::MAX)
        .map_err(|error| SourceError::unreachable(place, error))?;
    Ok(index)
}

/// The archive itself may be compressed as well.
fn unpacked<'a>(
    input: impl Read + Send + 'a,
    place: &str,
) -> Result<Box<dyn BufRead + Send + 'a>, SourceError> {
    let unreachable = |error| SourceError::unreachable(place, error);
    let mut input = BufReader::with_capacity(64 << 10, input);
    let start = input.fill_buf().map_err(unreachable)?;
    if let Some(compression) = unread_compression(start) {
        let reason = format!(
            "an archive compressed with {compression} is not read: gzip, zstd or no compression are allowed"
        );
        return Err(SourceError::refused(place, reason));
    }
    Ok(match layer::format_of(start) {
        LayerFormat::Plain => Box::new(input),
        LayerFormat::Gzip => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(input))),
        LayerFormat::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(unreachable)?;
            decoder.window_log_max(layer::WINDOW_LOG).map_err(unreachable)?;
            Box::new(BufReader::new(decoder))
        }
    })
}

/// What an archive is compressed with, where that is known and not read.
fn unread_compression(start: &[u8]) -> Option<&'static str> {
    if start.starts_with(b"\xfd7zXZ") {
        Some("xz")
    } else {
        start.starts_with(b"BZh").then_some("bzip2")
    }
}

fn look(
    tar: &mut TarReader<Archive<'_>>,
    entry: &Entry,
    path: &str,
    json: &mut u64,
    shared: &Shared<'_>,
) -> io::Result<Seen> {
    let mut start = Vec::new();
    tar.by_pieces().take(START).read_to_end(&mut start)?;
    if matches!(start.trim_ascii_start().first(), Some(b'{' | b'[')) {
        if entry.size > LARGEST || *json + entry.size > MOST_JSON {
            return Ok(Seen::Other);
        }
        *json += entry.size;
        tar.by_pieces().read_to_end(&mut start)?;
        return Ok(Seen::Json(start));
    }
    let expected = named(path).map(|digest| (digest, entry.size));
    let input = Box::new(Cursor::new(start).chain(tar.by_pieces()));
    let read = layer::read(
        LayerJob {
            input,
            expected,
            diff: Some(Algorithm::Sha256),
        },
        shared,
    );
    Ok(Seen::Layer {
        read: Box::new(read),
        size: entry.size,
    })
}

/// The digest that the path of a blob tells.
fn named(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// Takes the layers that the manifest names from what was seen.
fn finish(
    store: &dyn ImageStore,
    path: impl Fn(&Digest) -> Option<String>,
    seen: &Mutex<Index<Seen>>,
    options: &ScanOptions<'_>,
) -> Result<ScannedImage, ScanError> {
    let selected = select::select(store, options)?;
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut layers = Vec::new();
    for (number, descriptor) in selected.manifest.layers.iter().enumerate() {
        let error = |fault| scan::layer_error(number, descriptor, fault);
        let missing =
            |reason: &str| error(SourceError::damaged(format!("blob {}", descriptor.digest), reason).into());
        let path = path(&descriptor.digest).unwrap_or_default();
        let real = seen.follow(&path).map(|(real, _)| real.to_owned());
        let found = real.and_then(|real| seen.remove(&real));
        let Some(Seen::Layer { read, size }) = found else {
            return Err(missing(
                "it is missing, is no layer, or belongs to the image twice, which cannot be read from a stream",
            ));
        };
        let layer = read.map_err(error)?;
        if !store.names_layers_by_content() && size != descriptor.size {
            return Err(error(LayerFault::Size {
                size,
                expected: descriptor.size,
            }));
        }
        layers.push(layer);
    }
    drop(seen);
    scan::put_together(store, selected, layers, options)
}

/// The JSON files of the archive, as a folder.
struct Kept {
    seen: Arc<Mutex<Index<Seen>>>,
    place: String,
}

impl Kept {
    fn has(&self, path: &str) -> bool {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .follow(path)
            .is_some()
    }
}

impl Files for Kept {
    fn open(&self, path: &str) -> Result<Option<Opened>, SourceError> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.follow(path) {
            None => Ok(None),
            Some((_, Seen::Json(bytes))) => {
                Ok(Some((Box::new(Cursor::new(bytes.clone())), bytes.len() as u64)))
            }
            Some((_, Seen::Layer { .. } | Seen::Other)) => {
                let reason = format!("not JSON, or more than {LARGEST} bytes, or {MOST_JSON} bytes of all");
                Err(SourceError::refused(format!("{}: `{path}`", self.place), reason))
            }
        }
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// The stream of an archive: without a way to seek, and with an end.
struct Archive<'a> {
    input: Box<dyn BufRead + Send + 'a>,
    left: u64,
    /// There was more.
    over: &'a AtomicBool,
}

impl Read for Archive<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        layer::read_buffered(self, into)
    }
}

impl BufRead for Archive<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let there = self.input.fill_buf()?;
        let allowed = usize::try_from(self.left).map_or(there.len(), |left| left.min(there.len()));
        if allowed == 0 && !there.is_empty() {
            self.over.store(true, Ordering::Relaxed);
            return Err(io::Error::other("more data than allowed"));
        }
        Ok(there.get(..allowed).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.input.consume(count);
    }
}

impl Skip for Archive<'_> {}
