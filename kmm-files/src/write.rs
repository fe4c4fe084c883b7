//! Writing an index, so that nobody sees half of a file.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::depmod::IndexFile;

/// Writes the files of an index into a folder: each under another name first, and all are put in their places when
/// all are written. A file that could not be written leaves the old index as it was, and so does a folder in the place
/// of one.
///
/// # Errors
///
/// The file that could not be written, with the reason.
pub fn write_index(folder: &Path, files: &[IndexFile]) -> io::Result<()> {
    let mut written: Vec<(PathBuf, PathBuf)> = Vec::new();
    let done = write_all(folder, files, &mut written);
    let done = done.and_then(|()| {
        for (_, path) in &written {
            // Nothing else keeps a file from taking the place of another in the same folder.
            if fs::symlink_metadata(path).is_ok_and(|data| data.is_dir()) {
                return Err(named(path, &io::ErrorKind::IsADirectory.into()));
            }
        }
        written.iter().try_for_each(|(temporary, path)| {
            fs::rename(temporary, path).map_err(|error| named(path, &error))
        })
    });
    if done.is_err() {
        for (temporary, _) in &written {
            // Those that are in their places are not there any more.
            let _ = fs::remove_file(temporary);
        }
    }
    done
}

fn write_all(folder: &Path, files: &[IndexFile], written: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
    for file in files {
        let path = folder.join(file.name);
        // Only this process has this name; what an ended one left under it may go.
        let temporary = folder.join(format!("{}.{}.new", file.name, std::process::id()));
        let _ = fs::remove_file(&temporary);
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&temporary);
        let mut made = made.map_err(|error| named(&path, &error))?;
        written.push((temporary, path.clone()));
        made.write_all(&file.bytes)
            .map_err(|error| named(&path, &error))?;
    }
    Ok(())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("could not write `{}`: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &'static str, text: &str) -> IndexFile {
        IndexFile {
            name,
            bytes: text.as_bytes().to_vec(),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write_index(root, &[file("modules.dep", "a"), file("modules.alias", "b")]).unwrap();
        assert_eq!(names(root), ["modules.alias", "modules.dep"]);
        fs::create_dir(root.join("modules.symbols")).unwrap();
        let error =
            write_index(root, &[file("modules.dep", "new"), file("modules.symbols", "b")]).unwrap_err();
        assert!(error.to_string().contains("modules.symbols"), "{error}");
        assert_eq!(fs::read_to_string(root.join("modules.dep")).unwrap(), "a");
        fs::remove_dir(root.join("modules.symbols")).unwrap();
        let error = write_index(root, &[file("modules.dep", "new"), file("no/such", "b")]).unwrap_err();
        assert!(error.to_string().contains("no/such"), "{error}");
        assert_eq!(fs::read_to_string(root.join("modules.dep")).unwrap(), "a");
        assert_eq!(names(root), ["modules.alias", "modules.dep"]);
    }
}
