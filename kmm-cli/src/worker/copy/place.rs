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
    /// Removes what earlier copies left, and says where to write. What was there before goes back where one of them moved
    /// it away and came no further.
    pub(super) fn cleared(&self) -> Result<PathBuf, CopyError> {
        let Place { to, new, old, .. } = &self.place;
        if fs::symlink_metadata(to).is_err() && fs::symlink_metadata(old).is_ok() {
            fs::rename(old, to).map_err(|error| CopyError::file("put back", to, &error))?;
        }
        remove(new)?;
        remove(old)?;
        Ok(new.clone())
    }

    /// Puts what was written in its place, and removes what was there.
    pub(super) fn put(&self) -> Result<(), CopyError> {
        let Place { to, new, .. } = &self.place;
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
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
                self.put_in_two_steps().map_err(failed)
            }
            Err(error) => Err(failed(error.into())),
        }
    }

    /// On a file system without exchange: for a moment nothing is there. The old one is kept until the new one is in its
    /// place, and goes back where that cannot be.
    fn put_in_two_steps(&self) -> io::Result<()> {
        let Place { to, new, old, .. } = &self.place;
        fs::rename(to, old)?;
        if let Err(error) = fs::rename(new, to) {
            fs::rename(old, to)?;
            return Err(error);
        }
        remove(old).map_err(|error| io::Error::other(error.to_string()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A place with an old file or folder, and a new one beside it.
    fn locked(folder: &Path) -> Locked {
        let to = folder.join("to");
        let locked = Place::new(&to).unwrap().locked().unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(to.join("a"), "old").unwrap();
        fs::create_dir(&locked.place.new).unwrap();
        fs::write(locked.place.new.join("a"), "new").unwrap();
        locked
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn without_exchange() {
        let folder = tempfile::tempdir().unwrap();
        let place = locked(folder.path());
        let text = || fs::read_to_string(folder.path().join("to/a")).unwrap();
        place.put_in_two_steps().unwrap();
        assert_eq!(text(), "new");
        assert_eq!(names(folder.path()), [".to.kmm-copy", "to"]);
        // The new one cannot be moved: the old one is there as before.
        place.put_in_two_steps().unwrap_err();
        assert_eq!(text(), "new");
        assert_eq!(names(folder.path()), [".to.kmm-copy", "to"]);
    }

    /// Killed between the two steps: the next run begins with the old one.
    #[test]
    fn an_old_one_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let place = locked(folder.path());
        let Place { to, new, old, .. } = &place.place;
        fs::rename(to, old).unwrap();
        assert_eq!(place.cleared().as_ref(), Ok(new));
        assert_eq!(fs::read_to_string(to.join("a")).unwrap(), "old");
        assert_eq!(names(folder.path()), [".to.kmm-copy", "to"]);
    }
}
