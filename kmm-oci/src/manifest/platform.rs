//! What an image is built for.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

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

impl Platform {
    /// Whether an image for this platform is one for `wanted`, which may leave the variant open.
    ///
    /// # Example: the eighth version is all that `arm64` is
    ///
    /// ```
    /// use kmm_oci::Platform;
    ///
    /// let given: Platform = "linux/arm64".parse()?;
    /// assert!(given.serves(&"linux/arm64/v8".parse()?));
    /// assert!(!given.serves(&"linux/amd64".parse()?));
    /// # Ok::<(), kmm_oci::manifest::PlatformError>(())
    /// ```
    pub fn serves(&self, wanted: &Self) -> bool {
        let same = self.os == wanted.os && self.architecture == wanted.architecture;
        same && (wanted.variant().is_empty() || self.variant() == wanted.variant())
    }

    /// Whether two ways to write a platform mean one thing: a variant that only one of them gives does not count.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        self.serves(other) || other.serves(self)
    }

    fn variant(&self) -> &str {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", Some("v8" | "8")) | (_, None) => "",
            (_, Some(variant)) => variant,
        }
    }
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
