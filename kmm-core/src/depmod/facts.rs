//! What the index needs of a module, read as `depmod` reads it.
//!
//! This is more forgiving than [`KernelObject`]: a module with a damaged part keeps its
//! line in `modules.dep`, and what can be read of it is used.

use crate::depmod::hashed::ByName;
use crate::depmod::hashed::Hashed;
use crate::kmod::ByteSource;
use crate::kmod::Decompress;
use crate::kmod::KernelObject;
use crate::kmod::KmodError;
use crate::kmod::elf::ElfFile;
use crate::kmod::elf::Symbol;
use crate::kmod::elf::string_at;
use crate::kmod::elf::until_nul;
use crate::kmod::pairs;
use crate::kmod::unpack;

/// A module as the index sees it: names of symbols, aliases and dependencies, in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleFacts {
    text: Vec<u8>,
    /// Bytes of text that are kept, while the object is read.
    most_text: usize,
    exports: Vec<Symbolic>,
    imports: Vec<Symbolic>,
    information: Vec<(Field, Span)>,
}

/// An export or an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Symbolic {
    name: Span,
    hash: u32,
    weak: bool,
    crc: u64,
}

/// Bytes of [`ModuleFacts::text`].
type Span = (u32, u32);

/// The fields of `.modinfo` that the index uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Alias,
    SoftDependency,
    WeakDependency,
}

/// A symbol that a module needs, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needed<'a> {
    pub(crate) symbol: Hashed<'a>,
    pub(crate) crc: u64,
    pub(crate) weak: bool,
}

impl ModuleFacts {
    /// Reads a kernel object.
    ///
    /// # Errors
    ///
    /// When the file cannot be unpacked, is no ELF file, or its section headers are damaged.
    pub fn read(bytes: &[u8], decompress: &dyn Decompress) -> Result<Self, KmodError> {
        Self::read_from(&unpack(bytes, decompress)?)
    }

    /// The same of a plain file, of which only the parts are looked at that have to be.
    ///
    /// # Errors
    ///
    /// When it is no ELF file, or its section headers are damaged.
    pub fn read_from(source: &dyn ByteSource) -> Result<Self, KmodError> {
        let elf = ElfFile::parse(source)?;
        // Names may lie in each other; those of a linker never come to more than the file.
        let mut facts = Self {
            most_text: source.size(),
            ..Self::default()
        };
        if facts.read_checksums(&elf).is_none() {
            facts.exports.clear();
            facts.read_export_strings(&elf);
        }
        if facts.read_imports(&elf).is_none() {
            facts.imports.clear();
        }
        facts.read_information(&elf);
        facts.most_text = 0;
        facts.text.shrink_to_fit();
        facts.exports.shrink_to_fit();
        facts.imports.shrink_to_fit();
        facts.information.shrink_to_fit();
        Ok(facts)
    }

    /// The same of an object that was read before.
    pub(crate) fn of(object: &KernelObject) -> Self {
        let mut facts = Self {
            // What was read of an object is bounded already.
            most_text: usize::MAX,
            ..Self::default()
        };
        for export in &object.exports {
            let crc = u64::from(export.crc.unwrap_or_default());
            let export = facts.symbolic(Hashed::new(export.name.as_bytes()), crc, false);
            facts.exports.extend(export);
        }
        for import in &object.imports {
            let crc = u64::from(import.crc.unwrap_or_default());
            let import = facts.symbolic(Hashed::new(import.name.as_bytes()), crc, import.weak);
            facts.imports.extend(import);
        }
        let fields = [
            ("alias", Field::Alias),
            ("softdep", Field::SoftDependency),
            ("weakdep", Field::WeakDependency),
        ];
        for (key, value) in object.info.pairs() {
            let field = fields.iter().find(|(name, _)| name.as_bytes() == key);
            if let Some(((_, field), span)) = field.zip(facts.keep(value)) {
                facts.information.push((*field, span));
            }
        }
        facts.most_text = 0;
        facts
    }

    /// The exported symbols with their checksums.
    pub(crate) fn exports(&self) -> impl Iterator<Item = (Hashed<'_>, u64)> {
        self.exports
            .iter()
            .map(|export| (self.hashed(export), export.crc))
    }

    /// The symbols it needs, in the order of the symbol table, then what only `__versions` names.
    pub(crate) fn imports(&self) -> impl Iterator<Item = Needed<'_>> {
        let needed = |import: &Symbolic| Needed {
            symbol: self.hashed(import),
            crc: import.crc,
            weak: import.weak,
        };
        self.imports.iter().map(needed)
    }

    /// The values of a field, in their order.
    pub(crate) fn values(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.information
            .iter()
            .filter(move |(kind, _)| *kind == field)
            .map(|(_, span)| self.bytes(*span))
    }

    fn bytes(&self, (start, end): Span) -> &[u8] {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    fn hashed(&self, symbol: &Symbolic) -> Hashed<'_> {
        Hashed::known(self.bytes(symbol.name), symbol.hash)
    }

    fn symbolic(&mut self, symbol: Hashed<'_>, crc: u64, weak: bool) -> Option<Symbolic> {
        Some(Symbolic {
            name: self.keep(symbol.name)?,
            hash: symbol.hash(),
            weak,
            crc,
        })
    }

    fn keep(&mut self, bytes: &[u8]) -> Option<Span> {
        let start = u32::try_from(self.text.len()).ok()?;
        if bytes.len() > self.most_text - self.text.len().min(self.most_text) {
            return None;
        }
        self.text.extend_from_slice(bytes);
        Some((start, u32::try_from(self.text.len()).ok()?))
    }

    /// Every symbol `__crc_NAME`; `None` where there is none, or a name lies outside of the strings.
    fn read_checksums(&mut self, elf: &ElfFile<'_>) -> Option<()> {
        let (symbols, strings) = elf.symbols().ok()?;
        for symbol in symbols {
            let name = strings
                .get(usize::try_from(symbol.name).ok()?..)
                .filter(|name| !name.is_empty())?;
            if !name.starts_with(b"__crc_") {
                continue;
            }
            let crc = match symbol.section {
                Symbol::UNDEFINED | Symbol::ABSOLUTE => symbol.value,
                section => checksum_in(elf, section, symbol.value).unwrap_or(u64::MAX),
            };
            let name = string_at(strings, symbol.name)?;
            let export = self.symbolic(Hashed::new(name.get(6..)?), crc, false)?;
            self.exports.push(export);
        }
        (!self.exports.is_empty()).then_some(())
    }

    /// The strings of `__ksymtab_strings`: names, and namespaces too, without checksums.
    fn read_export_strings(&mut self, elf: &ElfFile<'_>) -> Option<()> {
        let (_, text) = elf.section("__ksymtab_strings")?;
        let padding = text.iter().take_while(|byte| **byte == 0).count();
        if text.len() - padding <= 1 {
            return None;
        }
        for name in text.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let export = self.symbolic(Hashed::new(name), 0, false)?;
            self.exports.push(export);
        }
        Some(())
    }

    fn read_imports(&mut self, elf: &ElfFile<'_>) -> Option<()> {
        let table = elf.section("__versions").map_or(&[][..], |(_, table)| table);
        let table = if table.len().is_multiple_of(64) {
            table
        } else {
            &[]
        };
        let word = elf.layout().word();
        let versions = table.chunks_exact(64).map(|entry| {
            let (crc, name) = entry.split_at(word);
            let name = Hashed::new(until_nul(name).unwrap_or(name));
            (name, elf.layout().address(crc, 0).unwrap_or_default())
        });
        let versions: Vec<(Hashed<'_>, u64)> = versions.collect();
        let mut places: ByName<'_, usize> =
            ByName::with_capacity_and_hasher(versions.len(), Default::default());
        for (place, (name, _)) in versions.iter().enumerate() {
            places.entry(*name).or_insert(place);
        }
        let mut used = vec![false; versions.len()];
        let (symbols, strings) = elf.symbols().ok()?;
        self.imports.reserve(versions.len());
        for symbol in symbols.filter(|symbol| symbol.section == Symbol::UNDEFINED) {
            if elf.machine().has_register_symbols() && symbol.kind() == 13 {
                continue;
            }
            let name = string_at(strings, symbol.name)?;
            if name.is_empty() {
                continue;
            }
            let name = Hashed::new(name);
            let place = places.get(&name).copied();
            if let Some(used) = place.and_then(|place| used.get_mut(place)) {
                *used = true;
            }
            let crc = place
                .and_then(|place| versions.get(place))
                .map_or(0, |(_, crc)| *crc);
            let import = self.symbolic(name, crc, symbol.is_weak())?;
            self.imports.push(import);
        }
        for ((name, crc), _) in versions.iter().zip(used).filter(|(_, used)| !used) {
            let import = self.symbolic(*name, *crc, false)?;
            self.imports.push(import);
        }
        Some(())
    }

    fn read_information(&mut self, elf: &ElfFile<'_>) -> Option<()> {
        let (_, text) = elf.section(".modinfo")?;
        for (key, value) in pairs(text) {
            let field = match text.get(key)? {
                b"alias" => Field::Alias,
                b"softdep" => Field::SoftDependency,
                b"weakdep" => Field::WeakDependency,
                _ => continue,
            };
            let span = self.keep(text.get(value)?)?;
            self.information.push((field, span));
        }
        Some(())
    }
}

fn checksum_in(elf: &ElfFile<'_>, section: u16, at: u64) -> Option<u64> {
    let bytes = elf.contents_of(elf.section_at(section)?).ok()?;
    elf.layout()
        .word32(bytes, usize::try_from(at).ok()?)
        .map(u64::from)
}
