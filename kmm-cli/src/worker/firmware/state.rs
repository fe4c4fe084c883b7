//! The ledger and what is kept, in a folder of their own beside the files.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;

use cap_std::fs::Dir;
use cap_std::fs::DirBuilder;
use cap_std::fs::DirBuilderExt;
use cap_std::fs::OpenOptions;
use cap_std::fs::OpenOptionsExt;
use cap_std::fs::Permissions;
use cap_std::fs::PermissionsExt;
use kmm_core::worker::Reason;
use kmm_core::worker::firmware::Content;
use kmm_core::worker::firmware::Ledger;
use kmm_core::worker::firmware::STATE;

use crate::beneath;
use crate::failure::Failure;

use super::PIECE;
use super::content;

const LEDGER: &str = "ledger.json";
/// The name under which a file is written before it gets its own.
const NEW: &str = "new";
/// The same beside a path on another file system.
const BESIDE: &str = ".kmm-worker.new";
/// The most bytes of a ledger.
const LARGEST: u64 = 64 << 20;

/// The folder of the ledger.
#[derive(Debug)]
pub(super) struct State {
    dir: Dir,
}

impl State {
    /// Opens it; `None` where there is none.
    pub(super) fn open(folder: &Dir) -> io::Result<Option<Self>> {
        match folder.open_dir(STATE) {
            Ok(dir) => Ok(Some(Self { dir })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens it, and makes it where there is none.
    pub(super) fn make(folder: &Dir) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        match folder.create_dir_with(STATE, &builder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let dir = folder.open_dir(STATE)?;
        Ok(Self { dir })
    }

    /// Reads the ledger; one that is not there is empty.
    pub(super) fn ledger(&self) -> Result<Ledger, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            let proof = format!("`{STATE}/{LEDGER}` in the firmware folder of the host: {error}");
            Failure::new(Reason::FirmwareFolder, proof)
        };
        let mut bytes = Vec::new();
        match beneath::plain_in(&self.dir, LEDGER) {
            Ok(file) => file
                .take(LARGEST + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| failed(&error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ledger::default()),
            Err(error) => return Err(failed(&error)),
        };
        if bytes.len() as u64 > LARGEST {
            return Err(failed(&format!("it has more than {LARGEST} bytes")));
        }
        let ledger: Ledger = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
        if ledger.version > 1 {
            let reason = format!("its version is {}, this worker knows 1", ledger.version);
            return Err(failed(&reason));
        }
        Ok(ledger)
    }

    /// Writes the ledger: the old one or the new one is there, never half of one.
    pub(super) fn write(&self, ledger: &Ledger) -> io::Result<()> {
        let mut ledger = ledger.clone();
        ledger.version = 1;
        let bytes = serde_json::to_vec(&ledger)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!(
                "it would have more than {LARGEST} bytes"
            )));
        }
        let mut file = self.create(0o600)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        self.dir.rename(NEW, &self.dir, LEDGER)
    }

    /// Removes what no ledger speaks of: an interrupted run left it.
    pub(super) fn sweep(&self, ledger: &Ledger) -> io::Result<()> {
        let kept = ledger.kept();
        for entry in self.dir.entries()? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
            if name != LEDGER && number.is_none_or(|number| !kept.contains(&number)) {
                self.dir.remove_file(&name)?;
            }
        }
        Ok(())
    }

    /// Removes the folder, where nothing is left to remember.
    pub(super) fn remove(self, folder: &Dir) -> io::Result<()> {
        self.dir.remove_file(LEDGER).or_else(absent)?;
        folder.remove_dir(STATE)
    }

    /// Keeps what lies at a path under a number: as a second name of the file where that can be, else as a copy.
    pub(super) fn keep(
        &self,
        folder: &Dir,
        path: &str,
        number: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let name = number.to_string();
        self.dir.remove_file(&name).or_else(absent)?;
        if folder.hard_link(path, &self.dir, &name).is_ok() {
            return Ok(());
        }
        self.keep_copy(folder, path, &name, goes_on)
    }

    /// Not every file system has second names, and none has them for files of another one.
    fn keep_copy(&self, folder: &Dir, path: &str, name: &str, goes_on: &dyn Fn() -> bool) -> io::Result<()> {
        let Content::File { mode, .. } = content(folder, path, goes_on)? else {
            return Err(io::Error::other("it changed meanwhile"));
        };
        self.copy(folder, path, mode, goes_on)?;
        self.dir.rename(NEW, &self.dir, name)
    }

    /// Puts what is kept back to its path.
    pub(super) fn restore(&self, number: u64, folder: &Dir, path: &str) -> io::Result<()> {
        self.place(&number.to_string(), folder, path)
    }

    /// Removes what an interrupted [`Self::place`] may have left beside a path.
    pub(super) fn tidy_beside(folder: &Dir, path: &str) -> io::Result<()> {
        match folder.remove_file(beside(path)) {
            // Whoever looks at the path itself says what is wrong with it.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(()),
            other => other.or_else(absent),
        }
    }

    /// Moves one of its own files to a path, in one step; a folder below the firmware folder may be a mount of its own.
    fn place(&self, name: &str, folder: &Dir, path: &str) -> io::Result<()> {
        match self.dir.rename(name, folder, path) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                self.place_copy(name, folder, path)
            }
            other => other,
        }
    }

    fn place_copy(&self, name: &str, folder: &Dir, path: &str) -> io::Result<()> {
        let beside = beside(path);
        folder.remove_file(&beside).or_else(absent)?;
        let data = self.dir.symlink_metadata(name)?;
        if data.is_symlink() {
            folder.symlink_contents(self.dir.read_link_contents(name)?, &beside)?;
        } else {
            let output = create(folder, &beside, 0o600)?;
            copy(
                beneath::plain_in(&self.dir, name)?,
                output,
                data.permissions(),
                &|| true,
            )?;
        }
        folder.rename(&beside, folder, path)?;
        self.dir.remove_file(name)
    }

    /// Puts a copy of a file to a path, in one step. The copy ends with `Interrupted` where `goes_on` says no.
    pub(super) fn put_file(
        &self,
        from: &Dir,
        wanted: &Content,
        folder: &Dir,
        path: &str,
        goes_on: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let Content::File { mode, .. } = wanted else {
            return Err(io::Error::other("it is no file"));
        };
        self.copy(from, path, *mode, goes_on)?;
        if content(&self.dir, NEW, goes_on)? != *wanted {
            return Err(io::Error::other("it changed while it was copied"));
        }
        self.place(NEW, folder, path)
    }

    /// Puts a link to a path, in one step.
    pub(super) fn put_link(&self, target: &str, folder: &Dir, path: &str) -> io::Result<()> {
        self.dir.remove_file(NEW).or_else(absent)?;
        // The host's own links may be absolute; only their words are written here, nothing follows them.
        self.dir.symlink_contents(target, NEW)?;
        self.place(NEW, folder, path)
    }

    fn copy(&self, from: &Dir, source: &str, mode: u32, goes_on: &dyn Fn() -> bool) -> io::Result<()> {
        let input = beneath::plain_in(from, source)?;
        copy(input, self.create(0o600)?, Permissions::from_mode(mode), goes_on)
    }

    fn create(&self, mode: u32) -> io::Result<cap_std::fs::File> {
        self.dir.remove_file(NEW).or_else(absent)?;
        create(&self.dir, NEW, mode)
    }
}

/// The name under which a file is written beside its path, where it cannot be moved there.
fn beside(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((above, _)) => format!("{above}/{BESIDE}"),
        None => BESIDE.to_owned(),
    }
}

fn create(dir: &Dir, name: &str, mode: u32) -> io::Result<cap_std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    dir.open_with(name, &options)
}

fn copy(
    mut input: File,
    mut output: cap_std::fs::File,
    permissions: Permissions,
    goes_on: &dyn Fn() -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        if !goes_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = input.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        output.write_all(buffer.get(..length).unwrap_or_default())?;
    }
    output.set_permissions(permissions)?;
    output.sync_data()
}

/// What is not there need not be removed.
pub(super) fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::fs::symlink;

    use cap_std::ambient_authority;

    use super::*;

    /// What is done where nothing can be linked or moved: the same as where it can.
    #[test]
    fn across_file_systems() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        let folder = Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap();
        let state = State::make(&folder).unwrap();
        fs::create_dir(at("acme")).unwrap();
        fs::write(at("acme/a.bin"), "the host's").unwrap();
        fs::set_permissions(at("acme/a.bin"), fs::Permissions::from_mode(0o640)).unwrap();
        state.keep_copy(&folder, "acme/a.bin", "7", &|| true).unwrap();
        assert_eq!(fs::read_to_string(at("acme/a.bin")).unwrap(), "the host's");
        fs::write(at("acme/a.bin"), "ours").unwrap();
        // Left by a run that was killed.
        fs::write(at("acme").join(BESIDE), "half of").unwrap();
        state.place_copy("7", &folder, "acme/a.bin").unwrap();
        assert_eq!(fs::read_to_string(at("acme/a.bin")).unwrap(), "the host's");
        let mode = fs::metadata(at("acme/a.bin")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o640);
        symlink("a.bin", at(STATE).join(NEW)).unwrap();
        state.place_copy(NEW, &folder, "acme/link").unwrap();
        assert_eq!(fs::read_link(at("acme/link")).unwrap().to_str(), Some("a.bin"));
        for folder in [at(STATE), at("acme")] {
            let names = fs::read_dir(folder).unwrap().flatten();
            let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
            assert!(
                names.iter().all(|name| name == "a.bin" || name == "link"),
                "{names:?}"
            );
        }
    }
}
