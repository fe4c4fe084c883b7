//! The firmware folder of the host.

use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use kmm_core::worker::Reason;
use kmm_core::worker::firmware::Content;
use kmm_core::worker::firmware::Ledger;
use kmm_core::worker::firmware::Put;
use kmm_core::worker::firmware::Removal;
use rustix::fs::Access;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::failure::Failure;
use crate::run::Run;

use super::content;
use super::failed;
use super::source::Source;
use super::state::State;
use super::state::absent;

/// How long is waited for another worker.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether it is done.
const LOOK: Duration = Duration::from_millis(20);

/// The firmware folder of the host.
#[derive(Debug)]
pub struct Folder {
    dir: Dir,
    name: String,
}

/// A file to write: its path, where it comes from, and what it holds.
struct Write<'a> {
    path: &'a str,
    content: &'a Content,
}

impl Folder {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// When it is not there, or is no folder.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.to_string_lossy().into_owned();
        let dir = Dir::open_ambient_dir(path, ambient_authority())
            .map_err(|error| failed(Reason::FirmwareFolder, "the host's", &name, &error))?;
        Ok(Self { dir, name })
    }

    /// Whether files can be put into it.
    ///
    /// # Errors
    ///
    /// When they cannot: it is read-only, or the user may not.
    pub fn check_writable(&self) -> Result<(), Failure> {
        rustix::fs::accessat(
            &self.dir,
            ".",
            Access::WRITE_OK | Access::EXEC_OK,
            AtFlags::EACCESS,
        )
        .map_err(|error| self.cannot("the host's", "", &error))
    }

    /// Puts the files of a source for a module, and takes away what it had there before and has no more.
    ///
    /// # Errors
    ///
    /// When a file cannot be kept or put, or the run is to stop. Then every file is the old one or the new one, and the
    /// next run goes on from there.
    pub fn put(&self, run: &mut Run, owner: &str, source: &Source) -> Result<(), Failure> {
        let _lock = self.lock(run)?;
        let state = State::make(&self.dir).map_err(|error| self.cannot("the host's", "", &error))?;
        let mut ledger = state.ledger()?;
        let sweep = |ledger: &Ledger| {
            state
                .sweep(ledger)
                .map_err(|error| self.cannot("could not tidy", "", &error))
        };
        sweep(&ledger)?;
        let mut writes = Vec::new();
        let mut kept = 0;
        for (path, content) in &source.files {
            run.check()?;
            self.folders_above(path, &mut ledger)?;
            State::tidy_beside(&self.dir, path)
                .map_err(|error| self.cannot("could not tidy beside", path, &error))?;
            let plan = self.plan(run, &mut ledger, &state, path, owner, content)?;
            kept += usize::from(plan.keep.is_some());
            if plan.changed {
                let proof = format!(
                    "`{}/{path}` was changed by somebody else, and is put again",
                    self.name
                );
                run.warn(Reason::FirmwareChanged, &proof);
            }
            if plan.write {
                writes.push(Write { path, content });
            }
        }
        let old: Vec<String> = ledger
            .paths_of(owner)
            .into_iter()
            .filter(|path| !source.files.iter().any(|(other, _)| other == path))
            .collect();
        run.check()?;
        state
            .write(&ledger)
            .map_err(|error| self.cannot("could not write the ledger of", "", &error))?;
        for folder in &ledger.folders {
            match self.dir.create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.cannot("could not make", folder, &error));
                }
                _ => {}
            }
        }
        for write in &writes {
            run.check()?;
            let goes_on = || run.check().is_ok();
            let put = match write.content {
                Content::Link { target } => state.put_link(target, &self.dir, write.path),
                Content::File { .. } | Content::Absent => {
                    state.put_file(&source.dir, write.content, &self.dir, write.path, &goes_on)
                }
            };
            put.map_err(|error| self.ended(run, "could not put", write.path, &error))?;
            run.info("put", &[("file", &format!("{}/{}", self.name, write.path))]);
        }
        self.remove_all(run, &state, &mut ledger, owner, &old)?;
        sweep(&ledger)?;
        let counts = [source.files.len(), writes.len(), kept].map(|count| count.to_string());
        run.info(
            "firmware is in its place",
            &[
                ("files", &counts[0]),
                ("written", &counts[1]),
                ("kept", &counts[2]),
            ],
        );
        Ok(())
    }

    /// Takes away what a module put, and puts back what it covered.
    ///
    /// # Errors
    ///
    /// When a file cannot be removed or put back, or the run is to stop; the next run goes on from there.
    pub fn take_away(&self, run: &mut Run, owner: &str) -> Result<(), Failure> {
        let _lock = self.lock(run)?;
        let Some(state) = State::open(&self.dir).map_err(|error| self.cannot("the host's", "", &error))?
        else {
            run.info("no firmware was put", &[("folder", &self.name)]);
            return Ok(());
        };
        let mut ledger = state.ledger()?;
        let paths = ledger.paths_of(owner);
        self.remove_all(run, &state, &mut ledger, owner, &paths)?;
        let tidy = |error: io::Error| self.cannot("could not tidy", "", &error);
        state.sweep(&ledger).map_err(tidy)?;
        if ledger.is_empty() {
            state.remove(&self.dir).map_err(tidy)?;
        }
        run.info("firmware is taken away", &[("files", &paths.len().to_string())]);
        Ok(())
    }

    /// Takes paths of a module away, then writes the ledger: what it says of a file that is gone already is found out.
    fn remove_all(
        &self,
        run: &mut Run,
        state: &State,
        ledger: &mut Ledger,
        owner: &str,
        paths: &[String],
    ) -> Result<(), Failure> {
        for path in paths {
            run.check()?;
            State::tidy_beside(&self.dir, path)
                .map_err(|error| self.cannot("could not tidy beside", path, &error))?;
            let on_disk = self.content(run, path)?;
            let removal = ledger.remove(path, owner, &on_disk);
            let done = match &removal {
                Removal::Nothing => Ok(()),
                Removal::Delete => self.dir.remove_file(path).or_else(absent),
                Removal::Restore(number) => state.restore(*number, &self.dir, path),
                Removal::RestoreLink(target) => state.put_link(target, &self.dir, path),
                Removal::Leave => {
                    let proof = format!("`{}/{path}` was changed by somebody else, and is left", self.name);
                    run.warn(Reason::FirmwareChanged, &proof);
                    Ok(())
                }
            };
            done.map_err(|error| self.cannot("could not take away", path, &error))?;
            let what = match removal {
                Removal::Nothing => "left: it is what belongs there",
                Removal::Delete => "removed",
                Removal::Restore(_) | Removal::RestoreLink(_) => "put back",
                Removal::Leave => continue,
            };
            run.info(what, &[("file", &format!("{}/{path}", self.name))]);
        }
        for folder in ledger.idle_folders() {
            match self.dir.remove_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
                other => other
                    .or_else(absent)
                    .map_err(|error| self.cannot("could not remove", &folder, &error))?,
            }
            ledger.folders.remove(&folder);
        }
        state
            .write(ledger)
            .map_err(|error| self.cannot("could not write the ledger of", "", &error))
    }

    /// What to do for one file; what lies there is kept at once.
    fn plan(
        &self,
        run: &Run,
        ledger: &mut Ledger,
        state: &State,
        path: &str,
        owner: &str,
        content: &Content,
    ) -> Result<Put, Failure> {
        let on_disk = self.content(run, path)?;
        let plan = ledger.put(path, owner, content.clone(), &on_disk);
        if let Some(number) = plan.keep {
            state
                .keep(&self.dir, path, number, &|| run.check().is_ok())
                .map_err(|error| self.ended(run, "could not keep", path, &error))?;
        }
        Ok(plan)
    }

    /// Puts the folders above a path that are not there into the ledger.
    fn folders_above(&self, path: &str, ledger: &mut Ledger) -> Result<(), Failure> {
        for (at, _) in path.match_indices('/') {
            let folder = path.get(..at).unwrap_or_default();
            if ledger.folders.contains(folder) {
                continue;
            }
            match self.dir.metadata(folder) {
                Ok(data) if data.is_dir() => {}
                Ok(_) => return Err(self.cannot("the host's", folder, &"it is no folder")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    ledger.folders.insert(folder.to_owned());
                }
                Err(error) => return Err(self.cannot("the host's", folder, &error)),
            }
        }
        Ok(())
    }

    fn content(&self, run: &Run, path: &str) -> Result<Content, Failure> {
        content(&self.dir, path, &|| run.check().is_ok())
            .map_err(|error| self.ended(run, "the host's", path, &error))
    }

    /// Waits until no other worker is at it; the file that is returned holds others off as long as it is open.
    fn lock(&self, run: &Run) -> Result<File, Failure> {
        let cannot = |error: &dyn std::fmt::Display| self.cannot("could not lock", "", error);
        // The folder itself is open for finding things only.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(&self.dir, ".", flags, Mode::empty()).map_err(|error| cannot(&error))?;
        let file = File::from(file);
        let begin = Instant::now();
        let mut said = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(cannot(&error)),
                Err(TryLockError::WouldBlock) if begin.elapsed() > PATIENCE => {
                    return Err(cannot(&"another worker holds it"));
                }
                Err(TryLockError::WouldBlock) => {
                    if !said {
                        run.info("waiting for another worker", &[("folder", &self.name)]);
                        said = true;
                    }
                    run.check()?;
                    std::thread::sleep(LOOK);
                }
            }
        }
    }

    /// The same for what ends early where the run is to stop.
    fn ended(&self, run: &Run, what: &str, path: &str, error: &io::Error) -> Failure {
        match run.stopped() {
            Some(stopped) if error.kind() == io::ErrorKind::Interrupted => stopped,
            _ => self.cannot(what, path, error),
        }
    }

    fn cannot(&self, what: &str, path: &str, error: &dyn std::fmt::Display) -> Failure {
        let whole = if path.is_empty() {
            self.name.clone()
        } else {
            format!("{}/{path}", self.name)
        };
        failed(Reason::FirmwareFolder, what, &whole, error)
    }
}
