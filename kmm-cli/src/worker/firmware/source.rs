//! The firmware files of the image.

use std::io;
use std::path::Path;

use cap_std::fs::Dir;
use cap_std::fs::MetadataExt;
use kmm_core::worker::Reason;
use kmm_core::worker::firmware::Content;
use kmm_core::worker::firmware::STATE;
use kmm_core::worker::firmware::leads_out;

use crate::beneath;
use crate::failure::Failure;
use crate::run::Run;

use super::content;
use super::failed;

/// The most files, links and folders of one image: all firmware that there is for Linux has a quarter of them.
const MOST_FILES: usize = 20_000;
/// The most bytes in files: all firmware that there is for Linux has less than a half of them.
const MOST_BYTES: u64 = 4 << 30;
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

/// What is found in the folder.
#[derive(Debug, Default)]
struct Found {
    /// Files and links.
    paths: Vec<String>,
    /// How many they are, with the folders.
    entries: usize,
    /// Bytes in files.
    bytes: u64,
}

impl Source {
    /// Reads all of it, and changes nothing.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is a link, has a link that leads out of it, or anything else than files, links and folders,
    /// or more of them than anybody needs.
    pub fn read(run: &Run, root: &Path, folder: &str) -> Result<Self, Failure> {
        let inside = Path::new(folder).strip_prefix(root).unwrap_or(Path::new(folder));
        let (dir, _) = beneath::folder(root, inside).map_err(|failure| {
            let reason = match failure.reason {
                Reason::LinkOutside => Reason::FirmwareLink,
                _ => Reason::FirmwareFolder,
            };
            Failure::new(reason, format!("the image's {}", failure.proof))
        })?;
        let mut source = Self {
            dir,
            name: folder.to_owned(),
            files: Vec::new(),
        };
        // Nothing is read before all of it is known to be few enough and small enough.
        let mut found = Found::default();
        source.list(run, "", 0, &mut found)?;
        found.paths.sort();
        for path in found.paths {
            let content = source.content(run, &path)?;
            source.files.push((path, content));
        }
        let files = source.files.len().to_string();
        run.info(
            "firmware of the image read",
            &[("folder", folder), ("files", &files)],
        );
        Ok(source)
    }

    fn list(&self, run: &Run, folder: &str, depth: usize, found: &mut Found) -> Result<(), Failure> {
        let cannot = |path: &str, error: &dyn std::fmt::Display| self.cannot(path, error);
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
            found.entries += 1;
            if found.entries > MOST_FILES {
                return Err(cannot(
                    &path,
                    &format!("there are more than {MOST_FILES} files, links and folders"),
                ));
            }
            let data = self
                .dir
                .symlink_metadata(&path)
                .map_err(|error| cannot(&path, &error))?;
            if data.is_dir() {
                self.list(run, &path, depth + 1, found)?;
                continue;
            }
            if !data.is_file() && !data.is_symlink() {
                let what = beneath::kind(data.mode());
                let proof = format!(
                    "the image's `{}/{path}` is {what}: files, links and folders are copied",
                    self.name
                );
                return Err(Failure::new(Reason::SpecialFile, proof));
            }
            if data.is_file() {
                found.bytes = found.bytes.saturating_add(data.len());
            }
            if found.bytes > MOST_BYTES {
                return Err(cannot(
                    &path,
                    &format!(
                        "with it there are {} bytes, and at most {MOST_BYTES} are copied",
                        found.bytes
                    ),
                ));
            }
            found.paths.push(path);
        }
        Ok(())
    }

    /// What a file or link is.
    fn content(&self, run: &Run, path: &str) -> Result<Content, Failure> {
        run.check()?;
        let content = content(&self.dir, path, &|| run.check().is_ok()).map_err(|error| {
            let stopped = run
                .stopped()
                .filter(|_| error.kind() == io::ErrorKind::Interrupted);
            stopped.unwrap_or_else(|| self.cannot(path, &error))
        })?;
        if let Content::Link { target } = &content {
            self.check_link(path, target)?;
        }
        Ok(content)
    }

    fn cannot(&self, path: &str, error: &dyn std::fmt::Display) -> Failure {
        failed(
            Reason::FirmwareFolder,
            "the image's",
            &format!("{}/{path}", self.name),
            error,
        )
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
