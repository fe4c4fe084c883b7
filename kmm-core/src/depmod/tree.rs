//! Where modules come from, and what is to be made of them.

use std::collections::BTreeMap;

use crate::depmod::Config;
use crate::depmod::KernelSymbols;
use crate::depmod::ModuleFacts;
use crate::depmod::hashed::Hashed;
use crate::kmod::KmodError;

/// A folder of modules.
pub trait ModuleTree {
    /// All files below the folder, through symbolic links, and below the external folders of the configuration: each
    /// with its path from the folder on, or its absolute path in an external folder.
    ///
    /// Files must come as the folders list them, unsorted: which one of two modules of the same name counts, may
    /// depend on it. Those that [`Config::skips`] may be left out.
    fn files(&self, config: &Config) -> Vec<String>;

    /// What the modules at these paths hold, in the same order. All are asked for at once, so that they can be read
    /// in parallel.
    fn facts(&self, paths: &[&str]) -> Vec<Result<ModuleFacts, KmodError>>;

    /// A file at the top of the folder: `modules.order`, `modules.builtin` or `modules.builtin.modinfo`.
    fn text(&self, name: &str) -> Option<Vec<u8>>;
}

/// How an index is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The folder of the tree, `BASE/lib/modules/VERSION`; compared with the paths of external folders.
    pub root: String,
    /// Whether `.ko.gz` is a module. Debian's kmod is built without zlib and leaves such files out.
    pub gzip: bool,
    /// Whether `modules.weakdep` is written, as kmod does since version 33.
    pub weak_dependencies: bool,
    /// `-w`: report what an index has twice.
    pub warn_duplicates: bool,
    /// `-P`: a character that symbols of this architecture start with.
    pub symbol_prefix: Option<u8>,
    /// `-e` with `-E` or `-F`: the kernel's symbols, with which every import is checked.
    pub kernel: Option<KernelSymbols>,
}

impl Options {
    pub(crate) fn without_prefix<'a>(&self, symbol: Hashed<'a>) -> Hashed<'a> {
        match (self.symbol_prefix, symbol.name) {
            (Some(prefix), [first, rest @ ..]) if *first == prefix => Hashed::new(rest),
            _ => symbol,
        }
    }
}

/// A tree in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: Vec<String>,
    facts: BTreeMap<String, Result<ModuleFacts, KmodError>>,
    texts: BTreeMap<String, Vec<u8>>,
}

impl MemoryTree {
    /// Adds a module, behind those that are there.
    pub fn add(&mut self, path: &str, facts: Result<ModuleFacts, KmodError>) {
        if self.facts.insert(path.to_owned(), facts).is_none() {
            self.files.push(path.to_owned());
        }
    }

    /// Adds a file such as `modules.order`.
    pub fn add_text(&mut self, name: &str, text: impl Into<Vec<u8>>) {
        self.texts.insert(name.to_owned(), text.into());
    }
}

impl ModuleTree for MemoryTree {
    fn files(&self, _: &Config) -> Vec<String> {
        self.files.clone()
    }

    fn facts(&self, paths: &[&str]) -> Vec<Result<ModuleFacts, KmodError>> {
        let missing = || Err(KmodError::Foreign { start: String::new() });
        paths
            .iter()
            .map(|path| self.facts.get(*path).cloned().unwrap_or_else(missing))
            .collect()
    }

    fn text(&self, name: &str) -> Option<Vec<u8>> {
        self.texts.get(name).cloned()
    }
}
