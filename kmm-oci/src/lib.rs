//! Where images come from, and what is in them: the adapter between containers' images and [`kmm_core`].
//!
//! An image lies in a registry, in an OCI layout, in an archive or in a plain folder. Each of these is an [`ImageStore`];
//! [`scan()`] reads the layers of one image, in one pass and with nothing written to disk, and gives the file tree that
//! they add up to.
//!
//! | module | holds |
//! |---|---|
//! | [`locator`] | [`Reference`]: where an image lies, read from text |
//! | [`mod@reference`] | [`ImageName`]: the name of an image in a registry |
//! | [`credentials`] | passwords and tokens, from where docker, podman and Kubernetes keep them |
//! | [`registry`] | the store that is a registry |
//! | [`source`] | [`ImageStore`], and the stores that are files |
//! | [`manifest`] | manifests, indexes and configurations, OCI's and docker's |
//! | [`scan`](mod@scan) | [`scan()`] and [`scan_reference`]: an image, read to its end |
//! | [`layer`] | what can be wrong with a layer |
//! | [`tar`] | tar streams, read without trust |
//! | [`digest`] | [`Digest`]: checked text, safe as a path |
//!
//! # Example: the files of an archive
//!
//! ```no_run
//! use kmm_core::kmod::PlainOnly;
//! use kmm_oci::{ScanOptions, SourceError, scan_reference};
//!
//! let options = ScanOptions::new(&PlainOnly);
//! let image = scan_reference(&"oci-archive:nic.tar:v1".parse()?, &options, |name| {
//!     Err(SourceError::Refused { place: name.to_string(), reason: "offline".to_owned() })
//! })?;
//! for file in image.tree.walk().filter(|file| file.is_module()) {
//!     println!("{}", file.path());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is checked
//!
//! Size and digest of the manifest, of the configuration and of every blob, to its last byte; and that each layer
//! unpacks to what the configuration says, as container runtimes check it. That is free for layers without compression,
//! and runs beside the decompressor for others. How a layer is compressed is told by its content, as container runtimes
//! do; [`scan::LayerFacts::is_mislabelled`] tells when the media type says otherwise.
//!
//! # Limits
//!
//! - Manifests, indexes, configurations: 4 MiB each. Indexes: 4 in each other, 64 in all, 4,096 entries each.
//! - Layers: 128 GiB unpacked, all together ([`ScanLimits`](scan::ScanLimits)); entries, names and what is kept of them
//!   as [`kmm_core::image::Limits`] says. A long name or pax header: 1 MiB.
//! - Memory: four layers at once, with about a megabyte of buffers each, 16 MiB of file contents over all (a larger
//!   module is read alone), and a zstd window of 8 MiB each, or 32 MiB for one of them at a time. A larger window is
//!   refused.
//! - Archives: 100,000 files, 16 MiB of JSON when read as a stream.
//!
//! # What this crate does not do
//!
//! It decides nothing about a kernel module: that is [`kmm_core`]'s. It writes no images and unpacks none to disk. It
//! reads no content of sparse files, no foreign layers, no manifests of docker's schema 1, and no encrypted layers.

pub mod credentials;
pub mod digest;
pub mod layer;
pub mod locator;
pub mod manifest;
mod progress;
pub mod reference;
pub mod registry;
pub mod scan;
mod select;
pub mod source;
pub mod tar;

pub use digest::Digest;
pub use locator::Reference;
pub use manifest::Descriptor;
pub use manifest::Platform;
pub use manifest::RawManifest;
pub use progress::Progress;
pub use reference::ImageName;
pub use scan::ScanError;
pub use scan::ScanOptions;
pub use scan::ScannedImage;
pub use scan::scan;
pub use scan::scan_reference;
pub use source::ImageStore;
pub use source::SourceError;

#[cfg(test)]
mod tests;
