//! A manifest or an index, told apart and read.

use serde::Deserialize;
use thiserror::Error;

use crate::digest::Digest;
use crate::manifest::Descriptor;
use crate::manifest::LARGEST;
use crate::manifest::Platform;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// Manifests that one index may list.
const MOST_MANIFESTS: usize = 4096;

/// A manifest or an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Image(ImageManifest),
    /// Several, for several platforms: the manifests and indexes that it lists.
    Index(Vec<Descriptor>),
}

/// The manifest of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageManifest {
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, the lowest one first.
    pub layers: Vec<Descriptor>,
}

/// How a layer is compressed, from its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerFormat {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl LayerFormat {
    /// What a media type says.
    ///
    /// # Errors
    ///
    /// When it is a layer that lies elsewhere, or no layer that is known.
    pub fn of(media_type: &str) -> Result<Self, ManifestError> {
        match media_type {
            "application/vnd.oci.image.layer.v1.tar" | "application/vnd.docker.image.rootfs.diff.tar" => {
                Ok(Self::Plain)
            }
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(Self::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(Self::Zstd),
            other if other.contains(".nondistributable.") || other.contains(".foreign.") => {
                Err(ManifestError::ForeignLayer {
                    media_type: cut(other),
                })
            }
            other => Err(ManifestError::LayerType {
                media_type: cut(other),
            }),
        }
    }
}

impl std::fmt::Display for LayerFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Why bytes are no manifest that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is larger than [`LARGEST`].
    #[error("{size} bytes of JSON: at most {LARGEST} are allowed")]
    TooLarge {
        /// Its size.
        size: u64,
    },
    /// It is not the JSON that it should be.
    #[error("not the JSON that it should be: {reason}")]
    Json {
        /// What is wrong, with line and column.
        reason: String,
    },
    /// Docker's first schema.
    #[error(
        "a manifest of docker's schema 1, which is no longer in use: push the image again with a current tool"
    )]
    Schema1,
    /// Something else than an image.
    #[error("an artifact of type `{kind}`, not an image: it has no layers of files")]
    Artifact {
        /// What it says that it is.
        kind: String,
    },
    /// A media type that is none of the known ones.
    #[error(
        "media type `{media_type}`: allowed are image manifests and indexes, of OCI and of docker's schema 2"
    )]
    MediaType {
        /// The type.
        media_type: String,
    },
    /// Told as one kind, but of another one.
    #[error("listed as `{listed}`, but it says of itself that it is `{media_type}`")]
    Listed {
        /// The type in the index or of the answer.
        listed: String,
        /// The type in it.
        media_type: String,
    },
    /// It can be read in two ways.
    #[error("ambiguous: it has the fields of a manifest and of an index")]
    Ambiguous,
    /// A field is missing.
    #[error("the field `{field}` is missing")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A layer that lies elsewhere.
    #[error(
        "layer of media type `{media_type}`: a foreign layer is not part of the image, and is not fetched from elsewhere"
    )]
    ForeignLayer {
        /// The type.
        media_type: String,
    },
    /// A layer of an unknown type.
    #[error(
        "layer of media type `{media_type}`: allowed are tar layers, with gzip, zstd or without compression"
    )]
    LayerType {
        /// The type.
        media_type: String,
    },
    /// An index lists too much.
    #[error("{count} manifests in one index: at most {MOST_MANIFESTS} are allowed")]
    TooManyManifests {
        /// How many it lists.
        count: usize,
    },
}

impl ManifestError {
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Json {
            reason: error.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    manifests: Option<Vec<RawDescriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: Option<String>,
    digest: Digest,
    size: u64,
    urls: Option<Vec<String>>,
    platform: Option<Platform>,
}

impl From<RawDescriptor> for Descriptor {
    fn from(raw: RawDescriptor) -> Self {
        Self {
            media_type: raw.media_type.unwrap_or_default(),
            digest: raw.digest,
            size: raw.size,
            urls: raw.urls.unwrap_or_default(),
            platform: raw.platform,
        }
    }
}

/// The entries of a layout's `index.json`, with the names that they have there.
pub(crate) fn named_entries(bytes: &[u8]) -> Result<Vec<(Descriptor, Vec<String>)>, ManifestError> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        #[serde(flatten)]
        descriptor: RawDescriptor,
        annotations: Option<std::collections::BTreeMap<String, String>>,
    }
    let index: Index = serde_json::from_slice(bytes).map_err(|e| ManifestError::json(&e))?;
    if index.manifests.len() > MOST_MANIFESTS {
        return Err(ManifestError::TooManyManifests {
            count: index.manifests.len(),
        });
    }
    let names = |annotations: Option<std::collections::BTreeMap<String, String>>| {
        let mut annotations = annotations.unwrap_or_default();
        ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
            .iter()
            .filter_map(|key| annotations.remove(*key))
            .collect()
    };
    let entries = index.manifests.into_iter();
    Ok(entries
        .map(|entry| (entry.descriptor.into(), names(entry.annotations)))
        .collect())
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Image,
    Index,
}

impl Document {
    /// Reads a manifest or an index; `listed` is the media type that an index or a registry gives it.
    ///
    /// # Errors
    ///
    /// When it is neither, or of a kind that is not read.
    ///
    /// # Example: docker's first schema is refused by name
    ///
    /// ```
    /// use kmm_oci::manifest::{Document, ManifestError};
    ///
    /// let error = Document::parse(br#"{"schemaVersion": 1, "fsLayers": []}"#, None).unwrap_err();
    /// assert_eq!(error, ManifestError::Schema1);
    /// ```
    pub fn parse(bytes: &[u8], listed: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > LARGEST {
            return Err(ManifestError::TooLarge {
                size: bytes.len() as u64,
            });
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|e| ManifestError::json(&e))?;
        match raw.shape(listed)? {
            Shape::Index => raw.index(),
            Shape::Image => raw.image(),
        }
    }
}

impl Raw {
    /// What it is: its own media type counts, then the one it is listed with, then its fields.
    fn shape(&self, listed: Option<&str>) -> Result<Shape, ManifestError> {
        let old = |media_type: &str| media_type.starts_with(DOCKER_SCHEMA_1);
        let own = self.media_type.as_deref();
        if self.schema_version == Some(1) || self.fs_layers.is_some() || own.is_some_and(old) {
            return Err(ManifestError::Schema1);
        }
        let own = own.map(shape_of).transpose()?;
        // A type that says nothing, as web servers give it, is no contradiction.
        let given = listed.map(|listed| (listed, shape_of(listed)));
        if let (Some(own), Some((listed, Ok(given)))) = (own, &given)
            && own != *given
        {
            let media_type = self.media_type.clone().unwrap_or_default();
            return Err(ManifestError::Listed {
                listed: cut(listed),
                media_type: cut(&media_type),
            });
        }
        let fields = match (
            self.manifests.is_some(),
            self.layers.is_some() || self.config.is_some(),
        ) {
            (true, true) => return Err(ManifestError::Ambiguous),
            (true, false) => Some(Shape::Index),
            (false, true) => Some(Shape::Image),
            (false, false) => None,
        };
        let told = own.or(given.and_then(|(_, shape)| shape.ok()));
        match (told, fields) {
            (Some(told), Some(fields)) if told != fields => Err(ManifestError::Ambiguous),
            (Some(told), _) => Ok(told),
            (None, Some(fields)) => Ok(fields),
            (None, None) => Err(ManifestError::Missing { field: "layers" }),
        }
    }

    fn index(self) -> Result<Document, ManifestError> {
        let manifests = self
            .manifests
            .ok_or(ManifestError::Missing { field: "manifests" })?;
        if manifests.len() > MOST_MANIFESTS {
            return Err(ManifestError::TooManyManifests {
                count: manifests.len(),
            });
        }
        Ok(Document::Index(
            manifests.into_iter().map(Descriptor::from).collect(),
        ))
    }

    fn image(self) -> Result<Document, ManifestError> {
        let config = Descriptor::from(self.config.ok_or(ManifestError::Missing { field: "config" })?);
        if !matches!(config.media_type.as_str(), OCI_CONFIG | DOCKER_CONFIG) {
            let kind = self.artifact_type.unwrap_or(config.media_type);
            return Err(ManifestError::Artifact { kind: cut(&kind) });
        }
        let layers = self.layers.ok_or(ManifestError::Missing { field: "layers" })?;
        let layers = layers.into_iter().map(Descriptor::from).collect();
        Ok(Document::Image(ImageManifest { config, layers }))
    }
}

fn shape_of(media_type: &str) -> Result<Shape, ManifestError> {
    // Parameters such as `; charset=utf-8` change nothing.
    let name = media_type.split(';').next().unwrap_or_default().trim();
    match name {
        OCI_MANIFEST | DOCKER_MANIFEST => Ok(Shape::Image),
        OCI_INDEX | DOCKER_LIST => Ok(Shape::Index),
        OCI_ARTIFACT => Err(ManifestError::Artifact {
            kind: name.to_owned(),
        }),
        other => Err(ManifestError::MediaType {
            media_type: cut(other),
        }),
    }
}

/// Text from outside, for a message.
fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(media_type: &str) -> String {
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{}","size":3}}"#,
            Digest::sha256(b"abc")
        )
    }

    fn error(text: &str) -> ManifestError {
        Document::parse(text.as_bytes(), None).unwrap_err()
    }

    #[test]
    fn images_and_indexes_of_both_families() {
        for (manifest, config) in [(OCI_MANIFEST, OCI_CONFIG), (DOCKER_MANIFEST, DOCKER_CONFIG)] {
            let config = descriptor(config);
            let text =
                format!(r#"{{"schemaVersion":2,"mediaType":"{manifest}","config":{config},"layers":[]}}"#);
            assert!(matches!(
                Document::parse(text.as_bytes(), None),
                Ok(Document::Image(_))
            ));
            let bare = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}}"#);
            assert!(matches!(
                Document::parse(bare.as_bytes(), Some(manifest)),
                Ok(Document::Image(_))
            ));
            assert!(matches!(
                Document::parse(bare.as_bytes(), Some("text/plain")),
                Ok(Document::Image(_))
            ));
        }
        for index in [OCI_INDEX, DOCKER_LIST] {
            let entry = descriptor(OCI_MANIFEST);
            let text = format!(r#"{{"schemaVersion":2,"mediaType":"{index}","manifests":[{entry}]}}"#);
            let read = Document::parse(text.as_bytes(), Some(&format!("{index}; charset=utf-8")));
            assert!(matches!(read, Ok(Document::Index(list)) if list.len() == 1));
        }
    }

    #[test]
    fn what_is_refused() {
        let config = descriptor(OCI_CONFIG);
        assert_eq!(error(r#"{"schemaVersion":1}"#), ManifestError::Schema1);
        assert_eq!(
            error(&format!(r#"{{"mediaType":"{DOCKER_SCHEMA_1}prettyjws"}}"#)),
            ManifestError::Schema1
        );
        let both = format!(r#"{{"config":{config},"layers":[],"manifests":[]}}"#);
        assert_eq!(error(&both), ManifestError::Ambiguous);
        let lie = format!(r#"{{"mediaType":"{OCI_INDEX}","config":{config},"layers":[]}}"#);
        assert_eq!(error(&lie), ManifestError::Ambiguous);
        let image = format!(r#"{{"mediaType":"{OCI_MANIFEST}","config":{config},"layers":[]}}"#);
        let listed = Document::parse(image.as_bytes(), Some(OCI_INDEX)).unwrap_err();
        assert!(matches!(listed, ManifestError::Listed { .. }));
        let empty = descriptor("application/vnd.oci.empty.v1+json");
        let artifact =
            format!(r#"{{"artifactType":"application/x-signature","config":{empty},"layers":[]}}"#);
        assert!(
            error(&artifact)
                .to_string()
                .contains("`application/x-signature`, not an image")
        );
        assert!(matches!(
            error(&format!(r#"{{"mediaType":"{OCI_ARTIFACT}"}}"#)),
            ManifestError::Artifact { .. }
        ));
        assert!(matches!(
            error(r#"{"mediaType":"a/b","layers":[]}"#),
            ManifestError::MediaType { .. }
        ));
        assert!(matches!(error("{}"), ManifestError::Missing { .. }));
        assert!(matches!(error(&"[".repeat(100_000)), ManifestError::Json { .. }));
        assert!(matches!(
            error(&" ".repeat((4 << 20) + 1)),
            ManifestError::TooLarge { .. }
        ));
        let digest = r#"{"manifests":[{"digest":"sha256:../../x","size":1}]}"#;
        assert!(error(digest).to_string().contains("is not a digest"));
        let one = descriptor(OCI_MANIFEST) + ",";
        let many = format!(r#"{{"manifests":[{}]}}"#, one.repeat(5000).trim_end_matches(','));
        assert_eq!(error(&many), ManifestError::TooManyManifests { count: 5000 });
    }

    #[test]
    fn layer_types() {
        for (media_type, format) in [
            ("application/vnd.oci.image.layer.v1.tar", LayerFormat::Plain),
            ("application/vnd.oci.image.layer.v1.tar+zstd", LayerFormat::Zstd),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                LayerFormat::Gzip,
            ),
        ] {
            assert_eq!(LayerFormat::of(media_type), Ok(format));
        }
        for foreign in [
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        ] {
            assert!(matches!(
                LayerFormat::of(foreign),
                Err(ManifestError::ForeignLayer { .. })
            ));
        }
        let helm = LayerFormat::of("application/vnd.cncf.helm.chart.content.v1.tar+gzip");
        assert!(matches!(helm, Err(ManifestError::LayerType { .. })));
    }
}
