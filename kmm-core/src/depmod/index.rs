//! Puts the index together.

use crate::depmod::Config;
use crate::depmod::DepmodError;
use crate::depmod::FileKind;
use crate::depmod::Finding;
use crate::depmod::ModuleFacts;
use crate::depmod::ModuleTree;
use crate::depmod::Options;
use crate::depmod::builtin;
use crate::depmod::facts::Field;
use crate::depmod::files;
use crate::depmod::graph;
use crate::depmod::hashed::ByName;
use crate::depmod::hashed::Hashed;
use crate::depmod::order;
use crate::depmod::select;
use crate::depmod::trie::Trie;

/// The index of a module tree, from which its files are written.
#[derive(Clone, Debug)]
pub struct Index {
    modules: Vec<Indexed>,
    /// Owner and name, in the order of `modules.symbols`.
    symbols: Vec<(usize, Vec<u8>)>,
    builtin: Option<Vec<u8>>,
    builtin_modinfo: Option<Vec<u8>>,
    options: Options,
    findings: Vec<Finding>,
}

/// A module with what it needs.
#[derive(Clone, Debug)]
pub(crate) struct Indexed {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) facts: ModuleFacts,
    pub(crate) needs: Vec<usize>,
}

/// A file of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    /// Its name in the folder of the tree.
    pub name: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A symbol that can be imported.
#[derive(Clone, Copy)]
struct Offered {
    owner: Option<usize>,
    crc: u64,
}

impl Index {
    /// Reads a tree.
    ///
    /// # Errors
    ///
    /// When modules need each other in a circle, or there are more than 65,534.
    pub fn build(tree: &dyn ModuleTree, config: &Config, options: &Options) -> Result<Self, DepmodError> {
        let files = tree.files(config);
        let chosen = select::choose(&files, config, options);
        if chosen.len() >= usize::from(u16::MAX) {
            return Err(DepmodError::TooManyModules { count: chosen.len() });
        }
        let chosen = select::sort(chosen, tree.text("modules.order").as_deref());
        let paths: Vec<&str> = chosen.iter().map(|module| module.path.as_str()).collect();
        let mut findings = Vec::new();
        let mut facts: Vec<ModuleFacts> = Vec::with_capacity(paths.len());
        for (path, read) in paths.iter().zip(tree.facts(&paths)) {
            facts.push(read.unwrap_or_else(|error| {
                findings.push(Finding::Unreadable {
                    path: (*path).to_owned(),
                    error,
                });
                ModuleFacts::default()
            }));
        }
        facts.resize(paths.len(), ModuleFacts::default());
        let table = symbol_table(&facts, options);
        let mut seen = vec![usize::MAX; facts.len()];
        let dependencies: Vec<Vec<usize>> = facts
            .iter()
            .zip(&paths)
            .enumerate()
            .map(|(number, (own, path))| {
                // Marked with the module that it was last seen for.
                let is_new = |owner: &usize| {
                    let mark = seen.get_mut(*owner).filter(|mark| **mark != number);
                    mark.map(|mark| *mark = number).is_some()
                };
                needs(own, path, &table, options, is_new, &mut findings)
            })
            .collect();
        let symbols: Vec<(usize, &[u8])> = table
            .iter()
            .filter_map(|(symbol, offered)| Some((offered.owner?, symbol.name)))
            .collect();
        let symbols = order::sort(symbols, order::SYMBOLS, |(_, name)| name)
            .into_iter()
            .map(|(owner, name)| (owner, name.to_vec()))
            .collect();
        let name = |module: &usize| {
            chosen
                .get(*module)
                .map(|module| module.name.clone())
                .unwrap_or_default()
        };
        let places = graph::sort(&dependencies).map_err(|cycles| DepmodError::Cycles {
            cycles: cycles
                .iter()
                .map(|cycle| cycle.iter().map(name).collect())
                .collect(),
        })?;
        seen.fill(usize::MAX);
        let modules = chosen
            .into_iter()
            .zip(facts)
            .enumerate()
            .map(|(number, (module, facts))| Indexed {
                name: module.name,
                path: module.path,
                facts,
                needs: graph::closure(number, &dependencies, &places, &mut seen),
            });
        Ok(Self {
            modules: modules.collect(),
            symbols,
            builtin: tree.text("modules.builtin"),
            builtin_modinfo: tree.text("modules.builtin.modinfo"),
            options: options.clone(),
            findings,
        })
    }

    /// How many modules there are.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there is no module.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// Each module: its name, its path, and the paths of all that it needs, in the order of `modules.dep`.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
        self.modules.iter().map(|module| {
            let needs = module.needs.iter().filter_map(|needed| self.modules.get(*needed));
            (
                module.name.as_str(),
                module.path.as_str(),
                needs.map(|needed| needed.path.as_str()).collect(),
            )
        })
    }

    /// What is wrong in the tree: files that cannot be read, and, where [`Options::kernel`] is given, what is missing
    /// or differs per module.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The files that this index has, in the order in which `depmod` writes them.
    pub fn kinds(&self) -> Vec<FileKind> {
        let all = FileKind::ALL.into_iter();
        let weak = self.options.weak_dependencies;
        all.filter(|kind| *kind != FileKind::WeakDependencies || weak)
            .collect()
    }

    /// All files, and what is wrong with single entries of them.
    ///
    /// # Errors
    ///
    /// When a binary index would be larger than its format allows.
    pub fn files(&self) -> Result<(Vec<IndexFile>, Vec<Finding>), DepmodError> {
        let mut found = Vec::new();
        let mut files = Vec::new();
        for kind in self.kinds() {
            let (file, findings) = self.file(kind)?;
            files.push(file);
            found.extend(findings);
        }
        Ok((files, found))
    }

    /// One file, and what is wrong with single entries of it. Files do not need each other: they can be made in
    /// parallel.
    ///
    /// # Errors
    ///
    /// When a binary index would be larger than its format allows.
    pub fn file(&self, kind: FileKind) -> Result<(IndexFile, Vec<Finding>), DepmodError> {
        let mut found = Vec::new();
        let (modules, findings) = (&self.modules, &mut found);
        let bytes = match kind {
            FileKind::Dependencies => files::dependencies(modules),
            FileKind::DependenciesBinary => {
                self.binary(kind, "deps", Some(self.dependency_keys()), findings)?
            }
            FileKind::Aliases => files::aliases(modules),
            FileKind::AliasesBinary => {
                let keys = self.alias_keys(findings);
                self.binary(kind, "alias", Some(keys), findings)?
            }
            FileKind::SoftDependencies => files::soft_dependencies(modules),
            FileKind::WeakDependencies => files::weak_dependencies(modules),
            FileKind::Symbols => files::symbols(self.owned_symbols()),
            FileKind::SymbolsBinary => self.binary(kind, "syms", Some(self.symbol_keys()), findings)?,
            FileKind::BuiltinBinary => {
                let text = self.builtin.as_deref();
                let keys = text.map(|text| builtin::names(text, findings));
                self.binary(kind, "", keys, findings)?
            }
            FileKind::BuiltinAliasesBinary => {
                let text = self.builtin_modinfo.as_deref();
                let keys = text.map(|text| builtin::aliases(text, findings));
                self.binary(kind, "", keys, findings)?
            }
            FileKind::DeviceNames => files::device_names(modules, findings),
        };
        let name = kind.name();
        Ok((IndexFile { name, bytes }, found))
    }

    /// What `depmod -n` prints: the text files one after the other; and what is wrong with single entries of them.
    ///
    /// # Errors
    ///
    /// None in practice: those of [`file`](Self::file) are of binary files.
    pub fn shown(&self) -> Result<(Vec<u8>, Vec<Finding>), DepmodError> {
        let (mut out, mut found) = (Vec::new(), Vec::new());
        for kind in self.kinds().into_iter().filter(|kind| !kind.is_binary()) {
            let (file, findings) = self.file(kind)?;
            out.extend(file.bytes);
            found.extend(findings);
        }
        Ok((out, found))
    }

    fn dependency_keys(&self) -> Trie {
        let mut trie = Trie::default();
        let mut line = Vec::new();
        for (number, module) in self.modules.iter().enumerate() {
            line.clear();
            files::dependency_line(&mut line, module, &self.modules);
            trie.insert(module.name.as_bytes(), &line, number as u32);
        }
        trie
    }

    fn alias_keys(&self, findings: &mut Vec<Finding>) -> Trie {
        let mut trie = Trie::default();
        for (number, module) in self.modules.iter().enumerate() {
            for alias in module.facts.values(Field::Alias) {
                match builtin::normalize(alias) {
                    Some(alias) => trie.insert(&alias, module.name.as_bytes(), number as u32),
                    None => findings.push(Finding::unmatched_bracket(alias)),
                }
            }
        }
        trie
    }

    fn symbol_keys(&self) -> Trie {
        let mut trie = Trie::default();
        let mut key = b"symbol:".to_vec();
        for (owner, name) in &self.symbols {
            if let Some(module) = self.modules.get(*owner) {
                key.truncate(b"symbol:".len());
                key.extend_from_slice(name);
                trie.insert(&key, module.name.as_bytes(), *owner as u32);
            }
        }
        trie
    }

    /// A binary index; an empty file where its source is not there.
    fn binary(
        &self,
        kind: FileKind,
        what: &'static str,
        trie: Option<Trie>,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<u8>, DepmodError> {
        let Some(trie) = trie else {
            return Ok(Vec::new());
        };
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        findings.extend(
            trie.refused()
                .iter()
                .map(|key| Finding::NotAscii { key: lossy(key) }),
        );
        if self.options.warn_duplicates && !what.is_empty() {
            findings.extend(
                trie.duplicates()
                    .into_iter()
                    .map(|(key, value)| Finding::Duplicate {
                        what,
                        line: if what == "deps" {
                            lossy(&value)
                        } else {
                            format!("{} {}", lossy(&key), lossy(&value))
                        },
                    }),
            );
        }
        trie.write(kind.name())
    }

    fn owned_symbols(&self) -> impl Iterator<Item = (&[u8], &Indexed)> {
        self.symbols
            .iter()
            .filter_map(|(owner, name)| Some((name.as_slice(), self.modules.get(*owner)?)))
    }
}

/// All symbols by name; of several modules that export one, the last counts, and any counts more than the kernel.
fn symbol_table<'a>(facts: &'a [ModuleFacts], options: &'a Options) -> ByName<'a, Offered> {
    let mut table: ByName<'_, Offered> = ByName::default();
    for (name, crc) in options.kernel.iter().flat_map(|kernel| &kernel.entries) {
        table.insert(
            Hashed::new(name),
            Offered {
                owner: None,
                crc: *crc,
            },
        );
    }
    for (number, module) in facts.iter().enumerate() {
        for (symbol, crc) in module.exports() {
            let symbol = options.without_prefix(symbol);
            if !symbol.name.is_empty() {
                table.insert(
                    symbol,
                    Offered {
                        owner: Some(number),
                        crc,
                    },
                );
            }
        }
    }
    table
}

/// The modules that a module needs directly; where the kernel's symbols are known, also what is wrong with the rest.
fn needs(
    own: &ModuleFacts,
    path: &str,
    table: &ByName<'_, Offered>,
    options: &Options,
    mut is_new: impl FnMut(&usize) -> bool,
    findings: &mut Vec<Finding>,
) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let kernel = options.kernel.as_ref();
    for needed in own.imports() {
        let symbol = || String::from_utf8_lossy(needed.symbol.name).into_owned();
        // On 64-bit PowerPC, `.name` is the code of `name`.
        let bare = needed.symbol.name.strip_prefix(b".");
        let bare = bare.map_or(needed.symbol, Hashed::new);
        let Some(offered) = table.get(&options.without_prefix(bare)) else {
            if kernel.is_some() && !needed.weak {
                findings.push(Finding::UnknownSymbol {
                    path: path.to_owned(),
                    symbol: symbol(),
                });
            }
            continue;
        };
        if kernel.is_some_and(|kernel| kernel.checksums) && offered.crc != needed.crc && !needed.weak {
            findings.push(Finding::Disagrees {
                path: path.to_owned(),
                symbol: symbol(),
                module: needed.crc,
                kernel: offered.crc,
            });
        }
        found.extend(offered.owner.filter(&mut is_new));
    }
    found
}
