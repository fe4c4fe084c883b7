//! Whole images, in every form that they come in.

mod forms;
mod hostile;
mod make;
mod overlay;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use kmm_core::image::FileKind;
use kmm_core::image::Tree;
use kmm_core::kmod::PlainOnly;
use tempfile::TempDir;

use self::make::Files;
use crate::ScanError;
use crate::ScanOptions;
use crate::ScannedImage;
use crate::SourceError;
use crate::scan_reference;

/// What a tree shows: kind and size by path.
type Shown = BTreeMap<String, (FileKind2, u64)>;

/// [`FileKind`], in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileKind2 {
    File,
    Directory,
    Symlink,
    Device,
}

fn shown(tree: &Tree) -> Shown {
    tree.walk()
        .filter(|entry| entry.path() != "/")
        .map(|entry| {
            let kind = match entry.kind() {
                FileKind::File => FileKind2::File,
                FileKind::Directory => FileKind2::Directory,
                FileKind::Symlink => FileKind2::Symlink,
                FileKind::Device => FileKind2::Device,
            };
            (
                entry.path(),
                (kind, if kind == FileKind2::File { entry.size() } else { 0 }),
            )
        })
        .collect()
}

/// Scans what a reference names; `PATH` in it is the folder.
fn scan_at(
    folder: &TempDir,
    reference: &str,
    change: impl FnOnce(&mut ScanOptions<'_>),
) -> Result<ScannedImage, ScanError> {
    let mut options = ScanOptions::new(&PlainOnly);
    change(&mut options);
    let reference = reference
        .replace("PATH", folder.path().to_str().unwrap())
        .parse()
        .unwrap();
    scan_reference(&reference, &options, |name| {
        Err(SourceError::refused(name.to_string(), "no registry here"))
    })
}

/// Scans files as a layout in a folder.
fn scan_files(files: &Files, platform: Option<&str>) -> Result<ScannedImage, ScanError> {
    let folder = TempDir::new().unwrap();
    make::write(files, folder.path());
    scan_at(&folder, "oci:PATH", |options| {
        options.platform = platform.map(|text| text.parse().unwrap());
    })
}

/// Scans bytes as a file `a`.
fn scan_archive(bytes: &[u8], reference: &str) -> Result<ScannedImage, ScanError> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a"), bytes).unwrap();
    scan_at(&folder, reference, |_| {})
}

/// An error with its causes, as a command line prints it.
fn chain(error: &ScanError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
