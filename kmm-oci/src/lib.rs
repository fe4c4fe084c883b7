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
//! | [`digest`] | [`Digest`]: checked text, safe as a path |
//! | [`manifest`] | manifests, indexes and configurations, OCI's and docker's |
//! | [`source`] | [`ImageStore`], and the stores that are files |
//!
//! # What this crate does not do
//!
//! It decides nothing about a kernel module: that is [`kmm_core`]'s. It writes no images and unpacks none to disk.

pub mod credentials;
pub mod digest;
pub mod layer;
pub mod locator;
pub mod manifest;
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
