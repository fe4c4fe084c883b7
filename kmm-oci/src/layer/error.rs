//! What can be wrong with a layer.

use std::io;

use kmm_core::image::LayerError;
use thiserror::Error;

use crate::digest::Digest;
use crate::manifest::LayerFormat;
use crate::manifest::ManifestError;
use crate::source::SourceError;
use crate::tar::TarError;

/// Why a layer was not read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LayerFault {
    /// The store does not give it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store stopped giving it.
    #[error("could not be read after {at} bytes")]
    Io {
        /// How much there was.
        at: u64,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It has another size than the manifest says.
    #[error("{size} bytes or more, but the manifest says {expected}")]
    Size {
        /// How much there was when it was noticed.
        size: u64,
        /// What the manifest says.
        expected: u64,
    },
    /// It has another digest than the manifest says.
    #[error("the digest of the blob is {found}, and not what the manifest says")]
    Digest {
        /// What was computed.
        found: Digest,
    },
    /// It unpacks to something else than the configuration says.
    #[error("it unpacks to {found}, but the configuration of the image says {expected}")]
    DiffId {
        /// What was computed.
        found: Digest,
        /// What the configuration says.
        expected: Digest,
    },
    /// The media type is of no layer that is read.
    #[error(transparent)]
    MediaType(#[from] ManifestError),
    /// It cannot be unpacked.
    #[error("damaged {format} data: {reason}")]
    Unpack {
        /// How it is compressed.
        format: LayerFormat,
        /// What the decompressor says.
        reason: String,
    },
    /// It unpacks to too much.
    #[error("the layers unpack to more than {limit} bytes, the most that is read of an image")]
    TooLarge {
        /// The most.
        limit: u64,
    },
    /// It is not a tar stream.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// It cannot be a layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
}
