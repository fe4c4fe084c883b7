//! Stores of images, all behind [`ImageStore`].

use std::error::Error;
use std::io::Read;

use thiserror::Error;

use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::manifest::RawManifest;

/// Where manifests and blobs come from; blocking, and called from several threads at once.
///
/// A store does not check what a blob holds: whoever reads it does, while reading.
pub trait ImageStore: Send + Sync {
    /// The manifest or index that the reference names, or, with `which`, the one with this digest below it.
    ///
    /// It has at most [`crate::manifest::LARGEST`] bytes. Where `which` is given, the bytes have been checked against it.
    ///
    /// # Errors
    ///
    /// [`SourceError::NoSuchImage`] when it is certain that there is none; anything else means that nothing is known.
    fn manifest(&self, which: Option<&Digest>) -> Result<RawManifest, SourceError>;

    /// The bytes of a blob, unchecked.
    ///
    /// # Errors
    ///
    /// When it is not there or cannot be read.
    fn blob(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError>;

    /// Whether the digests of layers are those of what they unpack to, because the store knows no others. So it is in
    /// a `docker-archive`.
    fn names_layers_by_content(&self) -> bool {
        false
    }
}

/// Why a store gave no manifest or no blob.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It is certain that there is no such image: an answer.
    #[error("{place}: no such image: {reason}")]
    NoSuchImage {
        /// The store, and what was looked for.
        place: String,
        /// What is there instead, or who says so.
        reason: String,
    },
    /// The store says no (credentials), or what it gives is more than allowed or of a kind that is not read.
    #[error("{place}: {reason}")]
    Refused {
        /// The store, and the part of it.
        place: String,
        /// What is refused, and what is allowed.
        reason: String,
    },
    /// What is there is not what it should be: not JSON, another digest, a blob that is missing.
    #[error("{place}: {reason}")]
    Damaged {
        /// The store, and the part of it.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// It could not be read: the network, the disk.
    #[error("{place}: could not be read")]
    Unreachable {
        /// The store, and the part of it.
        place: String,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl SourceError {
    /// Whether this is an answer (there is no such image), and not the lack of one.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::NoSuchImage { .. })
    }

    pub(crate) fn refused(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused {
            place: place.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn damaged(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged {
            place: place.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn unreachable(
        place: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unreachable {
            place: place.into(),
            source: source.into(),
        }
    }
}
