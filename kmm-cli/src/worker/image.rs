//! The modules of the image, as modprobe finds them.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::depmod::BinaryIndex;
use kmm_core::depmod::DependencyLine;
use kmm_core::kmod::Compression;
use kmm_core::kmod::KernelObject;
use kmm_core::modprobe::WORKER_ROOT;
use kmm_core::modprobe::module_of_file;
use kmm_core::worker::Reason;
use kmm_core::worker::loaded::Expected;
use kmm_core::worker::loaded::State;
use kmm_core::worker::target::ModulesDep;
use kmm_core::worker::target::Target;
use kmm_files::Decompressors;

use crate::beneath::Files;
use crate::beneath::Refused;
use crate::failure::Failure;
use crate::node::Node;
use crate::run::Run;

/// The most bytes of a file that is read to be checked: a worker has little memory. The kernel takes larger ones.
const LARGEST: u64 = 48 << 20;
/// The most bytes of a module that the kernel takes (`INT_MAX`).
const LARGEST_MODULE: u64 = (1 << 31) - 1;
/// The most bytes of an index: that of a whole kernel has less than two million.
const LARGEST_INDEX: u64 = 32 << 20;
/// What modprobe opens, where it is there.
const INDEXES: [&str; 8] = [
    "modules.dep.bin",
    "modules.alias.bin",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
    "modules.softdep",
    "modules.weakdep",
    "modules.dep",
];

/// A module of the image.
#[derive(Clone, Debug)]
pub struct ImageModule {
    /// Its name, with `_`.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// How the file is compressed.
    pub compression: Compression,
    /// What the file holds; `None` where it was not read.
    pub object: Option<KernelObject>,
    /// What is loaded when it is this one.
    pub expected: Expected,
    /// Whether it is one that is asked for, and not only needed by one.
    pub asked_for: bool,
}

impl ImageModule {
    /// Whether it has no signature, as far as that is known.
    pub fn is_unsigned(&self) -> bool {
        self.object
            .as_ref()
            .is_some_and(|object| object.signature.is_none())
    }
}

/// The modules of the image that a target needs, those that are loaded first first.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The modules.
    pub modules: Vec<ImageModule>,
}

impl Image {
    /// One of the modules.
    pub fn module(&self, name: &str) -> Option<&ImageModule> {
        self.modules.iter().find(|module| module.name == name)
    }

    /// Finds what a target needs.
    ///
    /// # Errors
    ///
    /// When the image has no index, not the module, not a file that it needs, or one of them is damaged.
    pub fn find(node: &Node, target: &Target, release: &str) -> Result<Self, Failure> {
        let Some(first) = target.modules.first() else {
            return Ok(Self::default());
        };
        let tree = PathBuf::from(target.tree(release));
        let files = files(node, target).map_err(|refused| no_index(&tree, &refused))?;
        let index = tree.join("modules.dep.bin");
        let bytes = files
            .read(&index, LARGEST_INDEX)
            .map_err(|refused| no_index(&tree, &refused))?;
        indexes_can_be_read(&files, &tree)?;
        let damaged = |error: &dyn std::fmt::Display| {
            Failure::new(
                Reason::ModulesDepMissing,
                format!("`{}`: {error}", index.display()),
            )
        };
        let index = BinaryIndex::parse(&bytes).map_err(|error| damaged(&error))?;
        let mut image = Self::default();
        // The loading order has those first that need the others.
        for name in target.modules.iter().rev() {
            match index.dependencies(name).map_err(|error| damaged(&error))? {
                Some(line) => image.add(&files, &tree, &line)?,
                None if name == first && is_plain(name) && !has_alias(node, &files, &tree, name) => {
                    let proof = format!("`{}` has no module `{name}`", tree.display());
                    return Err(Failure::new(Reason::ModuleMissing, proof));
                }
                // An alias, or one that comes with the kernel: modprobe knows.
                None => {}
            }
        }
        for module in &mut image.modules {
            module.asked_for = target.modules.contains(&module.name);
        }
        Ok(image)
    }

    fn add(&mut self, files: &Files<'_>, tree: &Path, line: &DependencyLine) -> Result<(), Failure> {
        for file in line.needs.iter().rev().chain([&line.path]) {
            let Some(name) = module_of_file(file) else {
                continue;
            };
            if self.module(&name).is_some() {
                continue;
            }
            // Absolute paths, those of `external` folders of depmod, stay what they are.
            self.modules.push(read(files, name, &tree.join(file))?);
        }
        Ok(())
    }
}

/// Modules that are loaded and have the name of one of these symbols as a text: a module that gets hold of a symbol
/// while it runs (`symbol_get`) is no holder of its owner, and names it so.
pub fn naming(run: &Run, target: &Target, release: &str, symbols: &[&str]) -> Vec<String> {
    let node = &run.node;
    let tree = PathBuf::from(target.tree(release));
    let Ok(files) = files(node, target) else {
        return Vec::new();
    };
    let text = files
        .read(&tree.join("modules.dep"), LARGEST_INDEX)
        .unwrap_or_default();
    let index = ModulesDep::parse(&String::from_utf8_lossy(&text));
    let loaded = index.paths().filter_map(|path| {
        let name = module_of_file(path)?;
        let looked_at = !run.is_to_stop() && node.observe(&name).state() == State::Live;
        looked_at.then(|| (name, tree.join(path)))
    });
    let names = loaded.filter_map(|(name, path)| {
        let bytes = files.read(&path, LARGEST).ok()?;
        let bytes = kmm_core::kmod::unpack(&bytes, &Decompressors).ok()?;
        // Only the texts of the code: the tables of symbols have the names of what is used the ordinary way.
        let mut texts = bytes.split(|byte| *byte == 0);
        let object = KernelObject::read(&bytes, &Decompressors).ok()?;
        let told = |symbol: &[u8]| {
            let imports = object
                .imports
                .iter()
                .any(|import| import.name.as_bytes() == symbol);
            imports
                || object
                    .exports
                    .iter()
                    .any(|export| export.name.as_bytes() == symbol)
        };
        texts
            .any(|text| symbols.iter().any(|symbol| symbol.as_bytes() == text) && !told(text))
            .then_some(name)
    });
    names.collect()
}

/// The files that modprobe is given: those below the folder of the worker where it is one of them, as links may lead from
/// one folder of an image to another one.
fn files<'n>(node: &'n Node, target: &Target) -> Result<Files<'n>, Refused> {
    let folder = Path::new(&target.folder);
    let worker = node.path(WORKER_ROOT);
    let root = if folder.starts_with(&worker) {
        &worker
    } else {
        folder
    };
    Files::beneath(node, root)
}

/// Whether modprobe can find out what a target needs without waiting for ever; an image that is gone is none of it.
///
/// # Errors
///
/// When a file that modprobe would open is no plain file, or larger than any.
pub fn can_be_searched(node: &Node, target: &Target, release: &str) -> Result<(), Failure> {
    match files(node, target) {
        Ok(files) => indexes_can_be_read(&files, Path::new(&target.tree(release))),
        Err(_) => Ok(()),
    }
}

/// Whether modprobe can read its files without waiting for ever.
fn indexes_can_be_read(files: &Files<'_>, tree: &Path) -> Result<(), Failure> {
    for index in INDEXES {
        match files.look(&tree.join(index), LARGEST_INDEX) {
            Err(refused) if !refused.is_absent() => return Err(refused.failure(Reason::ModulesDepMissing)),
            _ => {}
        }
    }
    Ok(())
}

fn read(files: &Files<'_>, name: String, path: &Path) -> Result<ImageModule, Failure> {
    let refused = |refused: &Refused| {
        refused.failure(if refused.is_absent() {
            Reason::DependencyMissing
        } else {
            Reason::FileFailed
        })
    };
    let (file, size) = files.open(path).map_err(|error| refused(&error))?;
    let mut module = ImageModule {
        name,
        compression: Compression::None,
        object: None,
        expected: Expected::default(),
        asked_for: false,
        path: path.to_owned(),
    };
    if size > LARGEST_MODULE {
        let proof = format!(
            "`{}` has {size} bytes: the kernel takes at most {LARGEST_MODULE}",
            path.display()
        );
        return Err(Failure::new(Reason::ModuleDamaged, proof));
    }
    if size > LARGEST {
        return Ok(module);
    }
    let bytes = Files::read_open(path, file, size, LARGEST).map_err(|error| refused(&error))?;
    module.compression = Compression::of(&bytes);
    let damaged = |error: kmm_core::kmod::KmodError| {
        Failure::new(Reason::ModuleDamaged, format!("`{}`: {error}", path.display()))
    };
    let bytes = kmm_core::kmod::unpack(&bytes, &Decompressors).map_err(damaged)?;
    let object = KernelObject::read(&bytes, &Decompressors).map_err(damaged)?;
    module.expected = Expected::of(&bytes, &object, &Decompressors).map_err(damaged)?;
    module.object = Some(object);
    Ok(module)
}

fn no_index(tree: &Path, refused: &Refused) -> Failure {
    if refused.is_absent() && !tree.is_dir() {
        let others: Vec<String> = tree
            .parent()
            .and_then(|folder| fs::read_dir(folder).ok())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .take(5)
            .collect();
        let there = if others.is_empty() {
            "nothing is beside it".to_owned()
        } else {
            format!("beside it is {}", others.join(", "))
        };
        let proof = format!("`{}` is not there; {there}", tree.display());
        return Failure::new(Reason::ModulesDepMissing, proof);
    }
    refused.failure(Reason::ModulesDepMissing)
}

/// Whether a name is one of a module, and no pattern of an alias.
fn is_plain(name: &str) -> bool {
    !name.contains([':', '*', '?', '[', '/'])
}

/// Whether modprobe may know the name as something else than a file: an alias of the index, a module that is part of
/// the kernel, or anything in its own configuration.
fn has_alias(node: &Node, files: &Files<'_>, tree: &Path, name: &str) -> bool {
    let in_index = [
        "modules.alias.bin",
        "modules.builtin.bin",
        "modules.builtin.alias.bin",
    ]
    .iter()
    .any(|index| {
        files.read(&tree.join(index), LARGEST_INDEX).is_ok_and(|bytes| {
            let found = BinaryIndex::parse(&bytes).and_then(|index| index.lookup(name.as_bytes()));
            found.is_ok_and(|values| !values.is_empty())
        })
    });
    let dashed = name.replace('_', "-");
    let in_configuration = || {
        let folders = [
            "/etc/modprobe.d",
            "/run/modprobe.d",
            "/usr/lib/modprobe.d",
            "/lib/modprobe.d",
        ];
        let files = folders
            .iter()
            .flat_map(|folder| fs::read_dir(node.path(folder)).into_iter().flatten().flatten());
        let mut words = files
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .flat_map(|text| {
                let words: Vec<String> = text.split_ascii_whitespace().map(str::to_owned).collect();
                words
            });
        words.any(|word| word == name || word == dashed)
    };
    in_index || in_configuration()
}
