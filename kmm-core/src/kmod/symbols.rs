//! What a module takes from others and what it gives them.
//!
//! Surprises:
//! - `__versions` also names symbols that the symbol table does not: `module_layout` stands for the kernel's
//!   structures.
//! - A checksum is the value of `__crc_NAME` where that is absolute, and lies at that place of its section where it
//!   is not; which of both depends on the architecture and the kernel's version.
//! - Whether an export is GPL-only is told by the section that `__ksymtab_NAME` lies in.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::kmod::KmodError;
use crate::kmod::elf::ElfFile;
use crate::kmod::elf::LONGEST_NAME;
use crate::kmod::elf::Symbol;
use crate::kmod::elf::string_at;
use crate::kmod::elf::until_nul;
use crate::kmod::ksymtab;

/// A symbol that a module needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// Its checksum as the module knows it; `None` where the module has none for it.
    pub crc: Option<u32>,
    /// Whether the module can do without it.
    pub weak: bool,
}

/// A symbol that a module offers to other modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Its checksum; `None` for kernels without module versions.
    pub crc: Option<u32>,
    /// The namespace that a module must import to use it.
    pub namespace: Option<String>,
    /// Whether only modules under a GPL-compatible licence may use it.
    pub gpl_only: bool,
}

/// Where the checksums of imports stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Nowhere: built without module versions.
    None,
    /// In `__versions`: names of 55 bytes at the most (59 with 32-bit addresses).
    Basic,
    /// In `__version_ext_crcs` and `__version_ext_names`; kernels since 6.14, names of any length.
    Extended,
}

/// All that the symbol table and the version sections say.
#[derive(Debug)]
pub(crate) struct SymbolTable {
    pub(crate) imports: Vec<Import>,
    pub(crate) exports: Vec<Export>,
    pub(crate) versions: Versions,
    /// Checksums of names that the symbol table does not have, `module_layout` as a rule.
    pub(crate) hidden: Vec<(String, u32)>,
}

pub(crate) fn read(elf: &ElfFile<'_>) -> Result<SymbolTable, KmodError> {
    let (versions, checksums) = versions(elf)?;
    let mut unused: BTreeMap<&[u8], u32> = BTreeMap::new();
    for (name, crc) in checksums {
        unused.entry(name).or_insert(crc);
    }
    let mut names = Named::default();
    // Names may end in each other's middle. Those of a linker never come to more than the file, others could to a
    // thousand times that.
    let mut left = elf.size();
    let (symbols, strings) = elf.symbols()?;
    let mut imports = Vec::new();
    let mut seen = HashMap::new();
    for (number, symbol) in symbols.enumerate() {
        let name = string_at(strings, symbol.name).ok_or_else(|| {
            let reason = format!(
                "the name at {} has no end within 4096 bytes and the {} bytes of names",
                symbol.name,
                strings.len()
            );
            KmodError::damaged("symbol", number as u64 + 1, reason)
        })?;
        left = left.checked_sub(name.len()).ok_or_else(|| {
            let reason = format!(
                "the names up to here have more bytes than the file, which has {}",
                elf.size()
            );
            KmodError::damaged("symbol", number as u64 + 1, reason)
        })?;
        if symbol.section == Symbol::UNDEFINED {
            let register = elf.machine().has_register_symbols() && symbol.kind() == 13;
            if !name.is_empty() && !register && seen.insert(name, ()).is_none() {
                imports.push((name, symbol.is_weak()));
            }
        } else {
            names.take(name, symbol);
        }
    }
    let imports = imports.into_iter().map(|(name, weak)| {
        // PowerPC names code with a dot that its checksum does without.
        let bare = name.strip_prefix(b".").unwrap_or(name);
        let crc = unused.get(name).or_else(|| unused.get(bare)).copied();
        Import {
            name: text(name),
            crc,
            weak,
        }
    });
    let imports: Vec<Import> = imports.collect();
    unused
        .retain(|name, _| !seen.contains_key(name) && !seen.contains_key([b".", *name].concat().as_slice()));
    let hidden = unused.into_iter().map(|(name, crc)| (text(name), crc)).collect();
    Ok(SymbolTable {
        imports,
        exports: names.exports(elf)?,
        versions,
        hidden,
    })
}

/// Symbols whose names have a meaning, by what follows their prefix.
#[derive(Debug, Default)]
struct Named<'a> {
    entries: Vec<(&'a [u8], Symbol)>,
    checksums: HashMap<&'a [u8], Symbol>,
    namespaces: HashMap<&'a [u8], Symbol>,
}

impl<'a> Named<'a> {
    fn take(&mut self, name: &'a [u8], symbol: Symbol) {
        if let Some(name) = name.strip_prefix(b"__crc_") {
            self.checksums.insert(name, symbol);
        } else if let Some(name) = name.strip_prefix(b"__ksymtab_") {
            self.entries.push((name, symbol));
        } else if let Some(name) = name.strip_prefix(b"__kstrtabns_") {
            self.namespaces.insert(name, symbol);
        }
    }

    fn exports(&self, elf: &ElfFile<'_>) -> Result<Vec<Export>, KmodError> {
        let mut exports = Vec::new();
        let mut namespace_bytes = 0;
        for (name, symbol) in &self.entries {
            let Some(section) = elf.section_at(symbol.section).map(|section| elf.name_of(section)) else {
                continue;
            };
            // Linked as `__ksymtab_gpl`, before that `___ksymtab_gpl+NAME`.
            let Some(kind) = section
                .strip_prefix(b"___ksymtab")
                .or(section.strip_prefix(b"__ksymtab"))
            else {
                continue;
            };
            let crc = self
                .checksums
                .get(name)
                .map(|symbol| checksum(elf, name, symbol))
                .transpose()?;
            let namespace = self
                .namespaces
                .get(name)
                .map(|symbol| namespace(elf, name, symbol))
                .transpose()?;
            namespace_bytes += namespace.as_ref().map_or(0, String::len);
            if namespace_bytes > elf.size() {
                let reason = format!(
                    "the namespaces up to `{}` have more bytes than the file, which has {}",
                    text(name),
                    elf.size()
                );
                return Err(KmodError::damaged("exported symbols", 0, reason));
            }
            exports.push(Export {
                name: text(name),
                crc,
                namespace: namespace.filter(|namespace| !namespace.is_empty()),
                gpl_only: kind.starts_with(b"_gpl"),
            });
        }
        if exports.is_empty() {
            for suffix in ["", "_gpl"] {
                exports.extend(ksymtab::exports(elf, suffix));
            }
        }
        Ok(exports)
    }
}

/// The checksum that a `__crc_` symbol stands for.
fn checksum(elf: &ElfFile<'_>, name: &[u8], symbol: &Symbol) -> Result<u32, KmodError> {
    if symbol.section == Symbol::ABSOLUTE {
        return Ok(low_half(symbol.value));
    }
    let found = in_section(elf, symbol, |bytes, at| elf.layout().word32(bytes, at));
    found.ok_or_else(|| misplaced("checksum", name, symbol))
}

fn namespace(elf: &ElfFile<'_>, name: &[u8], symbol: &Symbol) -> Result<String, KmodError> {
    let found = in_section(elf, symbol, |bytes, at| {
        Some(text(string_at(bytes, u32::try_from(at).ok()?)?))
    });
    found.ok_or_else(|| misplaced("namespace", name, symbol))
}

fn in_section<T>(elf: &ElfFile<'_>, symbol: &Symbol, read: impl Fn(&[u8], usize) -> Option<T>) -> Option<T> {
    let bytes = elf.contents_of(elf.section_at(symbol.section)?).ok()?;
    read(bytes, usize::try_from(symbol.value).ok()?)
}

fn misplaced(what: &str, name: &[u8], symbol: &Symbol) -> KmodError {
    let reason = format!(
        "the {what} of `{}` lies outside of section {}, or has no end in it within {LONGEST_NAME} bytes",
        text(name),
        symbol.section
    );
    KmodError::damaged("exported symbols", symbol.value, reason)
}

/// Names with their checksums.
type Checksums<'a> = Vec<(&'a [u8], u32)>;

/// The checksums of imports, where the kernel looks for them: the extended form goes first.
fn versions<'a>(elf: &ElfFile<'a>) -> Result<(Versions, Checksums<'a>), KmodError> {
    if let Some((section, crcs)) = elf.section("__version_ext_crcs") {
        let place = "section `__version_ext_crcs`";
        let (_, names) = elf.section("__version_ext_names").ok_or(KmodError::Missing {
            section: "__version_ext_names",
        })?;
        if !crcs.len().is_multiple_of(4) {
            let reason = format!(
                "{} bytes are no multiple of 4, the size of a checksum",
                crcs.len()
            );
            return Err(KmodError::damaged(place, section.offset, reason));
        }
        let mut rest = names;
        let mut found = Vec::with_capacity(crcs.len() / 4);
        for (number, crc) in crcs.chunks_exact(4).enumerate() {
            let name = until_nul(rest).ok_or_else(|| {
                let reason = format!("{} checksums, but only {number} names", crcs.len() / 4);
                KmodError::damaged(place, section.offset, reason)
            })?;
            rest = rest.get(name.len() + 1..).unwrap_or_default();
            found.push((name, elf.layout().word32(crc, 0).unwrap_or_default()));
        }
        return Ok((Versions::Extended, found));
    }
    let Some((section, table)) = elf.section("__versions") else {
        return Ok((Versions::None, Vec::new()));
    };
    let place = "section `__versions`";
    if !table.len().is_multiple_of(64) {
        let reason = format!(
            "{} bytes are no multiple of 64, the size of an entry",
            table.len()
        );
        return Err(KmodError::damaged(place, section.offset, reason));
    }
    let mut found = Vec::with_capacity(table.len() / 64);
    for (number, entry) in table.chunks_exact(64).enumerate() {
        let (crc, name) = entry.split_at(elf.layout().word());
        let name = until_nul(name).ok_or_else(|| {
            KmodError::damaged(
                place,
                section.offset + 64 * number as u64,
                "the name of an entry has no end",
            )
        })?;
        found.push((name, low_half(elf.layout().address(crc, 0).unwrap_or_default())));
    }
    Ok((Versions::Basic, found))
}

/// The 32 bits that a checksum has.
fn low_half(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
