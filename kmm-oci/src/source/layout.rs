//! OCI image layouts: `index.json`, and blobs named by their digest.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::digest::Digest;
use crate::manifest::Descriptor;

use crate::manifest::OCI_INDEX;
use crate::manifest::RawManifest;
use crate::manifest::named_entries;
use crate::source::ImageStore;
use crate::source::SourceError;
use crate::source::archive::TarFile;
use crate::source::files::Files;
use crate::source::files::Folder;

/// An OCI image layout, as a folder or as a tar file.
pub struct OciLayout {
    files: Box<dyn Files>,
    tag: Option<String>,
}

impl OciLayout {
    /// A folder. Nothing outside of it is read, whatever links there are.
    ///
    /// # Errors
    ///
    /// When the folder cannot be opened.
    pub fn folder(path: &Path, tag: Option<&str>) -> Result<Self, SourceError> {
        Ok(Self::over(Folder::open(path, "oci")?, tag))
    }

    /// A tar file.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or is no tar file.
    pub fn archive(path: &Path, tag: Option<&str>) -> Result<Self, SourceError> {
        let place = || format!("oci-archive:{}", path.display());
        let file = File::open(path).map_err(|error| SourceError::unreachable(place(), error))?;
        Ok(Self::over(TarFile::new(file, path, "oci-archive")?, tag))
    }

    pub(crate) fn over(files: impl Files + 'static, tag: Option<&str>) -> Self {
        Self {
            files: Box::new(files),
            tag: tag.map(str::to_owned),
        }
    }

    /// Where a blob lies. A digest is hexadecimal digits and nothing else.
    pub(crate) fn path(digest: &Digest) -> String {
        format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
    }

    /// The manifest that the tag names; without one, the only manifest, or the index as it is.
    fn root(&self) -> Result<RawManifest, SourceError> {
        let place = self.files.place();
        let Some(bytes) = self.files.read("index.json")? else {
            return Err(SourceError::damaged(
                place,
                "no OCI image layout: it has no `index.json`",
            ));
        };
        let entries = named_entries(&bytes)
            .map_err(|error| SourceError::damaged(format!("{place}: `index.json`"), error.to_string()))?;
        let mut names: Vec<&str> = entries
            .iter()
            .flat_map(|(_, names)| names)
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        let named = |(_, names): &&(Descriptor, Vec<String>)| match &self.tag {
            Some(tag) => names.iter().any(|name| is_named(name, tag)),
            None => true,
        };
        let chosen: Vec<&Descriptor> = entries.iter().filter(named).map(|(entry, _)| entry).collect();
        match chosen.as_slice() {
            [only] => self.below(&only.digest, Some(&only.media_type)),
            [] => Err(SourceError::NoSuchImage {
                place: self.name(),
                reason: there_is(&names),
            }),
            // One image for several platforms has no name, or the same one for all.
            several
                if self.tag.is_none() && names.len() <= 1 && several.iter().all(|e| e.platform.is_some()) =>
            {
                let media_type = Some(OCI_INDEX.to_owned());
                Ok(RawManifest {
                    media_type,
                    bytes,
                    digest: None,
                })
            }
            _ => Err(SourceError::refused(
                self.name(),
                format!("more than one image: {}", there_is(&names)),
            )),
        }
    }

    fn below(&self, digest: &Digest, media_type: Option<&str>) -> Result<RawManifest, SourceError> {
        let place = || format!("{}: manifest {digest}", self.files.place());
        let Some(bytes) = self.files.read(&Self::path(digest))? else {
            return Err(SourceError::damaged(place(), "the blob is missing"));
        };
        if !digest.matches(&bytes) {
            return Err(SourceError::damaged(place(), "the blob has another digest"));
        }
        let media_type = media_type
            .filter(|media_type| !media_type.is_empty())
            .map(str::to_owned);
        Ok(RawManifest {
            media_type,
            bytes,
            digest: Some(digest.clone()),
        })
    }

    fn name(&self) -> String {
        match &self.tag {
            Some(tag) => format!("{}:{tag}", self.files.place()),
            None => self.files.place().to_owned(),
        }
    }
}

impl ImageStore for OciLayout {
    fn manifest(&self, which: Option<&Digest>) -> Result<RawManifest, SourceError> {
        match which {
            None => self.root(),
            Some(digest) => self.below(digest, None),
        }
    }

    fn blob(&self, blob: &Descriptor) -> Result<Box<dyn Read + Send>, SourceError> {
        match self.files.open(&Self::path(&blob.digest))? {
            Some((file, _)) => Ok(file),
            None => {
                let place = format!("{}: blob {}", self.files.place(), blob.digest);
                Err(SourceError::damaged(place, "the blob is missing"))
            }
        }
    }
}

impl std::fmt::Debug for OciLayout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OciLayout")
            .field("place", &self.name())
            .finish_non_exhaustive()
    }
}

/// Whether a name in an index is the tag, or a whole name that ends with it.
fn is_named(name: &str, tag: &str) -> bool {
    name == tag || name.strip_suffix(tag).is_some_and(|start| start.ends_with(':'))
}

/// The names that could be asked for.
pub(super) fn there_is(names: &[&str]) -> String {
    match names {
        [] => "none in it has a name".to_owned(),
        names => {
            let shown: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
            format!("there is {}", shown.join(", "))
        }
    }
}
