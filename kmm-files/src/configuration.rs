//! `depmod.d` on disk.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::depmod::Config;

use crate::tree::bounded;

/// Where `depmod` looks, in this order.
const FOLDERS: [&str; 4] = [
    "/etc/depmod.d",
    "/run/depmod.d",
    "/usr/local/lib/depmod.d",
    "/lib/depmod.d",
];

/// Reads the configuration for a kernel: of the given folders and files, or without any of this machine's folders.
///
/// Folders that are not there are empty. Of files with one name in several folders, the first counts.
///
/// # Errors
///
/// When a folder or file that is there cannot be read, has more than [`LARGEST_TEXT`](crate::LARGEST_TEXT) bytes, or is no UTF-8.
pub fn depmod_configuration(kernel: &str, paths: &[PathBuf]) -> io::Result<Config> {
    let given = paths.iter().map(PathBuf::as_path);
    let own = FOLDERS.iter().map(Path::new).filter(|_| paths.is_empty());
    let mut single = Vec::new();
    let mut listed = Vec::new();
    for path in given.chain(own) {
        match fs::metadata(path) {
            Ok(data) if data.is_dir() => {
                for entry in fs::read_dir(path)? {
                    listed.push(entry?.path().to_string_lossy().into_owned());
                }
            }
            Ok(_) => single.push(path.to_string_lossy().into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let chosen = single.iter().map(String::as_str);
    let chosen = chosen.chain(Config::order(listed.iter().map(String::as_str)));
    let texts: io::Result<Vec<(&str, String)>> = chosen
        .map(|path| {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("`{path}`: {error}"));
            let text = bounded(Path::new(path)).map_err(named)?;
            let text = String::from_utf8(text).map_err(|_| {
                let reason = "it is not UTF-8 text";
                named(io::Error::new(io::ErrorKind::InvalidData, reason))
            })?;
            Ok((path, text))
        })
        .collect();
    let texts = texts?;
    Ok(Config::parse(
        kernel,
        texts.iter().map(|(name, text)| (*name, text.as_str())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_or_is_no_text_is_refused() {
        let error = depmod_configuration("6.1", &[PathBuf::from("/dev/zero")]).unwrap_err();
        assert_eq!(error.to_string(), "`/dev/zero`: more than 64 MiB");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        fs::write(&path, b"search \xff").unwrap();
        let error = depmod_configuration("6.1", &[folder.path().to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("`{}`: it is not UTF-8 text", path.display())
        );
    }
}
