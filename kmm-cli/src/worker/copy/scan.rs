//! What is in a tree, with nothing followed.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::worker::Reason;

use super::CopyError;
use super::below;
use super::ended;

/// The most files, folders and links: a whole kernel with its firmware has a tenth of them.
const ENTRIES: usize = 100_000;
/// The most bytes in files.
const BYTES: u64 = 16 << 30;
/// The most folders in one another.
const DEPTH: usize = 64;

/// One thing in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder { mode: u32 },
    File { mode: u32, size: u64 },
    Link { target: PathBuf },
}

/// A tree: a folder with all that is in it, or one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) root: PathBuf,
    /// Paths from the root on, in the order of their names, folders before what is in them. The root's own is empty.
    pub(super) entries: Vec<(PathBuf, Kind)>,
}

impl Tree {
    pub(super) fn bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(|(_, kind)| match kind {
                Kind::File { size, .. } => *size,
                Kind::Folder { .. } | Kind::Link { .. } => 0,
            })
            .fold(0, u64::saturating_add)
    }
}

/// Reads what is in a tree.
pub(super) fn tree(root: &Path, stopped: &dyn Fn() -> bool) -> Result<Tree, CopyError> {
    let mut tree = Tree {
        root: root.to_owned(),
        entries: Vec::new(),
    };
    let mut bytes = 0u64;
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        ended(stopped)?;
        let full = below(root, &path);
        let kind = look(&full)?;
        match &kind {
            Kind::Folder { .. } if path.components().count() >= DEPTH => {
                return Err(too_large(
                    root,
                    &format!("more than {DEPTH} folders in one another"),
                ));
            }
            Kind::Folder { .. } => {
                let names = names(&full, ENTRIES - tree.entries.len().min(ENTRIES))?;
                // The last one is looked at next.
                open.extend(names.iter().rev().map(|name| path.join(name)));
            }
            Kind::File { size, .. } => bytes = bytes.saturating_add(*size),
            Kind::Link { .. } => {}
        }
        tree.entries.push((path, kind));
        if tree.entries.len() + open.len() > ENTRIES {
            return Err(too_large(root, &format!("more than {ENTRIES} files")));
        }
        if bytes > BYTES {
            return Err(too_large(root, &format!("more than {} GiB", BYTES >> 30)));
        }
    }
    Ok(tree)
}

fn look(path: &Path) -> Result<Kind, CopyError> {
    let failed = |error| CopyError::file("look at", path, &error);
    let found = fs::symlink_metadata(path).map_err(failed)?;
    let mode = found.permissions().mode() & 0o777;
    let kind = found.file_type();
    if kind.is_dir() {
        return Ok(Kind::Folder { mode });
    }
    if kind.is_file() {
        let size = found.len();
        return Ok(Kind::File { mode, size });
    }
    if kind.is_symlink() {
        let target = fs::read_link(path).map_err(failed)?;
        return Ok(Kind::Link { target });
    }
    let what = match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    let proof = format!(
        "`{}` is {what}: folders, files and links are copied",
        path.display()
    );
    Err(CopyError::new(Reason::SpecialFile, proof))
}

/// The names in a folder, sorted; one more than `most` at the most.
fn names(folder: &Path, most: usize) -> Result<Vec<PathBuf>, CopyError> {
    let failed = |error| CopyError::file("read", folder, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)?.take(most + 1) {
        names.push(PathBuf::from(entry.map_err(failed)?.file_name()));
    }
    names.sort();
    Ok(names)
}

fn too_large(root: &Path, what: &str) -> CopyError {
    CopyError::new(
        Reason::FileFailed,
        format!("`{}` has {what} in it", root.display()),
    )
}
