//! Reading an image: its manifest, its configuration, and all of its layers at once.

use std::fs::File;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use kmm_core::image::Budget;
use kmm_core::image::ImageFacts;
use kmm_core::image::Tree;
use kmm_core::image::TreeError;
use kmm_core::kmod::Decompress;
use kmm_core::sign::Verifier;
use thiserror::Error;

use crate::digest::Digest;
use crate::layer;
use crate::layer::LayerFault;
use crate::layer::LayerJob;
use crate::layer::Pool;
use crate::layer::ReadLayer;
use crate::layer::Shared;
use crate::locator::Reference;
use crate::manifest::Descriptor;
use crate::manifest::ImageConfig;
use crate::manifest::LayerFormat;
use crate::manifest::ManifestError;
use crate::manifest::Platform;
use crate::progress::Progress;
use crate::reference::ImageName;
use crate::select;
use crate::select::Selected;
use crate::source;
use crate::source::DockerArchive;
use crate::source::ImageStore;
use crate::source::OciLayout;
use crate::source::SourceError;

/// Layers that are read at once at most, however many processors there are: each has buffers.
const MOST_THREADS: usize = 4;

/// How to read an image.
#[derive(Clone)]
#[non_exhaustive]
pub struct ScanOptions<'a> {
    /// The image must be for this platform.
    pub platform: Option<Platform>,
    /// Of several images for several platforms the one for this is read, when `platform` does not say; the only one
    /// is read whatever it is for.
    pub preferred: Platform,
    /// Bounds on what is read and kept.
    pub limits: ScanLimits,
    /// Unpacks kernel modules.
    pub decompress: &'a (dyn Decompress + Sync),
    /// Verifies signatures of kernel modules.
    pub verifier: Option<Arc<dyn Verifier>>,
    /// How many layers are read at once; none: as many as there are processors, 4 at the most.
    pub threads: Option<NonZero<usize>>,
    /// Is told how much was read.
    pub progress: Option<Arc<Progress>>,
}

impl<'a> ScanOptions<'a> {
    /// The image for `linux/amd64` of several, safe bounds, no verification of signatures.
    pub fn new(decompress: &'a (dyn Decompress + Sync)) -> Self {
        Self {
            platform: None,
            preferred: Platform {
                os: "linux".to_owned(),
                architecture: "amd64".to_owned(),
                variant: None,
            },
            limits: ScanLimits::default(),
            decompress,
            verifier: None,
            threads: None,
            progress: None,
        }
    }
}

impl std::fmt::Debug for ScanOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScanOptions")
            .field("platform", &self.platform)
            .field("preferred", &self.preferred)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Bounds on reading an image. An image of 20 GiB passes the default.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanLimits {
    /// What the files may add up to.
    pub image: kmm_core::image::Limits,
    /// Bytes that all layers together may have, as the manifest says, before they are unpacked: 128 GiB.
    pub packed_bytes: u64,
    /// Bytes that all layers together may unpack to: 128 GiB.
    pub unpacked_bytes: u64,
    /// Bytes of an archive that is read as a stream, unpacked where it is compressed as a whole: 144 GiB.
    pub archive_bytes: u64,
    /// Bytes of file contents that are in memory at one time, over all layers: 16 MiB. A larger module is read alone.
    pub contents_bytes: u64,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self {
            image: kmm_core::image::Limits::default(),
            packed_bytes: 128 << 30,
            unpacked_bytes: 128 << 30,
            archive_bytes: 144 << 30,
            contents_bytes: 16 << 20,
        }
    }
}

/// An image that was read to its end: digests and sizes are right.
#[derive(Debug)]
#[non_exhaustive]
pub struct ScannedImage {
    /// The digest of its manifest, where there is one.
    pub digest: Option<Digest>,
    /// What it is built for, where it says so.
    pub platform: Option<Platform>,
    /// Its configuration, where there is one.
    pub config: Option<ImageConfig>,
    /// Its layers, the lowest one first.
    pub layers: Vec<LayerFacts>,
    /// The files that the layers add up to.
    pub tree: Tree,
}

impl ScannedImage {
    /// What is known of the image besides its files, for [`kmm_core::image::check`].
    pub fn facts(&self) -> ImageFacts {
        let mut facts = ImageFacts::default();
        facts.architecture = self
            .platform
            .as_ref()
            .map(|platform| platform.architecture.clone());
        facts.search_path = self.config.as_ref().and_then(|config| config.search_path.clone());
        facts
    }
}

/// What is known of a layer, beside its files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerFacts {
    /// The digest of its blob.
    pub digest: Digest,
    /// What the manifest says that it is.
    pub media_type: String,
    /// How it is compressed, as the media type says; none where the store does not know.
    pub listed: Option<LayerFormat>,
    /// How it is compressed.
    pub format: LayerFormat,
    /// Bytes of the blob.
    pub size: u64,
}

impl LayerFacts {
    /// Whether the media type says another compression than there is.
    ///
    /// Container runtimes look at the content and do not mind; skopeo makes such layers
    /// (`--dest-oci-accept-uncompressed-layers`).
    pub fn is_mislabelled(&self) -> bool {
        self.listed.is_some_and(|listed| listed != self.format)
    }
}

/// Why an image was not read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The store does not give it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A manifest, an index or a configuration cannot be read.
    #[error("{what}: {error}")]
    Manifest {
        /// Which one.
        what: String,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// What was given for a digest is something else.
    #[error("{what}: its digest or size is not what names it (`{digest}`, {size} bytes)")]
    Digest {
        /// Manifest or configuration.
        what: &'static str,
        /// The digest that it should have.
        digest: Digest,
        /// The size that it should have.
        size: u64,
    },
    /// Indexes lead to each other, or too deep.
    #[error("index {digest}: {reason}")]
    Index {
        /// Where it was noticed.
        digest: Digest,
        /// What is wrong.
        reason: &'static str,
    },
    /// There is no image for the platform: an answer.
    #[error("no image for {wanted}: there is {}", there.join(", "))]
    NoPlatform {
        /// What was asked for.
        wanted: Platform,
        /// What is there.
        there: Vec<String>,
    },
    /// Index and configuration do not agree.
    #[error("the index says that the image is for {listed}, its configuration says {config}")]
    Platforms {
        /// From the index.
        listed: String,
        /// From the configuration.
        config: String,
    },
    /// Configuration and manifest do not agree.
    #[error("the manifest has {layers} layers, the configuration {diff_ids}")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
    /// The layers are too large, by what the manifest says.
    #[error("the manifest says that the layers have {size} bytes: at most {limit} are allowed")]
    TooLarge {
        /// What they add up to.
        size: u64,
        /// The most.
        limit: u64,
    },
    /// A layer was not read.
    #[error("layer {number} ({digest})")]
    Layer {
        /// Its number, from 1, the lowest one first.
        number: usize,
        /// Its digest.
        digest: Digest,
        /// What is wrong.
        #[source]
        fault: Box<LayerFault>,
    },
    /// The layers do not add up to a file tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl ScanError {
    /// Whether this is an answer (there is no such image), and not the lack of one.
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Source(error) => error.is_answer(),
            Self::NoPlatform { .. } => true,
            Self::Manifest { .. }
            | Self::Digest { .. }
            | Self::Index { .. }
            | Self::Platforms { .. }
            | Self::LayerCount { .. }
            | Self::TooLarge { .. }
            | Self::Layer { .. }
            | Self::Tree(_) => false,
        }
    }
}

/// Reads an image: one pass over each layer, several layers at once, nothing on disk.
///
/// Every digest and size is checked: of the manifest, the configuration, each blob to its last byte, and of what each
/// layer unpacks to.
///
/// # Errors
///
/// When there is no such image, or it cannot be read whole. See [`ScanError::is_answer`].
pub fn scan(store: &dyn ImageStore, options: &ScanOptions<'_>) -> Result<ScannedImage, ScanError> {
    let selected = select::select(store, options)?;
    let layers = read_layers(store, &selected, options)?;
    put_together(store, selected, layers, options)
}

/// Reads an image wherever it lies. `registry` opens one that is in a registry.
///
/// An archive that is compressed as a whole, or is not a plain file, is read as a stream, in one pass as well.
///
/// # Errors
///
/// As [`scan`].
pub fn scan_reference(
    reference: &Reference,
    options: &ScanOptions<'_>,
    registry: impl FnOnce(&ImageName) -> Result<Box<dyn ImageStore>, SourceError>,
) -> Result<ScannedImage, ScanError> {
    match reference {
        Reference::Registry(name) => scan(&*registry(name)?, options),
        Reference::OciLayout { path, tag } => scan(&OciLayout::folder(path, tag.as_deref())?, options),
        Reference::Directory(path) => source::scan_directory(path, options),
        Reference::Stdin => source::scan_stream(std::io::stdin(), "standard input", None, options),
        Reference::OciArchive { path, tag } | Reference::DockerArchive { path, tag } => {
            let unreachable = |error| SourceError::unreachable(reference.to_string(), error);
            let tag = tag.as_deref();
            if source::must_stream(path).map_err(unreachable)? {
                let file = File::open(path).map_err(unreachable)?;
                return source::scan_stream(file, &reference.to_string(), tag, options);
            }
            match reference {
                Reference::OciArchive { .. } => scan(&OciLayout::archive(path, tag)?, options),
                _ => scan(&DockerArchive::open(path, tag)?, options),
            }
        }
    }
}

/// What all layers share while they are read.
pub(crate) fn shared<'a>(options: &ScanOptions<'a>) -> Shared<'a> {
    Shared {
        budget: Budget::new(&options.limits.image),
        contents: Pool::new(options.limits.contents_bytes),
        windows: Pool::new(32 << 20),
        unpacked: AtomicU64::new(0),
        unpacked_limit: options.limits.unpacked_bytes,
        decompress: options.decompress,
        verifier: options.verifier.clone(),
        progress: options.progress.clone(),
    }
}

/// Checks the layers against the configuration, and merges them.
pub(crate) fn put_together(
    store: &dyn ImageStore,
    selected: Selected,
    read: Vec<ReadLayer>,
    options: &ScanOptions<'_>,
) -> Result<ScannedImage, ScanError> {
    let named = !store.names_layers_by_content();
    let (mut facts, mut layers) = (Vec::new(), Vec::new());
    let described = selected
        .manifest
        .layers
        .into_iter()
        .zip(selected.config.diff_ids.iter());
    for (number, (layer, (descriptor, expected))) in read.into_iter().zip(described).enumerate() {
        let found = layer.diff_id.unwrap_or_else(|| layer.digest.clone());
        if found != *expected {
            let fault = LayerFault::DiffId {
                found,
                expected: expected.clone(),
            };
            return Err(layer_error(number, &descriptor, fault));
        }
        facts.push(LayerFacts {
            digest: layer.digest,
            listed: LayerFormat::of(&descriptor.media_type).ok().filter(|_| named),
            media_type: descriptor.media_type,
            format: layer.format,
            size: layer.size,
        });
        layers.push(layer.layer);
    }
    let tree = Tree::merge(layers, &options.limits.image)?;
    let platform = selected.config.platform.clone();
    Ok(ScannedImage {
        digest: selected.digest,
        platform: (!platform.architecture.is_empty()).then_some(platform),
        config: Some(selected.config),
        layers: facts,
        tree,
    })
}

pub(crate) fn layer_error(number: usize, descriptor: &Descriptor, fault: LayerFault) -> ScanError {
    ScanError::Layer {
        number: number + 1,
        digest: descriptor.digest.clone(),
        fault: Box::new(fault),
    }
}

type Outcome = Mutex<Option<Result<ReadLayer, LayerFault>>>;

fn read_layers(
    store: &dyn ImageStore,
    selected: &Selected,
    options: &ScanOptions<'_>,
) -> Result<Vec<ReadLayer>, ScanError> {
    let layers = &selected.manifest.layers;
    let shared = shared(options);
    if let Some(progress) = &options.progress {
        layers.iter().for_each(|layer| progress.expect(layer.size));
    }
    let processors = || {
        thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(MOST_THREADS)
    };
    let threads = options
        .threads
        .map_or_else(processors, NonZero::get)
        .min(layers.len());
    // The largest one first: it decides how long all take.
    let mut order: Vec<usize> = (0..layers.len()).collect();
    order.sort_by_key(|number| std::cmp::Reverse(layers.get(*number).map(|layer| layer.size)));
    let outcomes: Vec<Outcome> = layers.iter().map(|_| Mutex::new(None)).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while !failed.load(Ordering::Relaxed) {
            let Some(number) = order.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return;
            };
            let (Some(layer), Some(place)) = (layers.get(*number), outcomes.get(*number)) else {
                return;
            };
            let diff_id = selected.config.diff_ids.get(*number);
            let outcome = read_layer(store, layer, diff_id, &shared);
            failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let outcomes = outcomes
        .into_iter()
        .map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner));
    let mut read = Vec::new();
    let mut described = layers.iter().enumerate();
    let mut error = None;
    for outcome in outcomes {
        let Some((number, descriptor)) = described.next() else {
            break;
        };
        match outcome {
            Some(Ok(layer)) => read.push(layer),
            Some(Err(fault)) => {
                error = Some(layer_error(number, descriptor, fault));
                break;
            }
            // It was not begun, because another one failed.
            None => {}
        }
    }
    error.map_or(Ok(read), Err)
}

fn read_layer(
    store: &dyn ImageStore,
    descriptor: &Descriptor,
    diff_id: Option<&Digest>,
    shared: &Shared<'_>,
) -> Result<ReadLayer, LayerFault> {
    let named = !store.names_layers_by_content();
    let expected = named.then(|| (descriptor.digest.clone(), descriptor.size));
    let diff = diff_id.map(Digest::algorithm);
    let input = store.blob(descriptor)?;
    layer::read(
        LayerJob {
            input,
            expected,
            diff,
        },
        shared,
    )
}
