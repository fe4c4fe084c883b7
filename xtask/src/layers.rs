//! Images as the real tools make them, in every form, read by us and unpacked by umoci: the same files must come out.

mod make;
mod speed;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::image::FileKind;
use kmm_core::image::Tree;
use kmm_files::Decompressors;
use kmm_oci::ScanOptions;
use kmm_oci::ScannedImage;
use kmm_oci::SourceError;

pub(crate) use make::Images;
pub(crate) use make::Source;
pub(crate) use make::install;
pub(crate) use make::set_up;
pub(crate) use make::shell;
pub(crate) use speed::READ;
pub(crate) use speed::largest;
pub(crate) use speed::leftovers;
pub(crate) use speed::measure;
pub(crate) use speed::read;

/// Kind, size and target of each file by its path.
type Files = BTreeMap<Vec<u8>, String>;

/// Compares every form of the image with what umoci unpacked, and the other architectures by their own folder.
pub(crate) fn compare(images: &Images) -> Result<()> {
    for image in &images.forms {
        let scanned = scan(&image.reference, image.platform)?;
        let files = same_files(&image.reference, &image.unpacked, &scanned.tree)?;
        let layers = scanned.layers.len();
        println!(
            "{}: {files} files in {layers} layers, as umoci unpacks them",
            image.reference
        );
    }
    Ok(())
}

/// Compares an image with the folder into which umoci unpacked it; gives the number of files.
pub(crate) fn same_files(reference: &str, unpacked: &Path, tree: &Tree) -> Result<usize> {
    let expected = on_disk(unpacked)?;
    same(reference, &expected, &in_tree(tree))?;
    Ok(expected.len())
}

fn scan(reference: &str, platform: Option<&str>) -> Result<ScannedImage> {
    let mut options = ScanOptions::new(&Decompressors);
    options.platform = platform.map(str::parse).transpose()?;
    let none = |name: &kmm_oci::ImageName| {
        Err(SourceError::Refused {
            place: name.to_string(),
            reason: "no registry is asked".to_owned(),
        })
    };
    kmm_oci::scan_reference(&reference.parse()?, &options, none).with_context(|| reference.to_owned())
}

fn in_tree(tree: &Tree) -> Files {
    let mut files = Files::new();
    for entry in tree.walk() {
        let path = entry.path_bytes();
        let path = path.strip_prefix(b"/").unwrap_or(&path).to_vec();
        if path.is_empty() {
            continue;
        }
        let mode = entry.mode() & 0o777;
        let shown = match entry.kind() {
            FileKind::File => format!("file of {} bytes, {mode:o}", entry.size()),
            FileKind::Directory => format!("folder, {mode:o}"),
            FileKind::Symlink => format!("link to {}", entry.target().unwrap_or_default().escape_ascii()),
            FileKind::Device => format!("device or pipe, {mode:o}"),
        };
        files.insert(path, shown);
    }
    files
}

fn on_disk(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let path = entry.path();
            let metadata = entry.metadata()?;
            let mode = metadata.mode() & 0o777;
            let shown = if metadata.is_symlink() {
                format!(
                    "link to {}",
                    fs::read_link(&path)?.as_os_str().as_bytes().escape_ascii()
                )
            } else if metadata.is_dir() {
                format!("folder, {mode:o}")
            } else if metadata.is_file() {
                format!("file of {} bytes, {mode:o}", metadata.len())
            } else {
                format!("device or pipe, {mode:o}")
            };
            files.insert(path.strip_prefix(root)?.as_os_str().as_bytes().to_vec(), shown);
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(files)
}

fn same(reference: &str, expected: &Files, found: &Files) -> Result<()> {
    let paths: std::collections::BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let none = "nothing".to_owned();
    let differences: Vec<String> = paths
        .into_iter()
        .filter(|path| expected.get(*path) != found.get(*path))
        .map(|path| {
            let (real, own) = (
                expected.get(path).unwrap_or(&none),
                found.get(path).unwrap_or(&none),
            );
            format!("`{}`: unpacked {real}, ours {own}", path.escape_ascii())
        })
        .collect();
    if differences.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = differences.iter().take(20).map(String::as_str).collect();
    bail!(
        "{reference}: {} files differ:\n{}",
        differences.len(),
        shown.join("\n")
    )
}
