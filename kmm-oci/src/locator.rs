//! Where an image lies, read from text.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use crate::reference::ImageName;
use crate::reference::ImageNameError;

/// Where an image lies.
///
/// The transports are written as skopeo writes them: the path ends at the first colon, and what follows is the tag.
///
/// # Example: an archive, and an image in a registry
///
/// ```
/// use kmm_oci::Reference;
///
/// let reference: Reference = "oci-archive:nic.tar:v1".parse()?;
/// assert_eq!(reference, Reference::OciArchive { path: "nic.tar".into(), tag: Some("v1".to_owned()) });
/// assert!(matches!("quay.io/acme/nic:v1".parse()?, Reference::Registry(_)));
/// # Ok::<(), kmm_oci::locator::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `REPO[:TAG][@DIGEST]`, also after `docker://`.
    Registry(ImageName),
    /// `oci:PATH[:TAG]`: a folder in OCI image layout.
    OciLayout {
        /// The folder.
        path: PathBuf,
        /// Which image of several.
        tag: Option<String>,
    },
    /// `oci-archive:PATH[:TAG]`: such a folder as a tar file.
    OciArchive {
        /// The file.
        path: PathBuf,
        /// Which image of several.
        tag: Option<String>,
    },
    /// `docker-archive:PATH[:TAG]`: what `docker save` writes.
    DockerArchive {
        /// The file.
        path: PathBuf,
        /// Which image of several, a name as it is in the archive.
        tag: Option<String>,
    },
    /// `dir:PATH`: a plain folder that is the root of the image's files.
    Directory(PathBuf),
    /// `-`: an archive from standard input, OCI's or docker's.
    Stdin,
}

/// Why a text names no image.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A transport without a path.
    #[error("`{given}` names no path: allowed is `{transport}:PATH{rest}`")]
    NoPath {
        /// The text.
        given: String,
        /// Its transport.
        transport: &'static str,
        /// What may follow the path.
        rest: &'static str,
    },
    /// A path that does not say what is there.
    #[error(
        "`{given}` is a path: say what is there, `dir:PATH`, `oci:PATH`, `oci-archive:PATH` or `docker-archive:PATH`"
    )]
    Path {
        /// The text.
        given: String,
    },
    /// Not a name in a registry either.
    #[error(transparent)]
    Name(#[from] ImageNameError),
}

/// The transports with a path, and what may follow it.
const TRANSPORTS: [(&str, &str); 4] = [
    ("oci", "[:TAG]"),
    ("oci-archive", "[:TAG]"),
    ("docker-archive", "[:TAG]"),
    ("dir", ""),
];

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text == "-" {
            return Ok(Self::Stdin);
        }
        let transport = text.split_once(':').and_then(|(word, rest)| {
            let (name, form) = *TRANSPORTS.iter().find(|(name, _)| *name == word)?;
            Some((name, form, rest))
        });
        let Some((name, form, rest)) = transport else {
            if ["/", "./", "../", "~/"]
                .iter()
                .any(|start| text.starts_with(start))
            {
                return Err(ReferenceError::Path {
                    given: text.to_owned(),
                });
            }
            let name = text.strip_prefix("docker://").unwrap_or(text);
            return Ok(Self::Registry(name.parse()?));
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) if name != "dir" => (path, (!tag.is_empty()).then(|| tag.to_owned())),
            _ => (rest, None),
        };
        if path.is_empty() {
            return Err(ReferenceError::NoPath {
                given: text.to_owned(),
                transport: name,
                rest: form,
            });
        }
        let path = PathBuf::from(path);
        Ok(match name {
            "oci" => Self::OciLayout { path, tag },
            "oci-archive" => Self::OciArchive { path, tag },
            "docker-archive" => Self::DockerArchive { path, tag },
            _ => Self::Directory(path),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, path, tag) = match self {
            Self::Registry(name) => return name.fmt(f),
            Self::Stdin => return f.write_str("-"),
            Self::Directory(path) => ("dir", path, &None),
            Self::OciLayout { path, tag } => ("oci", path, tag),
            Self::OciArchive { path, tag } => ("oci-archive", path, tag),
            Self::DockerArchive { path, tag } => ("docker-archive", path, tag),
        };
        write!(f, "{name}:{}", path.display())?;
        match tag {
            Some(tag) => write!(f, ":{tag}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_reads_and_prints() {
        for text in [
            "-",
            "oci:images/nic",
            "oci:/a/nic:v1",
            "oci-archive:nic.tar",
            "docker-archive:nic.tar:quay.io/acme/nic:v1",
            "dir:/a/b:c",
            "localhost:5000/nic:v1",
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        assert_eq!(
            "docker://a.b/nic".parse::<Reference>().unwrap().to_string(),
            "a.b/nic"
        );
    }

    #[test]
    fn what_names_no_image() {
        for text in ["oci:", "dir:", "oci-archive::tag", "", "@sha256:00"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
        let error = "oci::v1".parse::<Reference>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`oci::v1` names no path: allowed is `oci:PATH[:TAG]`"
        );
    }
}
