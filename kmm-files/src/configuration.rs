//! `depmod.d` on disk.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::depmod::Config;

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
/// When a folder or file that is there cannot be read, or is no UTF-8.
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
            let text = fs::read_to_string(path);
            let named = |error: io::Error| io::Error::new(error.kind(), format!("`{path}`: {error}"));
            Ok((path, text.map_err(named)?))
        })
        .collect();
    let texts = texts?;
    Ok(Config::parse(
        kernel,
        texts.iter().map(|(name, text)| (*name, text.as_str())),
    ))
}
