//! `kmm-worker copy FROM TO`: brings files of an image into a folder that containers share, without a shell, `cp` or
//! `mkdir`.
//!
//! `TO` becomes what `FROM` is: a folder with all that is in it, or one file. What holds:
//!
//! - `TO` is never half of it. Everything is written beside it first, as `.NAME.kmm-copy.new`, and put in its place in
//!   one step. What an interrupted run left there is removed by the next one.
//! - A second run compares every byte. It changes nothing where `TO` is right, and replaces it where it is not, so it
//!   also mends what a power failure left.
//! - What somebody else put at `TO` stays: it is replaced only where the file `.NAME.kmm-copy` beside it says that it
//!   was put there by this command. An empty folder may go.
//! - Links stay what they are. Those that lead out of `FROM` are refused, but for what images are documented to hold:
//!   links to the modules of the node, which are kept, and `build` and `source`, which are left out. `FROM` itself is no
//!   link, and on the way to it links may only lead down, as `/lib` does to `usr/lib`.
//! - Permissions are kept, without set-user-id and the like. Owners and times are those of the copy.
//! - Anything but folders, files and links is refused.
//!
//! Nothing of an image runs while it is copied, so nobody changes `FROM` in between; a file that changes all the same
//! is an error.

mod links;
mod place;
mod scan;

use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::worker::Reason;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::beneath;
use crate::failure::Failure;

use place::Place;
use scan::Kind;
use scan::Tree;

/// How much is copied between two looks at whether to stop.
const CHUNK: u64 = 8 << 20;

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files, folders and links.
    pub entries: usize,
    /// Bytes in files.
    pub bytes: u64,
    /// Whether anything was written: `false` when it was there already.
    pub changed: bool,
    /// Links to headers that were left out, with what they point to.
    pub left_out: Vec<String>,
}

/// Why nothing was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyError {
    reason: Reason,
    proof: String,
}

impl CopyError {
    fn new(reason: Reason, proof: impl Into<String>) -> Self {
        Self {
            reason,
            proof: proof.into(),
        }
    }

    fn file(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(
            Reason::FileFailed,
            format!("could not {action} `{}`: {error}", path.display()),
        )
    }

    /// The reason for the report.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.proof)
    }
}

impl std::error::Error for CopyError {}

/// Makes `to` what `from` is. `stopped` is asked often; where it says yes, the copy ends and leaves `to` as it was.
///
/// # Errors
///
/// When a path cannot be read or written, something else than this command put what lies at `to`, another copy to it
/// runs, a link leads out of `from`, `from` has more than folders, files and links in it or is too large, or when it was
/// stopped.
pub fn copy(from: &Path, to: &Path, stopped: &dyn Fn() -> bool) -> Result<Copied, CopyError> {
    let from = source(from)?;
    let mut source = scan::tree(&from, stopped)?;
    let left_out = links::check(&mut source, stopped)?;
    let mut copied = Copied {
        entries: source.entries.len(),
        bytes: source.bytes(),
        changed: false,
        left_out,
    };
    let to = target(to, &from)?;
    let place = Place::new(&to)?;
    if same(&source, &to, stopped)? {
        return Ok(copied);
    }
    let place = place.locked()?;
    // Another copy may have ended while the lock was awaited.
    if same(&source, &to, stopped)? {
        return Ok(copied);
    }
    let new = place.cleared()?;
    let written = write(&source, &new, stopped).and_then(|()| place.put());
    if written.is_err() {
        // What stays is removed by the next run.
        let _ = place.cleared();
    }
    written?;
    copied.changed = true;
    Ok(copied)
}

/// What to copy: no link, and none on the way to it that may lead into other files of the container.
fn source(from: &Path) -> Result<PathBuf, CopyError> {
    let (root, inside) = match from.strip_prefix("/") {
        Ok(inside) => (PathBuf::from("/"), inside),
        // The folder that this was started in is nobody's link.
        Err(_) => {
            let here = std::env::current_dir().map_err(|error| CopyError::file("find", from, &error))?;
            (here, from)
        }
    };
    let failed = |failure: Failure| CopyError::new(failure.reason, format!("FROM: {}", failure.proof));
    let (_, above, name) = beneath::above(&root, inside).map_err(failed)?;
    let name = name.ok_or_else(|| {
        CopyError::new(
            Reason::FileFailed,
            "FROM is the whole file system, or the folder that this was started in: name a folder in it",
        )
    })?;
    Ok(above.join(name))
}

/// Where to copy to, with the folder above it made and its links followed.
fn target(to: &Path, from: &Path) -> Result<PathBuf, CopyError> {
    let plain = to.components().all(|part| part != Component::ParentDir);
    let name = to.file_name().filter(|_| plain).ok_or_else(|| {
        CopyError::new(
            Reason::OutsideRoot,
            format!("TO is `{}`: it has to end in a name, without `..`", to.display()),
        )
    })?;
    let above = to
        .parent()
        .filter(|above| !above.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut folders = fs::DirBuilder::new();
    folders.recursive(true).mode(0o755);
    folders
        .create(above)
        .map_err(|error| CopyError::file("make", above, &error))?;
    let above = fs::canonicalize(above).map_err(|error| CopyError::file("find", above, &error))?;
    let to = above.join(name);
    if to.starts_with(from) || from.starts_with(&to) {
        return Err(CopyError::new(
            Reason::FileFailed,
            format!("`{}` and `{}` lie in one another", from.display(), to.display()),
        ));
    }
    Ok(to)
}

/// Whether what lies at `to` is the source, to the last byte.
fn same(source: &Tree, to: &Path, stopped: &dyn Fn() -> bool) -> Result<bool, CopyError> {
    match fs::symlink_metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(CopyError::file("look at", to, &error)),
        Ok(_) => {}
    }
    let Ok(there) = scan::tree(to, stopped) else {
        // Too large, or with things in it that are never copied.
        ended(stopped)?;
        return Ok(false);
    };
    if there.entries != source.entries {
        return Ok(false);
    }
    for (path, kind) in &source.entries {
        ended(stopped)?;
        if matches!(kind, Kind::File { .. }) && !same_bytes(&below(&source.root, path), &below(to, path))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_bytes(one: &Path, other: &Path) -> Result<bool, CopyError> {
    let (mut one, mut other) = (io::BufReader::new(open(one)?), io::BufReader::new(open(other)?));
    let named = |error: &io::Error| CopyError::new(Reason::FileFailed, format!("could not compare: {error}"));
    loop {
        use std::io::BufRead;
        let (left, right) = (
            one.fill_buf().map_err(|error| named(&error))?,
            other.fill_buf().map_err(|error| named(&error))?,
        );
        let length = left.len().min(right.len());
        if length == 0 {
            return Ok(left.len() == right.len());
        }
        if left.get(..length) != right.get(..length) {
            return Ok(false);
        }
        one.consume(length);
        other.consume(length);
    }
}

/// Writes the source to a path where nothing is.
fn write(source: &Tree, new: &Path, stopped: &dyn Fn() -> bool) -> Result<(), CopyError> {
    for (path, kind) in &source.entries {
        ended(stopped)?;
        let (from, to) = (below(&source.root, path), below(new, path));
        let made = match kind {
            // Its own mode comes last: it may not allow to write.
            Kind::Folder { .. } => fs::DirBuilder::new().mode(0o700).create(&to),
            Kind::Link { target } => std::os::unix::fs::symlink(target, &to),
            Kind::File { mode, size } => {
                write_file(&from, &to, *size, stopped)?;
                set_mode(&to, *mode)
            }
        };
        made.map_err(|error| CopyError::file("write", &to, &error))?;
    }
    // Those in a folder before the folder.
    for (path, kind) in source.entries.iter().rev() {
        if let Kind::Folder { mode } = kind {
            let to = below(new, path);
            set_mode(&to, *mode).map_err(|error| CopyError::file("write", &to, &error))?;
        }
    }
    Ok(())
}

fn write_file(from: &Path, to: &Path, size: u64, stopped: &dyn Fn() -> bool) -> Result<(), CopyError> {
    let mut input = open(from)?;
    let output = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to);
    let mut output = output.map_err(|error| CopyError::file("write", to, &error))?;
    let mut done = 0;
    loop {
        ended(stopped)?;
        let copied = io::copy(&mut Read::by_ref(&mut input).take(CHUNK), &mut output);
        let copied = copied.map_err(|error| CopyError::file("copy to", to, &error))?;
        done += copied;
        if copied == 0 || done > size {
            break;
        }
    }
    if done != size {
        return Err(CopyError::new(
            Reason::FileFailed,
            format!("`{}` changed while it was copied", from.display()),
        ));
    }
    Ok(())
}

/// Opens a file for reading; a link there is an error, and so is what would wait.
fn open(path: &Path) -> Result<File, CopyError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let opened = opened.map_err(|error| CopyError::file("read", path, &error.into()))?;
    Ok(File::from(opened))
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// A path in a tree; the empty one is the tree itself.
fn below(root: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        root.to_owned()
    } else {
        root.join(path)
    }
}

fn ended(stopped: &dyn Fn() -> bool) -> Result<(), CopyError> {
    if stopped() {
        return Err(CopyError::new(
            Reason::Interrupted,
            "told to stop while files were copied",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
