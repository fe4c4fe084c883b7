//! The firmware files of the image.

use std::io;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use kmm_core::worker::Reason;
use kmm_core::worker::firmware::Content;
use kmm_core::worker::firmware::STATE;
use kmm_core::worker::firmware::leads_out;

use crate::failure::Failure;
use crate::run::Run;

use super::content;
use super::failed;

/// The most files of one image.
const MOST_FILES: usize = 20_000;
/// The most folders inside each other.
const DEEPEST: usize = 32;

/// A folder of firmware files, with what each of them holds.
#[derive(Debug)]
pub struct Source {
    /// The folder.
    pub(super) dir: Dir,
    /// Its name, for messages.
    pub(super) name: String,
    /// The files and links below it, in the order of their paths.
    pub(super) files: Vec<(String, Content)>,
}

impl Source {
    /// Reads all of it, and changes nothing.
    ///
    /// # Errors
    ///
    /// When it cannot be read, has a link that leads out of it, or more files than anybody needs.
    pub fn read(run: &Run, folder: &str) -> Result<Self, Failure> {
        let cannot = |error: &io::Error| failed(Reason::FirmwareFolder, "the image's", folder, error);
        let dir =
            Dir::open_ambient_dir(Path::new(folder), ambient_authority()).map_err(|error| cannot(&error))?;
        let mut source = Self {
            dir,
            name: folder.to_owned(),
            files: Vec::new(),
        };
        source.list(run, "", 0)?;
        source.files.sort_by(|(one, _), (other, _)| one.cmp(other));
        let files = source.files.len().to_string();
        run.info(
            "firmware of the image read",
            &[("folder", folder), ("files", &files)],
        );
        Ok(source)
    }

    fn list(&mut self, run: &Run, folder: &str, depth: usize) -> Result<(), Failure> {
        let root = self.name.clone();
        let cannot = |path: &str, error: &dyn std::fmt::Display| {
            failed(
                Reason::FirmwareFolder,
                "the image's",
                &format!("{root}/{path}"),
                error,
            )
        };
        if depth > DEEPEST {
            return Err(cannot(folder, &"folders lie too deep in each other"));
        }
        let place = if folder.is_empty() { "." } else { folder };
        let entries = self.dir.read_dir(place).map_err(|error| cannot(folder, &error))?;
        for entry in entries {
            run.check()?;
            let entry = entry.map_err(|error| cannot(folder, &error))?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(cannot(folder, &"the name of a file is no UTF-8"));
            };
            if folder.is_empty() && name == STATE {
                return Err(cannot(&name, &"the name is the worker's own"));
            }
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            let kind = entry.file_type().map_err(|error| cannot(&path, &error))?;
            if kind.is_dir() {
                self.list(run, &path, depth + 1)?;
                continue;
            }
            if !kind.is_file() && !kind.is_symlink() {
                run.info("left out: neither file, link nor folder", &[("path", &path)]);
                continue;
            }
            if self.files.len() >= MOST_FILES {
                return Err(cannot(&path, &format!("there are more than {MOST_FILES} files")));
            }
            let content = content(&self.dir, &path).map_err(|error| cannot(&path, &error))?;
            if let Content::Link { target } = &content {
                self.check_link(&path, target)?;
            }
            self.files.push((path, content));
        }
        Ok(())
    }

    /// A link must stay inside by its words, and lead to something inside when it is followed.
    fn check_link(&self, path: &str, target: &str) -> Result<(), Failure> {
        let whole = format!("{}/{path}", self.name);
        if leads_out(path, target) {
            let proof = format!(
                "`{whole}` is a link to `{target}`, which leads out of `{}`",
                self.name
            );
            return Err(Failure::new(Reason::FirmwareLink, proof));
        }
        match self.dir.metadata(path) {
            Ok(_) => Ok(()),
            Err(error) => {
                let proof = format!("`{whole}` is a link to `{target}`, which cannot be followed: {error}");
                Err(Failure::new(Reason::FirmwareLink, proof))
            }
        }
    }
}
