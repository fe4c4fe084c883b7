//! Manifests, indexes and configurations.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

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

/// What an image is built for: `OS/ARCHITECTURE[/VARIANT]`, in Go's words (`linux/arm64`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct Platform {
    /// Go's name of the operating system.
    #[serde(default)]
    pub os: String,
    /// Go's name of the architecture.
    #[serde(default)]
    pub architecture: String,
    /// Such as `v7` of `arm`.
    #[serde(default)]
    pub variant: Option<String>,
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{given}` is not a platform: allowed is `OS/ARCHITECTURE[/VARIANT]`, such as `linux/amd64`")]
pub struct PlatformError {
    given: String,
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some((*variant).to_owned())),
            _ => {
                return Err(PlatformError {
                    given: text.to_owned(),
                });
            }
        };
        if parts
            .iter()
            .any(|part| part.is_empty() || part.contains(char::is_whitespace))
        {
            return Err(PlatformError {
                given: text.to_owned(),
            });
        }
        Ok(Self {
            os: (*os).to_owned(),
            architecture: (*architecture).to_owned(),
            variant,
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
