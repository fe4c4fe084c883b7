//! Manifests, indexes and configurations: OCI's, and docker's schema 2.
//!
//! Own types, and not those of `oci-spec`: only what is used is read, so that an image is not refused for a field that
//! means nothing here, and what is ambiguous is refused (a manifest that is an index as well).

mod config;
mod document;
mod platform;

pub use config::ImageConfig;
pub use document::Document;
pub use document::ImageManifest;
pub use document::LayerFormat;
pub use document::ManifestError;
pub use platform::Platform;
pub use platform::PlatformError;

pub(crate) use document::DOCKER_CONFIG;
pub(crate) use document::DOCKER_MANIFEST;
pub(crate) use document::OCI_INDEX;
pub(crate) use document::named_entries;

use crate::digest::Digest;

/// The most bytes that a manifest, an index or a configuration may have: 4 MiB, what registries take.
pub const LARGEST: u64 = 4 << 20;

/// A manifest or an index as a store gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawManifest {
    /// What the store calls it; what it calls itself counts more.
    pub media_type: Option<String>,
    /// At most [`LARGEST`] bytes of JSON.
    pub bytes: Vec<u8>,
    /// The digest by which the store names it, checked.
    pub digest: Option<Digest>,
}

/// A blob's place in a manifest, or a manifest's place in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// What it hashes to.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Where else it may be had; nothing is fetched from there.
    pub urls: Vec<String>,
    /// What it is for, in an index.
    pub platform: Option<Platform>,
}
