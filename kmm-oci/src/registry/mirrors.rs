//! `registries.conf`, version 2: mirrors, and registries that are blocked or insecure.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;

use serde::Deserialize;

use crate::reference::ImageName;

const LARGEST: u64 = 1 << 20;
const DEFAULT_FILE: &str = "/etc/containers/registries.conf";

/// What `registries.conf` and the files of `registries.conf.d` say.
///
/// # Example: a mirror for a part of a registry
///
/// ```
/// use kmm_oci::registry::RegistriesConf;
///
/// let mut conf = RegistriesConf::default();
/// conf.add("registries.conf", r#"
///     [[registry]]
///     prefix = "quay.io/team"
///     location = "quay.io/team"
///     [[registry.mirror]]
///     location = "mirror.lan:5000/quay/team"
/// "#)?;
/// let places = conf.places(&"quay.io/team/driver:1".parse()?)?;
/// assert_eq!(places[0].name.to_string(), "mirror.lan:5000/quay/team/driver:1");
/// assert_eq!(places[1].name.to_string(), "quay.io/team/driver:1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct RegistriesConf {
    /// By prefix; a later file replaces what an earlier one says of the same prefix.
    registries: BTreeMap<String, Entry>,
}

/// One place where an image may be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The image there.
    pub name: ImageName,
    /// Whether plain HTTP and certificates that are not trusted are allowed there.
    pub insecure: bool,
}

/// Why `registries.conf` cannot be used, or an image may not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{file}`: {reason}")]
pub struct RegistriesConfError {
    file: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Content {
    #[serde(default)]
    registry: Vec<Written>,
    /// Version 1 of the format.
    registries: Option<toml::Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    blocked: bool,
    #[serde(default)]
    mirror_by_digest_only: bool,
    #[serde(default)]
    mirror: Vec<Mirror>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    pull_from_mirror: PullFrom,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum PullFrom {
    #[default]
    #[serde(rename = "")]
    Unsaid,
    #[serde(rename = "all")]
    All,
    #[serde(rename = "digest-only")]
    DigestOnly,
    #[serde(rename = "tag-only")]
    TagOnly,
}

#[derive(Debug, Clone)]
struct Entry {
    file: String,
    written: Written,
}

/// The files that podman reads, in that order, for an environment: `$CONTAINERS_REGISTRIES_CONF` alone, else the user's or
/// the system's `registries.conf`, then what lies in the folders `registries.conf.d`.
///
/// # Errors
///
/// Where a folder is there and cannot be listed.
pub fn registries_files(variable: &dyn Fn(&str) -> Option<OsString>) -> std::io::Result<Vec<PathBuf>> {
    let set = |name: &str| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(file) = set("CONTAINERS_REGISTRIES_CONF") {
        return Ok(vec![file]);
    }
    let system = PathBuf::from(DEFAULT_FILE);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let user = config.map(|folder| folder.join("containers/registries.conf"));
    let main = user.iter().chain([&system]).find(|path| path.is_file());
    let mut files: Vec<PathBuf> = main.cloned().into_iter().collect();
    for path in [Some(&system), user.as_ref()].into_iter().flatten() {
        files.extend(drop_ins(&path.with_extension("conf.d"))?);
    }
    Ok(files)
}

/// The `*.conf` files of a folder, sorted.
fn drop_ins(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "conf"));
    paths.sort();
    Ok(paths)
}

impl RegistriesConf {
    /// Adds a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or as [`add`](Self::add).
    pub fn read(&mut self, path: &Path) -> Result<(), RegistriesConfError> {
        use std::io::Read as _;

        let file = path.display().to_string();
        let refuse = |reason: String| RegistriesConfError {
            file: file.clone(),
            reason,
        };
        let mut text = String::new();
        let open = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
        let read = open.take(LARGEST + 1).read_to_string(&mut text);
        if read.map_err(|error| refuse(error.to_string()))? as u64 > LARGEST {
            return Err(refuse(format!("larger than {LARGEST} bytes")));
        }
        self.add(&file, &text)
    }

    /// Adds the text of a file; `file` names it in messages.
    ///
    /// # Errors
    ///
    /// Where it is not TOML, is of version 1 of the format, or a prefix or location in it is none.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), RegistriesConfError> {
        let refuse = |reason: String| RegistriesConfError {
            file: file.to_owned(),
            reason,
        };
        let content: Content =
            toml::from_str(text).map_err(|error| refuse(error.to_string().trim().to_owned()))?;
        if content.registries.is_some() {
            return Err(refuse(
                "`[registries.…]` is version 1 of the format; write `[[registry]]` tables instead".to_owned(),
            ));
        }
        for mut written in content.registry {
            tidy(&mut written).map_err(refuse)?;
            let entry = Entry {
                file: file.to_owned(),
                written,
            };
            self.registries.insert(entry.written.prefix.clone(), entry);
        }
        Ok(())
    }

    /// Where an image may be had, in the order in which it is tried: mirrors, then the registry itself.
    ///
    /// # Errors
    ///
    /// Where the registry is blocked, or a location and the rest of the name add up to no name.
    pub fn places(&self, name: &ImageName) -> Result<Vec<Place>, RegistriesConfError> {
        let full = name.full_repository();
        let matching = self
            .registries
            .values()
            .filter_map(|entry| Some((rest(entry, &full)?, entry)));
        // The longest prefix has the shortest rest; a prefix with `*` matches some host and never wins over a real one.
        let best = matching.min_by_key(|(rest, entry)| (rest.len(), entry.written.prefix.starts_with("*.")));
        let Some((rest, entry)) = best else {
            return Ok(vec![Place {
                name: name.clone(),
                insecure: false,
            }]);
        };
        let written = &entry.written;
        let refuse = |reason: String| RegistriesConfError {
            file: entry.file.clone(),
            reason,
        };
        if written.blocked {
            return Err(refuse(format!(
                "`{}` is blocked, and with it `{name}`",
                written.prefix
            )));
        }
        let moved = |location: &str, insecure: bool| match location {
            "" => Ok(Place {
                name: name.clone(),
                insecure,
            }),
            location => Ok(Place {
                name: name
                    .moved_to(&format!("{location}{rest}"))
                    .map_err(|error| refuse(error.to_string()))?,
                insecure,
            }),
        };
        let by_digest = name.digest().is_some();
        let used = written
            .mirror
            .iter()
            .filter(|mirror| match mirror.pull_from_mirror {
                PullFrom::Unsaid => by_digest || !written.mirror_by_digest_only,
                PullFrom::All => true,
                PullFrom::DigestOnly => by_digest,
                PullFrom::TagOnly => !by_digest,
            });
        used.map(|mirror| moved(&mirror.location, mirror.insecure))
            .chain([moved(&written.location, written.insecure)])
            .collect()
    }
}

/// Fills in what a table may leave out.
fn tidy(written: &mut Written) -> Result<(), String> {
    let mirrors = written.mirror.iter().map(|mirror| mirror.location.as_str());
    for text in mirrors.chain([written.prefix.as_str(), written.location.as_str()]) {
        if text.contains("://") || text.ends_with('/') {
            return Err(format!(
                "`{text}` is not a location: expected `HOST[:PORT][/PATH]`, without a scheme"
            ));
        }
    }
    if written.mirror.iter().any(|mirror| mirror.location.is_empty()) {
        return Err("a `[[registry.mirror]]` has an empty `location`".to_owned());
    }
    if written.prefix.is_empty() {
        if written.location.is_empty() {
            return Err("a `[[registry]]` has neither `prefix` nor `location`".to_owned());
        }
        written.prefix.clone_from(&written.location);
    }
    if written.location.is_empty() && !written.prefix.starts_with("*.") {
        written.location.clone_from(&written.prefix);
    }
    Ok(())
}

/// What is left of a repository behind an entry's prefix, where that matches: `""` or `/...`.
fn rest<'a>(entry: &Entry, full: &'a str) -> Option<&'a str> {
    let prefix = entry.written.prefix.as_str();
    let rest = match prefix.strip_prefix('*') {
        // `*.example.com` stands for every host below it, however deep; a path may follow.
        Some(suffix) if suffix.starts_with('.') => {
            let (domain, path) = suffix.split_at(suffix.find('/').unwrap_or(suffix.len()));
            let host = full.find('/').unwrap_or(full.len());
            if !full[..host].ends_with(domain) || host == domain.len() {
                return None;
            }
            full[host..].strip_prefix(path)?
        }
        _ => full.strip_prefix(prefix)?,
    };
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data file: a block of TOML, then `# IMAGE -> PLACES` lines; `!` behind a place says insecure.
    #[test]
    fn places_are_those_of_podman() {
        let text = include_str!("../../tests/registries/registries.txt");
        let digest = format!("sha256:{}", "a".repeat(64));
        let mut cases = 0;
        for block in text.split("\n\n") {
            let mut conf = RegistriesConf::default();
            for part in block.split("# next file\n") {
                conf.add("registries.conf", part).unwrap();
            }
            for line in block.lines() {
                let Some((image, expected)) =
                    line.strip_prefix("# ").and_then(|line| line.split_once(" -> "))
                else {
                    continue;
                };
                let name: ImageName = image.replace("DIGEST", &digest).parse().unwrap();
                let found = match conf.places(&name) {
                    Ok(places) => places
                        .iter()
                        .map(|place| format!("{}{}", place.name, if place.insecure { "!" } else { "" }))
                        .collect::<Vec<_>>()
                        .join(" "),
                    Err(error) if error.to_string().contains("blocked") => "blocked".to_owned(),
                    Err(error) => panic!("{error}"),
                };
                assert_eq!(found.replace(&digest, "DIGEST"), expected, "{line}");
                cases += 1;
            }
        }
        assert!(cases > 20, "{cases}");
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for (text, reason) in [
            ("[registries.search]\nregistries = ['a']", "version 1"),
            ("[[registry]]\n", "neither"),
            ("[[registry]]\nlocation = 'https://a.io'", "without a scheme"),
            ("[[registry]]\nlocation = 'a.io/'", "is not a location"),
            (
                "[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\nlocation = ''",
                "empty",
            ),
            (
                "[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\nlocation = 'b.io'\npull-from-mirror = 'x'",
                "pull-from-mirror",
            ),
            ("[[registry]\n", "registry"),
            ("[[registry]]\nlocation = 1", "string"),
        ] {
            let error = RegistriesConf::default()
                .add("f.conf", text)
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("`f.conf`: ") && error.contains(reason),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn the_environment_says_where_files_are() {
        let folder = tempfile::tempdir().unwrap();
        let user = folder.path().join("containers");
        std::fs::create_dir_all(user.join("registries.conf.d")).unwrap();
        for name in [
            "registries.conf",
            "registries.conf.d/b.conf",
            "registries.conf.d/a.conf",
            "registries.conf.d/c.txt",
        ] {
            std::fs::write(user.join(name), "").unwrap();
        }
        let config = folder.path().as_os_str().to_owned();
        let files = registries_files(&|name| (name == "XDG_CONFIG_HOME").then(|| config.clone())).unwrap();
        let own: Vec<_> = files
            .iter()
            .filter_map(|path| path.strip_prefix(&user).ok())
            .collect();
        assert_eq!(
            own,
            [
                Path::new("registries.conf"),
                Path::new("registries.conf.d/a.conf"),
                Path::new("registries.conf.d/b.conf")
            ]
        );
        let one =
            registries_files(&|name| (name == "CONTAINERS_REGISTRIES_CONF").then(|| "/x".into())).unwrap();
        assert_eq!(one, [Path::new("/x")]);
    }
}
