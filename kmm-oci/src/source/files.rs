//! Files by path, in a folder or in an archive.

use std::io::Read;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use crate::manifest::LARGEST;
use crate::source::SourceError;

/// A file that was opened, and its size.
pub(crate) type Opened = (Box<dyn Read + Send>, u64);

/// Files by path, with slashes between names, relative to where they lie.
pub(crate) trait Files: Send + Sync {
    /// Opens a file; none if there is no such file.
    fn open(&self, path: &str) -> Result<Option<Opened>, SourceError>;

    /// What to call the place in a message.
    fn place(&self) -> &str;

    /// All of a small file.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let Some((file, size)) = self.open(path)? else {
            return Ok(None);
        };
        let place = || format!("{}: `{path}`", self.place());
        let too_large = || {
            SourceError::refused(
                place(),
                format!("{size} bytes of JSON: at most {LARGEST} are allowed"),
            )
        };
        if size > LARGEST {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
        read.map_err(|error| SourceError::unreachable(place(), error))?;
        if bytes.len() as u64 > LARGEST {
            return Err(too_large());
        }
        Ok(Some(bytes))
    }
}

/// A folder. Links are followed as long as they stay in it.
pub(crate) struct Folder {
    folder: Dir,
    place: String,
}

impl Folder {
    pub(crate) fn open(path: &Path, transport: &str) -> Result<Self, SourceError> {
        let place = format!("{transport}:{}", path.display());
        match Dir::open_ambient_dir(path, ambient_authority()) {
            Ok(folder) => Ok(Self { folder, place }),
            Err(error) => Err(SourceError::unreachable(place, error)),
        }
    }
}

impl Files for Folder {
    fn open(&self, path: &str) -> Result<Option<Opened>, SourceError> {
        let error = |error| SourceError::unreachable(format!("{}: `{path}`", self.place), error);
        // Looked at first: a pipe would keep whoever opens it waiting.
        let metadata = match self.folder.metadata(path) {
            Ok(metadata) => metadata,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(other) => return Err(error(other)),
        };
        if !metadata.is_file() {
            return Err(SourceError::refused(
                format!("{}: `{path}`", self.place),
                "not a regular file",
            ));
        }
        let file = self.folder.open(path).map_err(error)?;
        Ok(Some((Box::new(file.into_std()), metadata.len())))
    }

    fn place(&self) -> &str {
        &self.place
    }
}
