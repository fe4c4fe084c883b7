//! The place of a copy: what lies beside it while it is made, and how it is put there.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::worker::Reason;
use rustix::fs::CWD;
use rustix::fs::RenameFlags;

use super::CopyError;

/// A place that may be written.
#[derive(Debug)]
pub(super) struct Place {
    to: PathBuf,
    /// Says that what lies at `to` was put there by a copy. Locked while one runs.
    mark: PathBuf,
    /// What is being written.
    new: PathBuf,
    /// What was there before, where it cannot be exchanged in one step.
    old: PathBuf,
}

/// A place that nobody else writes.
#[derive(Debug)]
pub(super) struct Locked {
    place: Place,
    _lock: File,
}

impl Place {
    /// The place of a path that ends in a name.
    pub(super) fn new(to: &Path) -> Result<Self, CopyError> {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        if to.file_name().is_some_and(|name| name.to_str().is_none()) || name.ends_with(".kmm-copy") {
            return Err(CopyError::new(
                Reason::FileFailed,
                format!("TO is `{}`: this name cannot be used", to.display()),
            ));
        }
        let beside = |end: &str| to.with_file_name(format!(".{name}.kmm-copy{end}"));
        Ok(Self {
            to: to.to_owned(),
            mark: beside(""),
            new: beside(".new"),
            old: beside(".old"),
        })
    }

    /// Takes the place, if what lies there may be replaced.
    pub(super) fn locked(self) -> Result<Locked, CopyError> {
        let failed = |error: &io::Error| CopyError::file("write", &self.mark, error);
        let mut options = fs::OpenOptions::new();
        options.write(true).mode(0o600);
        let lock = match options.open(&self.mark) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.free()? {
                    let proof = format!(
                        "`{}` is there, and was not put there by a copy: it is left as it is",
                        self.to.display()
                    );
                    return Err(CopyError::new(Reason::FileFailed, proof));
                }
                options.create(true).open(&self.mark)
            }
            opened => opened,
        };
        let lock = lock.map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Locked {
                place: self,
                _lock: lock,
            }),
            Err(fs::TryLockError::WouldBlock) => Err(CopyError::new(
                Reason::FileFailed,
                format!("another copy to `{}` runs", self.to.display()),
            )),
            Err(fs::TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// Whether nothing lies there, or a folder with nothing in it.
    fn free(&self) -> Result<bool, CopyError> {
        let failed = |error: &io::Error| CopyError::file("look at", &self.to, error);
        match fs::symlink_metadata(&self.to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(failed(&error)),
            Ok(found) if found.is_dir() => {
                let mut entries = fs::read_dir(&self.to).map_err(|error| failed(&error))?;
                Ok(entries.next().is_none())
            }
            Ok(_) => Ok(false),
        }
    }
}

impl Locked {
    /// Removes what earlier copies left, and says where to write.
    pub(super) fn cleared(&self) -> Result<PathBuf, CopyError> {
        remove(&self.place.new)?;
        remove(&self.place.old)?;
        Ok(self.place.new.clone())
    }

    /// Puts what was written in its place, and removes what was there.
    pub(super) fn put(&self) -> Result<(), CopyError> {
        let Place { to, new, old, .. } = &self.place;
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => CopyError::new(
                Reason::FileFailed,
                format!(
                    "`{}` is a mount point, and cannot be replaced: name a folder in it",
                    to.display()
                ),
            ),
            _ => CopyError::file("write", to, &error),
        };
        if fs::symlink_metadata(to).is_err() {
            return fs::rename(new, to).map_err(failed);
        }
        match rustix::fs::renameat_with(CWD, new, CWD, to, RenameFlags::EXCHANGE) {
            Ok(()) => remove(new),
            // A file system without exchange: for a moment nothing is there.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                fs::rename(to, old).map_err(failed)?;
                fs::rename(new, to).map_err(failed)?;
                remove(old)
            }
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// Removes a tree, also where modes of folders do not allow it; nothing there is fine.
fn remove(path: &Path) -> Result<(), CopyError> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if found.is_dir() => open_up(path).and_then(|()| fs::remove_dir_all(path)),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(|error| CopyError::file("remove", path, &error))
}

fn open_up(root: &Path) -> io::Result<()> {
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}
