use std::io;
use std::io::Cursor;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use kmm_core::kmod::PlainOnly;

use super::*;
use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::manifest::LayerFormat;
use crate::scan;
use crate::scan::ScanOptions;
use crate::tar::build::Builder;

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn pack(bytes: &[u8], format: LayerFormat) -> Vec<u8> {
    match format {
        LayerFormat::Plain => bytes.to_vec(),
        LayerFormat::Gzip => gzip(bytes),
        LayerFormat::Zstd => zstd::encode_all(bytes, 1).unwrap(),
    }
}

fn tar() -> Vec<u8> {
    let mut tar = Builder::default();
    tar.folder("opt")
        .file("opt/big", &vec![7; 3 << 20])
        .file("opt/a.ko", b"ELF");
    tar.end()
}

fn expected(blob: &[u8]) -> Expected {
    Some((Digest::sha256(blob), blob.len() as u64))
}

fn try_read(blob: &[u8], expected: Expected) -> Result<ReadLayer, LayerFault> {
    let options = ScanOptions::new(&PlainOnly);
    let input = Box::new(Cursor::new(blob.to_vec()));
    read(
        LayerJob {
            input,
            expected,
            diff: Some(Algorithm::Sha256),
        },
        &scan::shared(&options),
    )
}

const FORMATS: [LayerFormat; 3] = [LayerFormat::Plain, LayerFormat::Gzip, LayerFormat::Zstd];

#[test]
fn every_compression_gives_the_same_layer() {
    for format in FORMATS {
        let blob = pack(&tar(), format);
        let layer = try_read(&blob, expected(&blob)).unwrap();
        assert_eq!((layer.format, layer.layer.entries()), (format, 3));
        assert_eq!(layer.diff_id, Some(Digest::sha256(&tar())));
        assert_eq!(
            (layer.digest, layer.size),
            (Digest::sha256(&blob), blob.len() as u64)
        );
    }
}

#[test]
fn compressed_data_may_come_in_several_parts() {
    let (whole, half) = (tar(), 1 << 20);
    for format in [LayerFormat::Gzip, LayerFormat::Zstd] {
        let blob = [pack(&whole[..half], format), pack(&whole[half..], format)].concat();
        assert_eq!(
            try_read(&blob, expected(&blob)).unwrap().diff_id,
            Some(Digest::sha256(&whole))
        );
    }
}

#[test]
fn a_wrong_digest_counts_more_than_what_follows_from_it() {
    for format in FORMATS {
        let right = pack(&tar(), format);
        for place in [0, 1, right.len() / 2, right.len() - 1] {
            let mut wrong = right.clone();
            wrong[place] ^= 0x55;
            let fault = try_read(&wrong, expected(&right)).unwrap_err();
            assert!(
                matches!(fault, LayerFault::Digest { .. }),
                "{format} {place}: {fault}"
            );
        }
        let fault = try_read(&right[..right.len() - 1], expected(&right)).unwrap_err();
        assert!(matches!(fault, LayerFault::Size { .. }), "{format}: {fault}");
        let longer = [right.as_slice(), b"x"].concat();
        let fault = try_read(&longer, expected(&right)).unwrap_err();
        assert!(matches!(fault, LayerFault::Size { .. }), "{format}: {fault}");
    }
}

#[test]
fn damage_that_the_digest_covers_is_told_as_damage() {
    for format in [LayerFormat::Gzip, LayerFormat::Zstd] {
        let mut blob = pack(&tar(), format);
        blob.truncate(blob.len() - 3);
        let fault = try_read(&blob, expected(&blob)).unwrap_err();
        assert!(matches!(fault, LayerFault::Unpack { .. }), "{format}: {fault}");
    }
    let blob = gzip(&tar()[..2000]);
    let fault = try_read(&blob, expected(&blob)).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "tar entry at byte 512: the stream ends inside of it"
    );
    let garbage = [gzip(&tar()), b"garbage behind".to_vec()].concat();
    let fault = try_read(&garbage, expected(&garbage)).unwrap_err();
    assert!(matches!(fault, LayerFault::Unpack { .. }), "{fault}");
}

#[test]
fn what_follows_the_end_of_the_tar_is_hashed_too() {
    for format in FORMATS {
        let padded = [tar(), vec![0; 700_001]].concat();
        let blob = pack(&padded, format);
        assert_eq!(
            try_read(&blob, expected(&blob)).unwrap().diff_id,
            Some(Digest::sha256(&padded))
        );
    }
}

#[test]
fn a_bomb_is_stopped() {
    let blob = gzip(&vec![0; 30 << 20]);
    let mut options = ScanOptions::new(&PlainOnly);
    options.limits.unpacked_bytes = 10 << 20;
    for diff in [None, Some(Algorithm::Sha256)] {
        let shared = scan::shared(&options);
        let input = Box::new(Cursor::new(blob.clone()));
        let fault = read(
            LayerJob {
                input,
                expected: expected(&blob),
                diff,
            },
            &shared,
        )
        .unwrap_err();
        assert!(
            matches!(fault, LayerFault::TooLarge { limit } if limit == 10 << 20),
            "{fault}"
        );
        let unpacked = shared.unpacked.into_inner();
        assert!(unpacked < 11 << 20, "{unpacked} bytes were unpacked");
    }
}

/// Gives bytes and then zeros for ever, and counts what was taken.
struct Endless {
    start: Cursor<Vec<u8>>,
    taken: Arc<AtomicU64>,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match self.start.read(into)? {
            0 => {
                into.fill(0);
                into.len()
            }
            read => read,
        };
        self.taken.fetch_add(read as u64, Ordering::SeqCst);
        Ok(read)
    }
}

/// Reads a blob that begins so and has so many bytes by its manifest; what is wrong, and how much was taken of it.
fn try_endless(start: &[u8], size: u64, unpacked: u64) -> (LayerFault, u64) {
    let mut options = ScanOptions::new(&PlainOnly);
    options.limits.unpacked_bytes = unpacked;
    let taken = Arc::new(AtomicU64::new(0));
    let job = LayerJob {
        input: Box::new(Endless {
            start: Cursor::new(start.to_vec()),
            taken: Arc::clone(&taken),
        }),
        expected: Some((Digest::sha256(b"something else"), size)),
        diff: Some(Algorithm::Sha256),
    };
    let fault = read(job, &scan::shared(&options)).unwrap_err();
    (fault, taken.load(Ordering::SeqCst))
}

#[test]
fn what_is_of_no_use_is_not_read_to_its_end() {
    let size = 1 << 30;
    for format in FORMATS {
        let no_tar = pack(&[7; 1000], format);
        let (fault, taken) = try_endless(&no_tar, size, u64::MAX);
        assert!(
            matches!(fault, LayerFault::Tar(_) | LayerFault::Unpack { .. }),
            "{format}: {fault}"
        );
        assert!(taken < 4 << 20, "{format}: {taken} bytes were read");
    }
    let mut big = Builder::default();
    big.header(b"big", b'0', 1 << 29, b"");
    for start in [big.end(), gzip(&[big.end(), vec![0; 16 << 20]].concat())] {
        let (fault, taken) = try_endless(&start, size, 8 << 20);
        assert!(matches!(fault, LayerFault::TooLarge { .. }), "{fault}");
        assert!(taken < 12 << 20, "{taken} bytes were read");
    }
}

#[test]
fn no_more_is_taken_than_one_byte_above_the_size_of_the_manifest() {
    for size in [2000, (1 << 20) + 3] {
        let (fault, taken) = try_endless(&tar()[..1024], size, u64::MAX);
        assert!(
            matches!(fault, LayerFault::Size { size: found, expected } if found == size + 1 && expected == size),
            "{fault}"
        );
        assert_eq!(taken, size + 1);
    }
}

#[test]
fn a_packed_module_waits_for_memory_whatever_its_name_is() {
    /// Asks how much of the pool is left while it unpacks.
    struct Asks<'a>(&'a Pool, Mutex<Vec<u64>>);
    impl kmm_core::kmod::Decompress for Asks<'_> {
        fn decompress(
            &self,
            _: kmm_core::kmod::Compression,
            _: &[u8],
            _: usize,
        ) -> Result<Vec<u8>, kmm_core::kmod::DecompressError> {
            self.1.lock().unwrap().push(self.0.free());
            Err(kmm_core::kmod::DecompressError::Unsupported)
        }
    }
    let module = zstd::encode_all([7; 5000].as_slice(), 1).unwrap();
    let mut tar = Builder::default();
    tar.file("lib/modules/1/a.ko.zst", &module)
        .file("lib/modules/1/b.ko", &module)
        .file("lib/modules/1/c.ko.zst", &[7; 5000]);
    let pool = Pool::new(1 << 20);
    let asks = Asks(&pool, Mutex::new(Vec::new()));
    let mut layer = kmm_core::image::LayerReader::new(&kmm_core::image::Limits::default());
    super::read::feed(&mut tar.end().as_slice(), &mut layer, &pool, &asks).unwrap();
    let left = (1 << 20) - 9 * module.len() as u64;
    assert_eq!(*asks.1.lock().unwrap(), [left, left]);
}

#[test]
fn a_store_that_fails_half_way_is_told_with_its_reason() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer"))
        }
    }
    let start = Cursor::new(tar()).take(300_000);
    let options = ScanOptions::new(&PlainOnly);
    let job = LayerJob {
        input: Box::new(start.chain(Broken)),
        expected: None,
        diff: None,
    };
    let fault = read(job, &scan::shared(&options)).unwrap_err();
    assert!(
        matches!(&fault, LayerFault::Io { at: 300_000, source } if source.to_string() == "reset by peer"),
        "{fault}"
    );
}

#[test]
fn a_window_that_needs_too_much_memory_is_refused() {
    for (log, ok) in [(24, true), (27, false)] {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(log).unwrap();
        encoder.write_all(&tar()).unwrap();
        let blob = encoder.finish().unwrap();
        let read = try_read(&blob, expected(&blob));
        assert_eq!(read.is_ok(), ok, "{log}: {:?}", read.err());
    }
}

#[test]
fn random_bytes_are_never_a_panic() {
    proptest::proptest!(|(bytes: Vec<u8>, format in 0..3usize)| {
        let blob = pack(&bytes, FORMATS[format]);
        let _ = try_read(&blob, expected(&blob));
        let _ = try_read(&bytes, None);
    });
}
