//! Which files are modules, which of several of one name wins, and in which order they stand.

use std::collections::HashMap;

use crate::depmod::Config;
use crate::depmod::Options;
use crate::depmod::config::Search;
use crate::depmod::order;

/// A module of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Its name, with `_` for `-`.
    pub(crate) name: String,
    /// Relative to the tree, or absolute in an external folder.
    pub(crate) path: String,
}

/// The modules among the files, without order.
pub(crate) fn choose(files: &[String], config: &Config, options: &Options) -> Vec<Chosen> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut chosen: Vec<Chosen> = Vec::new();
    for path in files {
        let Some(base) = module_file(path, config, options) else {
            continue;
        };
        let name = module_name(base);
        let new = Chosen {
            name: name.clone(),
            path: path.clone(),
        };
        match places.get(&name).and_then(|place| chosen.get_mut(*place)) {
            None => {
                places.insert(name, chosen.len());
                chosen.push(new);
            }
            Some(old) => {
                let priorities = Priorities {
                    config,
                    root: &options.root,
                };
                if priorities.prefers(&new, old) {
                    *old = new;
                }
            }
        }
    }
    chosen
}

/// Puts modules in the order of `modules.order`; those that it does not list come last, in the order of kmod's hash
/// table, as all do without it.
pub(crate) fn sort(chosen: Vec<Chosen>, listed: Option<&[u8]>) -> Vec<Chosen> {
    let mut chosen = order::sort(chosen, order::MODULES, |module| module.name.as_bytes());
    let Some(lines) = listed.and_then(lines) else {
        return chosen;
    };
    let places: HashMap<&[u8], usize> = lines
        .into_iter()
        .enumerate()
        .map(|(place, line)| (line, place))
        .collect();
    let place = |module: &Chosen| {
        if module.path.starts_with('/') {
            return None;
        }
        // The path as if it were not compressed. A name that has a dot is cut there, and found nowhere.
        let end = (stem(module) + 3).min(module.path.len());
        places.get(module.path.as_bytes().get(..end)?).copied()
    };
    chosen.sort_by_cached_key(|module| place(module).unwrap_or(usize::MAX));
    chosen
}

/// The name of a module by that of its file: up to the first dot, with `_` for `-`.
pub(crate) fn module_name(file: &str) -> String {
    file.split('.').next().unwrap_or(file).replace('-', "_")
}

/// The last part of a path to a module.
fn module_file<'a>(path: &'a str, config: &Config, options: &Options) -> Option<&'a str> {
    let base = path.rsplit('/').next().unwrap_or(path);
    let endings = [".ko", ".ko.xz", ".ko.zst"]
        .into_iter()
        .chain(options.gzip.then_some(".ko.gz"));
    let is_module = endings
        .into_iter()
        .any(|end| base.len() > end.len() && base.ends_with(end));
    // An external folder itself may have any name.
    let inside = if path.starts_with('/') {
        let parent = config
            .externals()
            .iter()
            .find(|folder| is_below(path, path.len(), folder));
        path.get(parent.map_or(0, String::len)..).unwrap_or(path)
    } else {
        path
    };
    (is_module && !inside.split('/').any(|part| config.skips(part))).then_some(base)
}

/// How long the path is up to the end of the module's name.
fn stem(module: &Chosen) -> usize {
    module.path.rfind('/').map_or(0, |slash| slash + 1) + module.name.len()
}

/// Lines up to 4,095 bytes; none where one of them has no end, which makes `depmod` leave the file aside.
fn lines(text: &[u8]) -> Option<Vec<&[u8]>> {
    let pieces = text
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| line.chunks(4095));
    let pieces = pieces.map(|piece| piece.split(|byte| *byte == 0).next().unwrap_or_default());
    pieces
        .map(|line| {
            if line.is_empty() {
                Some(line)
            } else {
                line.strip_suffix(b"\n")
            }
        })
        .collect()
}

/// What decides between two modules of one name.
struct Priorities<'a> {
    config: &'a Config,
    root: &'a str,
}

impl Priorities<'_> {
    /// Whether `new` replaces `old`, which was found before.
    fn prefers(&self, new: &Chosen, old: &Chosen) -> bool {
        let (new_inside, old_inside) = (self.inside(new), self.inside(old));
        for entry in &self.config.overrides {
            if new_inside == Some(entry) {
                return true;
            }
            if old_inside == Some(entry) {
                return false;
            }
        }
        let (mut built_in, mut new_place, mut old_place) = (None, None, None);
        let mut place = 0;
        for search in &self.config.searches {
            match search {
                Search::BuiltIn => built_in = Some(place),
                Search::External => {
                    for folder in self.config.externals() {
                        if self.is_external(new, folder) {
                            new_place = Some(place);
                        }
                        if self.is_external(old, folder) {
                            old_place = Some(place);
                        }
                        place += 1;
                    }
                }
                // Where both are in the folder, only the new one is seen to be.
                Search::Folder(folder)
                    if new_inside.is_some_and(|path| is_below(path, path.len(), folder)) =>
                {
                    new_place = Some(place);
                }
                Search::Folder(folder)
                    if old_inside.is_some_and(|path| is_below(path, path.len(), folder)) =>
                {
                    old_place = Some(place);
                }
                Search::Folder(_) => {}
            }
            place += 1;
        }
        new_place.or(built_in) > old_place.or(built_in)
    }

    /// The path from the tree on, up to the end of the name.
    fn inside<'a>(&self, module: &'a Chosen) -> Option<&'a str> {
        let end = stem(module);
        if !module.path.starts_with('/') {
            return module.path.get(..end);
        }
        // A folder whose name goes on where the tree's ends counts as inside, one character short.
        module.path.strip_prefix(self.root)?;
        module.path.get(self.root.len() + 1..end)
    }

    fn is_external(&self, module: &Chosen, folder: &str) -> bool {
        if module.path.starts_with('/') {
            return is_below(&module.path, stem(module), folder);
        }
        let path = format!("{}/{}", self.root, module.path);
        is_below(&path, self.root.len() + 1 + stem(module), folder)
    }
}

fn is_below(path: &str, length: usize, folder: &str) -> bool {
    length > folder.len()
        && path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
}
