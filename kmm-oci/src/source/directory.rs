//! A plain folder that is the root of an image's files.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cap_std::fs::DirEntry;
use cap_std::fs::PermissionsExt;
use kmm_core::image::Header;
use kmm_core::image::Kind;
use kmm_core::image::LayerReader;
use kmm_core::image::Tree;
use kmm_core::image::Want;

use crate::layer::LayerFault;
use crate::scan::ScanError;
use crate::scan::ScanOptions;
use crate::scan::ScannedImage;
use crate::source::SourceError;

/// Reads a folder as the one layer of an image. Links are told as they are, and none is followed.
pub(crate) fn scan_directory(path: &Path, options: &ScanOptions<'_>) -> Result<ScannedImage, ScanError> {
    let root = Dir::open_ambient_dir(path, ambient_authority())
        .map_err(|error| SourceError::unreachable(format!("dir:{}", path.display()), error))?;
    let mut layer = LayerReader::new(&options.limits.image);
    if let Some(verifier) = &options.verifier {
        layer = layer.verify_with(Arc::clone(verifier));
    }
    let mut walk = Walk {
        base: path,
        root: &root,
        layer: &mut layer,
        options,
    };
    let mut folders = vec![PathBuf::from(".")];
    while let Some(folder) = folders.pop() {
        walk.folder(&folder, &mut folders)?;
    }
    let tree = Tree::merge(vec![layer.finish()], &options.limits.image)?;
    Ok(ScannedImage {
        digest: None,
        platform: None,
        config: None,
        layers: Vec::new(),
        tree,
    })
}

struct Walk<'a> {
    base: &'a Path,
    root: &'a Dir,
    layer: &'a mut LayerReader,
    options: &'a ScanOptions<'a>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path, folders: &mut Vec<PathBuf>) -> Result<(), ScanError> {
        let entries = self
            .root
            .read_dir(folder)
            .map_err(|error| self.unreadable(folder, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| self.unreadable(folder, error))?;
            let path = folder.join(entry.file_name());
            if self.entry(&entry, &path)? {
                folders.push(path);
            }
        }
        Ok(())
    }

    /// Tells one file; true if it is a folder.
    fn entry(&mut self, entry: &DirEntry, path: &Path) -> Result<bool, ScanError> {
        let metadata = entry.metadata().map_err(|error| self.unreadable(path, error))?;
        let target;
        let kind = if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_symlink() {
            target = self
                .root
                .read_link_contents(path)
                .map_err(|error| self.unreadable(path, error))?;
            Kind::Symlink(target.as_os_str().as_bytes())
        } else if metadata.is_file() {
            Kind::File
        } else {
            Kind::Device
        };
        let size = if metadata.is_file() { metadata.len() } else { 0 };
        let mode = metadata.permissions().mode();
        let header = Header {
            path: path.as_os_str().as_bytes(),
            kind,
            size,
            mode,
        };
        let want = self
            .layer
            .entry(header)
            .map_err(|error| self.refused(&LayerFault::from(error)))?;
        if want == Want::Content {
            let mut bytes = Vec::new();
            let file = entry.open().map_err(|error| self.unreadable(path, error))?;
            // A file that grows meanwhile is read as far as it was.
            let read = file.take(size).read_to_end(&mut bytes);
            read.map_err(|error| self.unreadable(path, error))?;
            self.layer.content(&bytes, self.options.decompress);
        }
        Ok(metadata.is_dir())
    }

    fn unreadable(&self, path: &Path, error: std::io::Error) -> ScanError {
        let path = path.strip_prefix(".").unwrap_or(path);
        SourceError::unreachable(
            format!("dir:{}: `{}`", self.base.display(), path.display()),
            error,
        )
        .into()
    }

    fn refused(&self, fault: &LayerFault) -> ScanError {
        SourceError::refused(format!("dir:{}", self.base.display()), fault.to_string()).into()
    }
}
