//! What `docker save` writes: `manifest.json`, configurations and layers as files.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::digest::Digest;
use crate::manifest::DOCKER_CONFIG;
use crate::manifest::DOCKER_MANIFEST;
use crate::manifest::Descriptor;
use crate::manifest::ImageConfig;
use crate::manifest::RawManifest;
use crate::source::ImageStore;
use crate::source::SourceError;
use crate::source::archive::TarFile;
use crate::source::archive::normal;
use crate::source::files::Files;
use crate::source::layout::there_is;

const PLAIN_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// One image of a `docker-archive`.
///
/// Such an archive has no digests of blobs. Layers are named by what they unpack to, which the configuration tells, and
/// may be compressed in any way.
pub struct DockerArchive {
    files: Box<dyn Files>,
    manifest: Vec<u8>,
    paths: HashMap<Digest, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl DockerArchive {
    /// Opens a tar file. `tag` is a name as `docker save` writes it, or `@` and a number, from 0.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, is no tar file or no such archive, or when it is not clear which image is meant.
    pub fn open(path: &Path, tag: Option<&str>) -> Result<Self, SourceError> {
        let place = || format!("docker-archive:{}", path.display());
        let file = File::open(path).map_err(|error| SourceError::unreachable(place(), error))?;
        Self::over(TarFile::new(file, path, "docker-archive")?, tag)
    }

    pub(crate) fn over(files: impl Files + 'static, tag: Option<&str>) -> Result<Self, SourceError> {
        let place = files.place().to_owned();
        let Some(bytes) = files.read("manifest.json")? else {
            return Err(SourceError::damaged(
                place,
                "no archive of docker: it has no `manifest.json`",
            ));
        };
        let images: Vec<Image> = serde_json::from_slice(&bytes)
            .map_err(|error| SourceError::damaged(format!("{place}: `manifest.json`"), error.to_string()))?;
        let image = choose(images, tag, &place)?;
        Self::describe(files, &image, &place)
    }

    /// The path of a layer that the manifest names by this digest.
    pub(crate) fn path(&self, digest: &Digest) -> Option<&str> {
        self.paths.get(digest).map(String::as_str)
    }

    /// Writes the manifest that the archive does not have.
    fn describe(files: impl Files + 'static, image: &Image, place: &str) -> Result<Self, SourceError> {
        let inside = |path: &str| normal("", path).unwrap_or_default();
        let config_path = inside(&image.config);
        let Some(config) = files.read(&config_path)? else {
            return Err(SourceError::damaged(
                place,
                format!("the configuration `{}` is missing", image.config),
            ));
        };
        let diff_ids = ImageConfig::parse(&config)
            .map_err(|error| SourceError::damaged(format!("{place}: `{config_path}`"), error.to_string()))?
            .diff_ids;
        if diff_ids.len() != image.layers.len() {
            let (layers, named) = (image.layers.len(), diff_ids.len());
            let reason = format!("`manifest.json` has {layers} layers, the configuration {named}");
            return Err(SourceError::damaged(place, reason));
        }
        let mut paths = HashMap::new();
        let mut layers = Vec::new();
        for (diff_id, path) in diff_ids.into_iter().zip(&image.layers) {
            layers.push(serde_json::json!({"mediaType": PLAIN_LAYER, "digest": diff_id, "size": 0}));
            paths.entry(diff_id).or_insert_with(|| inside(path));
        }
        let digest = Digest::sha256(&config);
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "digest": digest, "size": config.len()},
            "layers": layers,
        });
        paths.insert(digest, config_path);
        Ok(Self {
            files: Box::new(files),
            manifest: manifest.to_string().into_bytes(),
            paths,
        })
    }
}

fn choose(mut images: Vec<Image>, tag: Option<&str>, place: &str) -> Result<Image, SourceError> {
    let number = match tag {
        None if images.len() == 1 => Some(0),
        None => None,
        Some(tag) => match tag.strip_prefix('@') {
            Some(number) => number.parse().ok(),
            None => images.iter().position(|image| {
                image
                    .repo_tags
                    .iter()
                    .flatten()
                    .any(|name| full_name(name) == full_name(tag))
            }),
        },
    };
    if let Some(number) = number.filter(|number| *number < images.len()) {
        return Ok(images.swap_remove(number));
    }
    let names: Vec<&str> = images
        .iter()
        .flat_map(|image| image.repo_tags.iter().flatten())
        .map(String::as_str)
        .collect();
    match tag {
        Some(tag) => Err(SourceError::NoSuchImage {
            place: format!("{place}:{tag}"),
            reason: there_is(&names),
        }),
        None => {
            let count = images.len();
            Err(SourceError::refused(
                place,
                format!("{count} images, and none is named: {}", there_is(&names)),
            ))
        }
    }
}

/// A name with what docker leaves out: its own registry, and the tag `latest`.
fn full_name(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let has_tag = name.rsplit_once(':').is_some_and(|(_, tag)| !tag.contains('/'));
    if has_tag {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

impl ImageStore for DockerArchive {
    fn manifest(&self, which: Option<&Digest>) -> Result<RawManifest, SourceError> {
        match which {
            None => Ok(RawManifest {
                media_type: None,
                bytes: self.manifest.clone(),
                digest: None,
            }),
            Some(digest) => {
                let place = format!("{}: manifest {digest}", self.files.place());
                Err(SourceError::damaged(
                    place,
                    "an archive of docker has no manifests by digest",
                ))
            }
        }
    }

    fn blob(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        let path = self.path(&blob.digest).unwrap_or_default();
        match self.files.open(path)? {
            Some((file, _)) => Ok(file),
            None => Err(SourceError::damaged(
                format!("{}: `{path}`", self.files.place()),
                "the file is missing",
            )),
        }
    }

    fn names_layers_by_content(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for DockerArchive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerArchive")
            .field("place", &self.files.place())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_whole() {
        assert_eq!(full_name("nic"), full_name("docker.io/library/nic:latest"));
        assert_eq!(full_name("localhost:5000/nic"), "localhost:5000/nic:latest");
        assert_ne!(full_name("acme/nic:v1"), full_name("acme/nic:v2"));
    }
}
