//! `depmod.d`: which of two modules of one name wins, and where else modules lie.
//!
//! Surprises:
//! - The folder that a `search` line names first has the highest priority; of several lines, the first goes first.
//! - Without any `search` line there is one: `updates`.
//! - A backslash before a line's end joins lines; before anything else it is dropped.
//! - `exclude` takes names of folders and files at any depth, like the built-in `build` and `source`.

use crate::depmod::ere;

/// The configuration for one kernel.
///
/// # Example: a line of Debian's
///
/// ```
/// use kmm_core::depmod::Config;
///
/// let config = Config::parse("6.1.0", [("ubuntu.conf", "search updates ubuntu built-in\n")]);
/// assert!(config.complaints.is_empty());
/// assert!(config.skips("build"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub(crate) searches: Vec<Search>,
    pub(crate) overrides: Vec<String>,
    externals: Vec<String>,
    excludes: Vec<String>,
    /// Lines that were left out, with file and line number.
    pub complaints: Vec<String>,
}

/// One place of the search order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// A folder in the tree.
    Folder(String),
    /// What no other place has.
    BuiltIn,
    /// The external folders.
    External,
}

impl Default for Config {
    fn default() -> Self {
        Self::parse("", [])
    }
}

impl Config {
    /// Reads configuration files, given with their names in the order of [`order`](Self::order).
    pub fn parse<'a>(kernel: &str, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut config = Self {
            searches: Vec::new(),
            overrides: Vec::new(),
            externals: Vec::new(),
            excludes: Vec::new(),
            complaints: Vec::new(),
        };
        for (name, text) in files {
            for (number, line) in lines(text) {
                if !line.starts_with('#') && config.line(kernel, &line).is_none() {
                    let first = line
                        .split([' ', '\t'])
                        .find(|word| !word.is_empty())
                        .unwrap_or_default();
                    config.complaints.push(format!(
                        "{name}:{number}: ignoring bad line starting with '{first}'"
                    ));
                }
            }
        }
        if config.searches.is_empty() {
            config.searches.push(Search::Folder("updates".to_owned()));
        }
        // Each was put before the ones that were there.
        config.searches.reverse();
        config.overrides.reverse();
        config.externals.reverse();
        config
    }

    /// The files to read out of those that the configuration folders list: `*.conf` that are not hidden, the first of
    /// each name, sorted by name. Give the folders in their order: `/etc/depmod.d`, `/run/depmod.d`,
    /// `/usr/local/lib/depmod.d`, `/lib/depmod.d`.
    pub fn order<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let name = |path: &'a str| path.rsplit('/').next().unwrap_or(path);
        let mut chosen: Vec<&str> = Vec::new();
        for path in paths {
            let own = name(path);
            let is_file = !own.starts_with('.') && own.len() > 5 && own.ends_with(".conf");
            if is_file && chosen.iter().all(|other| name(other) != own) {
                chosen.push(path);
            }
        }
        chosen.sort_by_key(|path| name(path).as_bytes());
        chosen
    }

    /// Whether files and folders of this name are left out.
    pub fn skips(&self, name: &str) -> bool {
        matches!(name, "build" | "source") || self.excludes.iter().any(|excluded| excluded == name)
    }

    /// Folders outside of the tree in which modules lie, in the order in which they are searched.
    pub fn externals(&self) -> &[String] {
        &self.externals
    }

    fn line(&mut self, kernel: &str, line: &str) -> Option<()> {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let Some(command) = words.next() else {
            return Some(());
        };
        match command {
            "search" => self.searches.extend(words.map(|word| match word {
                "built-in" => Search::BuiltIn,
                "external" => Search::External,
                folder => Search::Folder(folder.to_owned()),
            })),
            "override" => {
                let (module, version, folder) = (words.next()?, words.next()?, words.next()?);
                if ere::matches(version, kernel) {
                    self.overrides.push(format!("{folder}/{module}"));
                }
            }
            "external" => {
                let (version, folder) = (words.next()?, words.next()?);
                if ere::matches(version, kernel) {
                    self.externals.push(folder.to_owned());
                }
            }
            "exclude" => self.excludes.extend(words.map(str::to_owned)),
            "include" | "make_map_files" => {}
            _ => return None,
        }
        Some(())
    }
}

/// Lines with the number of the last physical line of each.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut line, mut number) = (String::new(), 1);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => {
                found.push((number, std::mem::take(&mut line)));
                number += 1;
            }
            '\\' => match chars.next() {
                Some('\n') => number += 1,
                Some(c) => line.push(c),
                None => {}
            },
            c => line.push(c),
        }
    }
    if !line.is_empty() {
        found.push((number, line));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_bad_ones_named() {
        let text = "search a \\\n b\nsearch c\n# search d\noverride x\nfoo bar\n";
        let config = Config::parse("6.1.0", [("a.conf", text)]);
        let folder = |name: &str| Search::Folder(name.to_owned());
        assert_eq!(config.searches, [folder("c"), folder("b"), folder("a")]);
        assert_eq!(
            config.complaints,
            [
                "a.conf:5: ignoring bad line starting with 'override'",
                "a.conf:6: ignoring bad line starting with 'foo'"
            ]
        );
    }

    #[test]
    fn the_first_folder_wins_a_name() {
        let paths = [
            "/etc/depmod.d/b.conf",
            "/etc/depmod.d/.c.conf",
            "/lib/depmod.d/a.conf",
            "/lib/depmod.d/b.conf",
        ];
        assert_eq!(
            Config::order(paths),
            ["/lib/depmod.d/a.conf", "/etc/depmod.d/b.conf"]
        );
    }
}
