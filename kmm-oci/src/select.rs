//! Which image of several is read, and its configuration.

use std::collections::BTreeSet;
use std::io::Read;

use kmm_core::image::TreeError;

use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::manifest::Document;
use crate::manifest::ImageConfig;
use crate::manifest::ImageManifest;
use crate::manifest::LARGEST;
use crate::manifest::LayerFormat;
use crate::manifest::Platform;
use crate::manifest::RawManifest;
use crate::scan::ScanError;
use crate::scan::ScanLimits;
use crate::scan::ScanOptions;
use crate::scan::layer_error;
use crate::source::ImageStore;
use crate::source::SourceError;

/// Indexes in indexes.
const DEEPEST: usize = 4;

/// Indexes that are read for one image.
const MOST_INDEXES: usize = 64;

/// Images without a platform in the index whose configurations are read to find theirs.
const MOST_CONFIGS: usize = 32;

/// The image that is read.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) digest: Option<Digest>,
    pub(crate) manifest: ImageManifest,
    pub(crate) config: ImageConfig,
}

pub(crate) fn select(store: &dyn ImageStore, options: &ScanOptions<'_>) -> Result<Selected, ScanError> {
    let root = store.manifest(None)?;
    let what = || {
        root.digest
            .as_ref()
            .map_or_else(|| "manifest".to_owned(), |digest| format!("manifest {digest}"))
    };
    let document = Document::parse(&root.bytes, root.media_type.as_deref())
        .map_err(|error| ScanError::Manifest { what: what(), error })?;
    let selected = match document {
        Document::Image(manifest) => {
            let selected = with_config(store, root.digest, manifest)?;
            match &options.platform {
                Some(wanted) if !selected.config.platform.serves(wanted) => {
                    let there = vec![shown(&selected.config.platform)];
                    return Err(ScanError::NoPlatform {
                        wanted: wanted.clone(),
                        there,
                    });
                }
                _ => selected,
            }
        }
        Document::Index(entries) => {
            let mut walk = Walk {
                store,
                seen: root.digest.into_iter().collect(),
                found: Vec::new(),
            };
            walk.index(entries, 1)?;
            choose(store, walk.found, options)?
        }
    };
    check(&selected, &options.limits)?;
    Ok(selected)
}

/// Collects the manifests below an index.
struct Walk<'a> {
    store: &'a dyn ImageStore,
    seen: BTreeSet<Digest>,
    found: Vec<Descriptor>,
}

impl Walk<'_> {
    fn index(&mut self, entries: Vec<Descriptor>, depth: usize) -> Result<(), ScanError> {
        for entry in entries {
            if !entry.media_type.contains("index") && !entry.media_type.contains("manifest.list") {
                self.found.push(entry);
                continue;
            }
            let error = |reason| ScanError::Index {
                digest: entry.digest.clone(),
                reason,
            };
            if depth >= DEEPEST {
                return Err(error("more than 4 indexes in each other"));
            }
            if self.seen.len() > MOST_INDEXES {
                return Err(error("more than 64 indexes in one image"));
            }
            // An index can only hold its own digest by a broken store; one that is listed twice says nothing new.
            if !self.seen.insert(entry.digest.clone()) {
                return Err(error("listed twice, or by itself"));
            }
            match document(self.store, &entry)? {
                Document::Index(inner) => self.index(inner, depth + 1)?,
                Document::Image(_) => self.found.push(entry),
            }
        }
        Ok(())
    }
}

fn choose(
    store: &dyn ImageStore,
    found: Vec<Descriptor>,
    options: &ScanOptions<'_>,
) -> Result<Selected, ScanError> {
    let wanted = options.platform.as_ref().unwrap_or(&options.preferred);
    // Attestations of builders are listed for the platform `unknown/unknown`.
    let images: Vec<Descriptor> = found
        .into_iter()
        .filter(|entry| {
            entry
                .platform
                .as_ref()
                .is_none_or(|platform| platform.os != "unknown")
        })
        .collect();
    let serves = |entry: &&Descriptor| {
        entry
            .platform
            .as_ref()
            .is_some_and(|platform| platform.serves(wanted))
    };
    if let Some(entry) = images.iter().find(serves) {
        return open(store, entry);
    }
    if let [only] = images.as_slice()
        && options.platform.is_none()
    {
        return open(store, only);
    }
    let mut there: Vec<String> = images
        .iter()
        .filter_map(|entry| entry.platform.as_ref().map(shown))
        .collect();
    for entry in images
        .iter()
        .filter(|entry| entry.platform.is_none())
        .take(MOST_CONFIGS)
    {
        let selected = open(store, entry)?;
        if selected.config.platform.serves(wanted) {
            return Ok(selected);
        }
        there.push(shown(&selected.config.platform));
    }
    if there.is_empty() {
        there.push("none at all".to_owned());
    }
    there.sort();
    there.dedup();
    there.truncate(50);
    Err(ScanError::NoPlatform {
        wanted: wanted.clone(),
        there,
    })
}

fn open(store: &dyn ImageStore, entry: &Descriptor) -> Result<Selected, ScanError> {
    let Document::Image(manifest) = document(store, entry)? else {
        let reason = "an index, but it is listed as the manifest of an image";
        return Err(ScanError::Index {
            digest: entry.digest.clone(),
            reason,
        });
    };
    let selected = with_config(store, Some(entry.digest.clone()), manifest)?;
    match &entry.platform {
        Some(listed)
            if !says_nothing(&selected.config.platform) && !selected.config.platform.agrees(listed) =>
        {
            Err(ScanError::Platforms {
                listed: listed.to_string(),
                config: selected.config.platform.to_string(),
            })
        }
        _ => Ok(selected),
    }
}

fn document(store: &dyn ImageStore, entry: &Descriptor) -> Result<Document, ScanError> {
    let RawManifest { bytes, .. } = store.manifest(Some(&entry.digest))?;
    if bytes.len() as u64 != entry.size || !entry.digest.matches(&bytes) {
        let (digest, size) = (entry.digest.clone(), entry.size);
        return Err(ScanError::Digest {
            what: "manifest",
            digest,
            size,
        });
    }
    let listed = Some(entry.media_type.as_str()).filter(|listed| !listed.is_empty());
    Document::parse(&bytes, listed).map_err(|error| ScanError::Manifest {
        what: format!("manifest {}", entry.digest),
        error,
    })
}

fn with_config(
    store: &dyn ImageStore,
    digest: Option<Digest>,
    manifest: ImageManifest,
) -> Result<Selected, ScanError> {
    let config = &manifest.config;
    let what = || format!("configuration {}", config.digest);
    if config.size > LARGEST {
        let error = crate::manifest::ManifestError::TooLarge { size: config.size };
        return Err(ScanError::Manifest { what: what(), error });
    }
    let mut bytes = Vec::new();
    let read = store.blob(config)?.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| SourceError::unreachable(what(), error))?;
    if bytes.len() as u64 != config.size || !config.digest.matches(&bytes) {
        let (digest, size) = (config.digest.clone(), config.size);
        return Err(ScanError::Digest {
            what: "configuration",
            digest,
            size,
        });
    }
    let config = ImageConfig::parse(&bytes).map_err(|error| ScanError::Manifest { what: what(), error })?;
    Ok(Selected {
        digest,
        manifest,
        config,
    })
}

/// What can be refused before any layer is read.
fn check(selected: &Selected, limits: &ScanLimits) -> Result<(), ScanError> {
    let (layers, diff_ids) = (selected.manifest.layers.len(), selected.config.diff_ids.len());
    if layers > limits.image.layers {
        let (count, limit) = (layers, limits.image.layers);
        return Err(TreeError::TooManyLayers { count, limit }.into());
    }
    if layers != diff_ids {
        return Err(ScanError::LayerCount { layers, diff_ids });
    }
    let sizes = selected.manifest.layers.iter().map(|layer| layer.size);
    let (size, limit) = (sizes.fold(0, u64::saturating_add), limits.packed_bytes);
    if size > limit {
        return Err(ScanError::TooLarge { size, limit });
    }
    for (number, layer) in selected.manifest.layers.iter().enumerate() {
        LayerFormat::of(&layer.media_type).map_err(|error| layer_error(number, layer, error.into()))?;
    }
    Ok(())
}

fn says_nothing(platform: &Platform) -> bool {
    platform.os.is_empty() || platform.architecture.is_empty()
}

fn shown(platform: &Platform) -> String {
    if says_nothing(platform) {
        "one that names no platform".to_owned()
    } else {
        platform.to_string()
    }
}
