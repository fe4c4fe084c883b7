//! A module tree on disk.

use std::fs;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::depmod::Config;
use kmm_core::depmod::ModuleFacts;
use kmm_core::depmod::ModuleTree;
use kmm_core::kmod::KmodError;

use crate::ObjectError;
use crate::in_parallel;

/// More files and folders than any tree has; links can make a small one endless.
const MOST_FILES: usize = 1 << 20;
/// Bytes of a text such as `modules.order`; that of a complete kernel has 300 KiB.
pub const LARGEST_TEXT: u64 = 64 << 20;

/// `lib/modules/VERSION` on disk, listed once when it is opened.
///
/// Folders are listed in the order in which the file system gives their entries, as `depmod` does: which of two
/// modules of one name counts may depend on it. Links to files and folders are followed, but not back into a folder
/// that is being listed.
#[derive(Clone, Debug)]
pub struct FolderTree {
    root: PathBuf,
    files: Vec<String>,
    /// Files and folders that may still come.
    left: usize,
    /// What could not be listed, with the reason; the rest is there.
    pub complaints: Vec<String>,
}

impl FolderTree {
    /// Lists the folder, and the external folders of the configuration.
    ///
    /// # Errors
    ///
    /// When the folder cannot be listed, or there are more than a million files and folders.
    pub fn open(root: &Path, config: &Config) -> io::Result<Self> {
        Self::open_within(root, config, MOST_FILES)
    }

    fn open_within(root: &Path, config: &Config, left: usize) -> io::Result<Self> {
        let mut tree = Self {
            root: root.to_owned(),
            files: Vec::new(),
            left,
            complaints: Vec::new(),
        };
        tree.list(root, "", config, &mut Vec::new())?;
        for external in config.externals() {
            let folder = Path::new(external);
            // One that is not there is none, as for depmod.
            if folder.is_dir() {
                tree.list(folder, &format!("{external}/"), config, &mut Vec::new())?;
            }
        }
        Ok(tree)
    }

    fn list(
        &mut self,
        folder: &Path,
        prefix: &str,
        config: &Config,
        above: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        above.push(folder.to_owned());
        let depth = above.len();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            self.left = self.left.checked_sub(1).ok_or_else(|| {
                let reason = format!("there are more than {MOST_FILES} files and folders");
                io::Error::new(io::ErrorKind::FileTooLarge, reason)
            })?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.complaints.push(format!(
                    "{}: left out, the name is no UTF-8",
                    entry.path().display()
                ));
                continue;
            };
            if config.skips(name) {
                continue;
            }
            // Through links; one that leads nowhere is no file.
            let kind = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind,
                _ => match fs::metadata(entry.path()) {
                    Ok(data) if data.is_dir() && is_one_of(&data, above) => {
                        self.complaints.push(format!(
                            "{}: a link back into this folder is not followed",
                            entry.path().display()
                        ));
                        continue;
                    }
                    Ok(data) => data.file_type(),
                    Err(_) => continue,
                },
            };
            if kind.is_dir() {
                let below = self.list(&entry.path(), &format!("{prefix}{name}/"), config, above);
                above.truncate(depth);
                match below {
                    Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Err(error),
                    Err(error) => self
                        .complaints
                        .push(format!("{}: {error}", entry.path().display())),
                    Ok(()) => {}
                }
            } else if kind.is_file() {
                self.files.push(format!("{prefix}{name}"));
            }
        }
        Ok(())
    }
}

/// Whether a folder that a link leads to is one of those that are being listed.
fn is_one_of(folder: &fs::Metadata, above: &[PathBuf]) -> bool {
    above.iter().any(|path| {
        fs::metadata(path).is_ok_and(|data| (data.dev(), data.ino()) == (folder.dev(), folder.ino()))
    })
}

impl ModuleTree for FolderTree {
    fn files(&self, _: &Config) -> Vec<String> {
        self.files.clone()
    }

    fn facts(&self, paths: &[&str]) -> Vec<Result<ModuleFacts, KmodError>> {
        in_parallel(paths, |path, reader| {
            let read = reader.read(&self.root.join(path), ModuleFacts::read_from);
            read.map_err(|error| match error {
                ObjectError::Object(error) => error,
                ObjectError::Io(error) => KmodError::Unreadable {
                    reason: error.to_string(),
                },
            })
        })
    }

    fn text(&self, name: &str) -> Option<Vec<u8>> {
        text(&self.root.join(name)).ok()
    }
}

/// A text of a module tree, such as `modules.dep`. The tree may be out of an image: a pipe or a device in its place would
/// be read for ever.
///
/// # Errors
///
/// When it cannot be read, is no regular file, or has more than [`LARGEST_TEXT`] bytes.
pub fn text(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    bounded(path)
}

/// A text that may come from a pipe as well.
pub(crate) fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(LARGEST_TEXT + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_TEXT {
        let reason = format!("more than {} MiB", LARGEST_TEXT >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use kmm_core::depmod::Index;
    use kmm_core::depmod::Options;

    use super::*;

    fn listed(root: &Path, config: &Config) -> (Vec<String>, usize) {
        let tree = FolderTree::open(root, config).unwrap();
        let mut files = tree.files.clone();
        files.sort();
        (files, tree.complaints.len())
    }

    #[test]
    fn links_are_followed_but_not_round_in_circles() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("kernel/fs")).unwrap();
        fs::create_dir(root.join("build")).unwrap();
        for name in ["kernel/fs/a.ko", "build/b.ko"] {
            fs::write(root.join(name), "").unwrap();
        }
        symlink("fs/a.ko", root.join("kernel/l.ko")).unwrap();
        symlink("fs", root.join("kernel/same")).unwrap();
        symlink("..", root.join("kernel/round")).unwrap();
        symlink("nowhere", root.join("kernel/gone.ko")).unwrap();
        let expected = ["kernel/fs/a.ko", "kernel/l.ko", "kernel/same/a.ko"].map(str::to_owned);
        assert_eq!(listed(root, &Config::default()), (expected.to_vec(), 1));
    }

    /// Every folder has links to all others: the ways through them are without number, and none leads to a file.
    #[test]
    fn folders_that_lead_to_each_other_come_to_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let names: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        for name in &names {
            fs::create_dir(root.join(name)).unwrap();
            for other in names.iter().filter(|other| *other != name) {
                symlink(format!("../{other}"), root.join(name).join(other)).unwrap();
            }
        }
        let error = FolderTree::open_within(root, &Config::default(), 10_000).unwrap_err();
        assert_eq!(error.to_string(), "there are more than 1048576 files and folders");
    }

    #[test]
    fn a_text_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/dev/zero", folder.path().join("modules.order")).unwrap();
        let tree = FolderTree::open(folder.path(), &Config::default()).unwrap();
        assert_eq!(tree.text("modules.order"), None);
        assert_eq!(tree.text("modules.builtin"), None);
        fs::write(folder.path().join("modules.builtin"), "kernel/a.ko\n").unwrap();
        assert_eq!(
            tree.text("modules.builtin").as_deref(),
            Some(&b"kernel/a.ko\n"[..])
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_a_bad_module_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(FolderTree::open(&folder.path().join("none"), &Config::default()).is_err());
        fs::write(folder.path().join("a.ko"), "no module").unwrap();
        let tree = FolderTree::open(folder.path(), &Config::default()).unwrap();
        let index = Index::build(&tree, &Config::default(), &Options::default()).unwrap();
        assert_eq!((index.len(), index.findings().len()), (1, 1));
    }
}
