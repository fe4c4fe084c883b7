//! `certs.d`: what podman and docker trust for single registries, and show them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The most files of one registry.
const MOST: usize = 64;

/// Folders `certs.d`, the one that counts first. Each has a folder `HOST[:PORT]` for a registry, the port as it stands in
/// the names of images:
/// - `*.crt`: CAs that may sign the certificate of this registry, beside those of the system;
/// - `NAME.cert` with `NAME.key`: a client's certificate and its key, shown to the registry and its token server.
///
/// Of several folders for one registry the first one counts, alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertsD {
    folders: Vec<PathBuf>,
}

/// Why a folder of certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {reason}", path.display())]
pub struct CertsDError {
    path: PathBuf,
    reason: String,
}

/// What there is for one registry, in PEM.
#[derive(Clone, Default)]
pub(super) struct HostCertificates {
    pub(super) authorities: Vec<Vec<u8>>,
    /// Certificate and key.
    pub(super) identity: Option<Vec<u8>>,
    /// The folder, for messages.
    pub(super) folder: PathBuf,
}

impl CertsD {
    /// These folders.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            folders: folders.into_iter().collect(),
        }
    }

    /// The folders that podman looks into, for an environment: `~/.config/containers/certs.d`,
    /// `/etc/containers/certs.d`, `/etc/docker/certs.d`.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let home = variable("HOME").filter(|home| !home.is_empty());
        let own = home.map(|home| PathBuf::from(home).join(".config/containers/certs.d"));
        let system = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
        Self::new(own.into_iter().chain(system))
    }

    /// What there is for a registry; nothing where no folder has its name.
    pub(super) fn of(&self, host: &str) -> Result<Option<HostCertificates>, CertsDError> {
        for folder in &self.folders {
            let folder = folder.join(host);
            // A host has no `/`, and is no `..`: its name has been checked.
            match fs::read_dir(&folder) {
                Ok(entries) => return read(&folder, entries).map(Some),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => {}
                Err(error) => return Err(refuse(&folder, error.to_string())),
            }
        }
        Ok(None)
    }
}

fn read(folder: &Path, entries: fs::ReadDir) -> Result<HostCertificates, CertsDError> {
    let paths: io::Result<Vec<PathBuf>> = entries
        .take(MOST + 1)
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths.map_err(|error| refuse(folder, error.to_string()))?;
    if paths.len() > MOST {
        return Err(refuse(folder, format!("more than {MOST} files")));
    }
    paths.sort();
    let mut found = HostCertificates {
        folder: folder.to_owned(),
        ..HostCertificates::default()
    };
    for path in &paths {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending {
            Some("crt") => found.authorities.push(content(path)?),
            Some("cert") => {
                let key = path.with_extension("key");
                if !paths.contains(&key) {
                    return Err(refuse(path, format!("its key `{}` is missing", key.display())));
                }
                if found.identity.is_some() {
                    return Err(refuse(
                        path,
                        "one client certificate is enough, and this is the second",
                    ));
                }
                let mut pem = content(path)?;
                pem.push(b'\n');
                pem.extend(content(&key)?);
                found.identity = Some(pem);
            }
            Some("key") if !paths.contains(&path.with_extension("cert")) => {
                return Err(refuse(
                    path,
                    "its certificate is missing: a client's certificate ends in `.cert`, a CA's in `.crt`",
                ));
            }
            _ => {}
        }
    }
    Ok(found)
}

fn content(path: &Path) -> Result<Vec<u8>, CertsDError> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| refuse(path, error.to_string()))?;
    let count = file.take(LARGEST + 1).read_to_end(&mut bytes);
    match count.map_err(|error| refuse(path, error.to_string()))? as u64 > LARGEST {
        true => Err(refuse(path, format!("larger than {LARGEST} bytes"))),
        false => Ok(bytes),
    }
}

fn refuse(path: &Path, reason: impl Into<String>) -> CertsDError {
    CertsDError {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_of_a_registry_counts_alone() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for (path, text) in [
            ("one/a.io:5000/z.crt", "Z"),
            ("one/a.io:5000/a.crt", "A"),
            ("one/a.io:5000/notes.txt", "?"),
            ("two/a.io:5000/b.crt", "B"),
            ("two/b.io/me.cert", "C"),
            ("two/b.io/me.key", "K"),
            ("two/c.io/me.cert", "C"),
            ("two/d.io/me.key", "K"),
        ] {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), text).unwrap();
        }
        let certs = CertsD::new([at("none"), at("one"), at("two")]);
        let found = certs.of("a.io:5000").unwrap().unwrap();
        assert_eq!(
            (found.authorities, found.identity),
            (vec![b"A".to_vec(), b"Z".to_vec()], None)
        );
        let found = certs.of("b.io").unwrap().unwrap();
        assert_eq!(
            (found.authorities.len(), found.identity),
            (0, Some(b"C\nK".to_vec()))
        );
        assert!(certs.of("a.io").unwrap().is_none());
        for (host, words) in [("c.io", "its key"), ("d.io", "its certificate is missing")] {
            let error = certs.of(host).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn sizes_and_counts_are_bounded() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a.io");
        fs::create_dir_all(&folder).unwrap();
        let certs = CertsD::new([root.path().to_owned()]);
        fs::write(folder.join("large.crt"), vec![b' '; LARGEST as usize + 1]).unwrap();
        assert!(certs.of("a.io").err().unwrap().to_string().contains("larger"));
        fs::remove_file(folder.join("large.crt")).unwrap();
        for number in 0..=MOST {
            fs::write(folder.join(format!("{number}.crt")), "x").unwrap();
        }
        assert!(certs.of("a.io").err().unwrap().to_string().contains("more than"));
    }

    #[test]
    fn the_environment_says_where_folders_are() {
        let with = |home: Option<&str>| {
            let home = home.map(OsString::from);
            CertsD::from_variables(&|name| home.clone().filter(|_| name == "HOME")).folders
        };
        assert_eq!(
            with(Some("/h")).first(),
            Some(&PathBuf::from("/h/.config/containers/certs.d"))
        );
        assert_eq!(with(None), with(Some("")));
        assert_eq!(with(None).len(), 2);
    }
}
