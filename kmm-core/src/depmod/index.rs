//! Puts the index together.

use std::collections::HashMap;

use crate::depmod::Config;
use crate::depmod::DepmodError;
use crate::depmod::Finding;
use crate::depmod::ModuleFacts;
use crate::depmod::ModuleTree;
use crate::depmod::Options;
use crate::depmod::builtin;
use crate::depmod::facts::Field;
use crate::depmod::files;
use crate::depmod::graph;
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
        let mut chosen = select::choose(&files, config, options);
        if chosen.len() >= usize::from(u16::MAX) {
            return Err(DepmodError::TooManyModules { count: chosen.len() });
        }
        select::sort(&mut chosen, tree.text("modules.order").as_deref());
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
        let dependencies: Vec<Vec<usize>> = facts
            .iter()
            .zip(&paths)
            .map(|(own, path)| needs(own, path, &table, options, &mut findings))
            .collect();
        let mut symbols: Vec<(usize, &[u8])> = table
            .iter()
            .filter_map(|(name, offered)| Some((offered.owner?, *name)))
            .collect();
        order::sort(&mut symbols, order::SYMBOLS, |(_, name)| name);
        let symbols = symbols
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
        let mut seen = vec![usize::MAX; chosen.len()];
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

    /// All files, in the order in which `depmod` writes them, and what is wrong with single entries of them.
    ///
    /// # Errors
    ///
    /// When a binary index would be larger than its format allows.
    pub fn files(&self) -> Result<(Vec<IndexFile>, Vec<Finding>), DepmodError> {
        let mut found = Vec::new();
        let mut files = Vec::new();
        let text = |name, bytes| IndexFile { name, bytes };
        files.push(text("modules.dep", self.dependencies()));
        files.push(self.binary(
            "modules.dep.bin",
            "deps",
            Some(self.dependency_keys()),
            &mut found,
        )?);
        files.push(text("modules.alias", files::aliases(&self.modules)));
        let keys = self.alias_keys(&mut found);
        files.push(self.binary("modules.alias.bin", "alias", Some(keys), &mut found)?);
        files.push(text("modules.softdep", files::soft_dependencies(&self.modules)));
        if self.options.weak_dependencies {
            files.push(text("modules.weakdep", files::weak_dependencies(&self.modules)));
        }
        files.push(text("modules.symbols", files::symbols(self.owned_symbols())));
        files.push(self.binary(
            "modules.symbols.bin",
            "syms",
            Some(self.symbol_keys()),
            &mut found,
        )?);
        let keys = self
            .builtin
            .as_deref()
            .map(|text| builtin::names(text, &mut found));
        files.push(self.binary("modules.builtin.bin", "", keys, &mut found)?);
        let keys = self
            .builtin_modinfo
            .as_deref()
            .map(|text| builtin::aliases(text, &mut found));
        files.push(self.binary("modules.builtin.alias.bin", "", keys, &mut found)?);
        files.push(text(
            "modules.devname",
            files::device_names(&self.modules, &mut found),
        ));
        Ok((files, found))
    }

    /// What `depmod -n` prints: the text files one after the other.
    pub fn shown(&self) -> Vec<u8> {
        let mut out = self.dependencies();
        out.extend(files::aliases(&self.modules));
        out.extend(files::soft_dependencies(&self.modules));
        if self.options.weak_dependencies {
            out.extend(files::weak_dependencies(&self.modules));
        }
        out.extend(files::symbols(self.owned_symbols()));
        out.extend(files::device_names(&self.modules, &mut Vec::new()));
        out
    }

    fn dependencies(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for module in &self.modules {
            out.extend(files::dependency_line(module, &self.modules));
            out.push(b'\n');
        }
        out
    }

    fn dependency_keys(&self) -> Trie {
        let mut trie = Trie::default();
        for (number, module) in self.modules.iter().enumerate() {
            trie.insert(
                module.name.as_bytes(),
                &files::dependency_line(module, &self.modules),
                number as u32,
            );
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
        for (owner, name) in &self.symbols {
            if let Some(module) = self.modules.get(*owner) {
                let key = [b"symbol:", name.as_slice()].concat();
                trie.insert(&key, module.name.as_bytes(), *owner as u32);
            }
        }
        trie
    }

    /// A binary index; an empty file where its source is not there.
    fn binary(
        &self,
        name: &'static str,
        what: &'static str,
        trie: Option<Trie>,
        findings: &mut Vec<Finding>,
    ) -> Result<IndexFile, DepmodError> {
        let Some(trie) = trie else {
            return Ok(IndexFile {
                name,
                bytes: Vec::new(),
            });
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
        Ok(IndexFile {
            name,
            bytes: trie.write(name)?,
        })
    }

    fn owned_symbols(&self) -> impl Iterator<Item = (&[u8], &Indexed)> {
        self.symbols
            .iter()
            .filter_map(|(owner, name)| Some((name.as_slice(), self.modules.get(*owner)?)))
    }
}

/// All symbols by name; of several modules that export one, the last counts, and any counts more than the kernel.
fn symbol_table<'a>(facts: &'a [ModuleFacts], options: &'a Options) -> HashMap<&'a [u8], Offered> {
    let mut table: HashMap<&[u8], Offered> = HashMap::new();
    for (name, crc) in options.kernel.iter().flat_map(|kernel| &kernel.entries) {
        table.insert(
            name,
            Offered {
                owner: None,
                crc: *crc,
            },
        );
    }
    for (number, module) in facts.iter().enumerate() {
        for (name, crc) in module.exports() {
            let name = options.without_prefix(name);
            if !name.is_empty() {
                table.insert(
                    name,
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
    table: &HashMap<&[u8], Offered>,
    options: &Options,
    findings: &mut Vec<Finding>,
) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let kernel = options.kernel.as_ref();
    for needed in own.imports() {
        let symbol = || String::from_utf8_lossy(needed.name).into_owned();
        // On 64-bit PowerPC, `.name` is the code of `name`.
        let name = needed.name.strip_prefix(b".").unwrap_or(needed.name);
        let Some(offered) = table.get(options.without_prefix(name)) else {
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
        found.extend(offered.owner.filter(|owner| seen.insert(*owner)));
    }
    found
}
