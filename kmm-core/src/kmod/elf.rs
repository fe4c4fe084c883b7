//! ELF files as far as kernel objects need them: sections and symbols, in both classes and byte orders.
//!
//! A reader of its own rather than a library's: errors name the section and the byte, and `depmod` and the kernel
//! take sections by name where ELF has links, so that is what has to be read to decide as they do.

use std::fmt;
use std::ops::Range;

use crate::kmod::ByteSource;
use crate::kmod::KmodError;
use crate::kmod::machine::Machine;

const NOBITS: u32 = 8;

/// A checked view of the section headers; contents are looked at when asked for.
pub(crate) struct ElfFile<'a> {
    source: &'a dyn ByteSource,
    layout: Layout,
    machine: Machine,
    kind: u16,
    sections: Vec<Section>,
    names: &'a [u8],
}

/// Word size and byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Whether addresses have 64 bits, not 32.
    pub wide: bool,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
}

impl Layout {
    /// Bytes of an address, and of the kernel's `unsigned long`.
    pub fn word(self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    /// 16 bits.
    pub(crate) fn half(self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian {
            u16::from_be_bytes(field)
        } else {
            u16::from_le_bytes(field)
        })
    }

    /// 32 bits.
    pub(crate) fn word32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian {
            u32::from_be_bytes(field)
        } else {
            u32::from_le_bytes(field)
        })
    }

    /// An address or size: 4 or 8 bytes.
    pub(crate) fn address(self, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.wide {
            return self.word32(bytes, at).map(u64::from);
        }
        let field = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(if self.big_endian {
            u64::from_be_bytes(field)
        } else {
            u64::from_le_bytes(field)
        })
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.wide { 64 } else { 32 };
        let end = if self.big_endian { "big" } else { "little" };
        write!(f, "{bits}-bit {end}-endian")
    }
}

/// A section header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    pub(crate) name: u32,
    pub(crate) kind: u32,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// A symbol; its name is an offset into `.strtab`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol {
    pub(crate) name: u32,
    pub(crate) value: u64,
    pub(crate) info: u8,
    pub(crate) section: u16,
}

impl Symbol {
    pub(crate) const UNDEFINED: u16 = 0;
    pub(crate) const ABSOLUTE: u16 = 0xfff1;

    pub(crate) fn is_weak(self) -> bool {
        self.info >> 4 == 2
    }

    pub(crate) fn kind(self) -> u8 {
        self.info & 0xf
    }
}

impl<'a> ElfFile<'a> {
    /// Reads the headers: every table must lie inside of the file, every other section is looked at when it is used.
    pub(crate) fn parse(source: &'a dyn ByteSource) -> Result<Self, KmodError> {
        let bytes = source.bytes(0..source.size().min(64)).unwrap_or_default();
        if !bytes.starts_with(b"\x7fELF") {
            let start: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            return Err(KmodError::Foreign {
                start: start.join(" "),
            });
        }
        let header = |at: u64, reason: String| KmodError::damaged("ELF header", at, reason);
        let wide = match bytes.get(4) {
            Some(1) => false,
            Some(2) => true,
            other => {
                return Err(header(
                    4,
                    format!("class `{}`, allowed are 1 (32-bit) and 2 (64-bit)", shown(other)),
                ));
            }
        };
        let big_endian = match bytes.get(5) {
            Some(1) => false,
            Some(2) => true,
            other => {
                return Err(header(
                    5,
                    format!(
                        "data encoding `{}`, allowed are 1 (little-endian) and 2 (big-endian)",
                        shown(other)
                    ),
                ));
            }
        };
        let layout = Layout { wide, big_endian };
        // e_shoff and what follows it, per class.
        let (length, at_offset, at_size, entry) = if wide {
            (64, 0x28, 0x3a, 64)
        } else {
            (52, 0x20, 0x2e, 40)
        };
        let short = || {
            header(
                0,
                format!(
                    "the file has {} bytes, the header alone has {length}",
                    source.size()
                ),
            )
        };
        if source.size() <= length {
            return Err(short());
        }
        let half = |at| layout.half(bytes, at).ok_or_else(short);
        let kind = half(0x10)?;
        let machine = Machine(half(0x12)?);
        let table = layout.address(bytes, at_offset).ok_or_else(short)?;
        let (entry_size, count, names_index) = (half(at_size)?, half(at_size + 2)?, half(at_size + 4)?);
        if usize::from(entry_size) != entry {
            return Err(header(
                at_size as u64,
                format!("section headers of `{entry_size}` bytes, they have {entry}"),
            ));
        }
        let sections = read_sections(source, layout, table, entry, count)?;
        let names = match sections.get(usize::from(names_index)) {
            Some(section) if names_index != 0 => *section,
            _ => {
                let reason = format!("section names in section `{names_index}`, there are {count}");
                return Err(header(at_size as u64 + 4, reason));
            }
        };
        let place = format!("section {names_index} (section names)");
        let names =
            contents(source, &names).map_err(|reason| KmodError::damaged(&*place, names.offset, reason))?;
        if names.last() != Some(&0) {
            let end = sections
                .get(usize::from(names_index))
                .map_or(0, |section| section.offset);
            return Err(KmodError::damaged(place, end, "the last string has no end"));
        }
        Ok(Self {
            source,
            layout,
            machine,
            kind,
            sections,
            names,
        })
    }

    /// Bytes of the file, unpacked.
    pub(crate) fn size(&self) -> usize {
        self.source.size()
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn machine(&self) -> Machine {
        self.machine
    }

    pub(crate) fn section_at(&self, index: u16) -> Option<&Section> {
        self.sections.get(usize::from(index))
    }

    pub(crate) fn name_of(&self, section: &Section) -> &'a [u8] {
        string_at(self.names, section.name).unwrap_or_default()
    }

    /// Compares without looking for the end of the name, which may be far away.
    pub(crate) fn is_named(&self, section: &Section, name: &str) -> bool {
        let from = usize::try_from(section.name)
            .ok()
            .and_then(|at| self.names.get(at..))
            .unwrap_or_default();
        from.strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
    }

    pub(crate) fn contents_of(&self, section: &Section) -> Result<&'a [u8], String> {
        contents(self.source, section)
    }

    /// The first section of a name whose contents lie inside of the file, as kmod takes it.
    pub(crate) fn section(&self, name: &str) -> Option<(&Section, &'a [u8])> {
        let named = self
            .sections
            .iter()
            .skip(1)
            .filter(|section| self.is_named(section, name));
        named
            .filter_map(|section| Some((section, self.contents_of(section).ok()?)))
            .next()
    }

    /// The first section of a name, as the kernel takes it.
    pub(crate) fn declared(&self, name: &str) -> Option<(usize, &Section)> {
        self.sections
            .iter()
            .enumerate()
            .skip(1)
            .find(|(_, section)| self.is_named(section, name))
    }

    /// What the kernel asks of the file as a whole, and that no two sections share bytes.
    pub(crate) fn check(&self) -> Result<(), KmodError> {
        if self.kind != 1 {
            let reason = format!("file type `{}`, a kernel object has 1 (relocatable)", self.kind);
            return Err(KmodError::damaged("ELF header", 0x10, reason));
        }
        let mut extents = Vec::with_capacity(self.sections.len());
        for (index, section) in self.sections.iter().enumerate().skip(1) {
            if section.name as usize >= self.names.len() {
                let reason = format!(
                    "its name is at {} of {} bytes of names",
                    section.name,
                    self.names.len()
                );
                return Err(KmodError::damaged(self.place(index), section.offset, reason));
            }
            range_of(self.source, section)
                .map_err(|reason| KmodError::damaged(self.place(index), section.offset, reason))?;
            if section.kind != NOBITS && section.size > 0 {
                extents.push((section.offset, section.offset + section.size, index));
            }
        }
        extents.sort_unstable();
        for pair in extents.windows(2) {
            if let [(_, end, first), (start, _, second)] = pair
                && start < end
            {
                let reason = format!("it lies on {}, which ends at {end:#x}", self.place(*first));
                return Err(KmodError::damaged(self.place(*second), *start, reason));
            }
        }
        Ok(())
    }

    /// How a section is named in errors.
    pub(crate) fn place(&self, index: usize) -> String {
        match self.sections.get(index) {
            Some(section) => {
                format!(
                    "section {index} (`{}`)",
                    String::from_utf8_lossy(self.name_of(section))
                )
            }
            None => format!("section {index}"),
        }
    }

    /// The bytes of `.symtab`, for [`symbol_at`](Self::symbol_at).
    pub(crate) fn symbol_table(&self) -> Option<&'a [u8]> {
        Some(self.section(".symtab")?.1)
    }

    /// A symbol of the table by its number.
    pub(crate) fn symbol_at(&self, table: &[u8], number: usize) -> Option<Symbol> {
        let rest = table.get(number.checked_mul(symbol_size(self.layout))?..)?;
        Symbols {
            rest,
            layout: self.layout,
        }
        .next()
    }

    /// The symbols of `.symtab` but the first, with `.strtab`.
    pub(crate) fn symbols(&self) -> Result<(Symbols<'a>, &'a [u8]), KmodError> {
        let (_, strings) = self
            .section(".strtab")
            .ok_or(KmodError::Missing { section: ".strtab" })?;
        let (section, table) = self
            .section(".symtab")
            .ok_or(KmodError::Missing { section: ".symtab" })?;
        let size = symbol_size(self.layout);
        if !table.len().is_multiple_of(size) {
            let reason = format!(
                "{} bytes are no multiple of {size}, the size of a symbol",
                table.len()
            );
            return Err(KmodError::damaged("section `.symtab`", section.offset, reason));
        }
        Ok((
            Symbols {
                rest: table.get(size..).unwrap_or_default(),
                layout: self.layout,
            },
            strings,
        ))
    }
}

/// How many bytes a symbol has.
fn symbol_size(layout: Layout) -> usize {
    if layout.wide { 24 } else { 16 }
}

/// Goes over a symbol table.
#[derive(Clone, Debug)]
pub(crate) struct Symbols<'a> {
    rest: &'a [u8],
    layout: Layout,
}

impl Iterator for Symbols<'_> {
    type Item = Symbol;

    fn next(&mut self) -> Option<Symbol> {
        let layout = self.layout;
        let (entry, rest) = self.rest.split_at_checked(symbol_size(layout))?;
        self.rest = rest;
        let name = layout.word32(entry, 0)?;
        Some(if layout.wide {
            Symbol {
                name,
                info: *entry.get(4)?,
                section: layout.half(entry, 6)?,
                value: layout.address(entry, 8)?,
            }
        } else {
            Symbol {
                name,
                value: layout.address(entry, 4)?,
                info: *entry.get(12)?,
                section: layout.half(entry, 14)?,
            }
        })
    }
}

/// More than any name has; without a limit, a table of overlapping names could be made that takes hours to read.
pub(crate) const LONGEST_NAME: usize = 4096;

/// The string at a place of a string table; `None` where it has no end or is too long for a name.
pub(crate) fn string_at(strings: &[u8], at: u32) -> Option<&[u8]> {
    let from = strings.get(usize::try_from(at).ok()?..)?;
    until_nul(from.get(..LONGEST_NAME).unwrap_or(from))
}

/// The bytes up to the first NUL; `None` where there is none.
pub(crate) fn until_nul(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(..end)
}

fn read_sections(
    source: &dyn ByteSource,
    layout: Layout,
    table: u64,
    entry: usize,
    count: u16,
) -> Result<Vec<Section>, KmodError> {
    let place = "section headers";
    let length = usize::from(count) * entry;
    let range = usize::try_from(table)
        .ok()
        .and_then(|start| Some(start..start.checked_add(length)?));
    let Some(headers) = range.and_then(|range| source.bytes(range)) else {
        let reason = format!(
            "{count} headers of {entry} bytes go past the end of the file ({} bytes)",
            source.size()
        );
        return Err(KmodError::damaged(place, table, reason));
    };
    let w = layout.word();
    let read = |header: &[u8]| {
        Some(Section {
            name: layout.word32(header, 0)?,
            kind: layout.word32(header, 4)?,
            offset: layout.address(header, 8 + 2 * w)?,
            size: layout.address(header, 8 + 3 * w)?,
        })
    };
    let sections: Option<Vec<Section>> = headers.chunks_exact(entry).map(read).collect();
    sections.ok_or_else(|| KmodError::damaged(place, table, "a header is cut off"))
}

fn contents<'a>(source: &'a dyn ByteSource, section: &Section) -> Result<&'a [u8], String> {
    let range = range_of(source, section)?;
    if range.is_empty() {
        return Ok(&[]);
    }
    source
        .bytes(range)
        .ok_or_else(|| format!("its {} bytes cannot be read", section.size))
}

/// Where the contents of a section lie; nowhere if it has none in the file.
fn range_of(source: &dyn ByteSource, section: &Section) -> Result<Range<usize>, String> {
    if section.kind == NOBITS {
        return Ok(0..0);
    }
    let range = || {
        let start = usize::try_from(section.offset).ok()?;
        Some(start..start.checked_add(usize::try_from(section.size).ok()?)?)
    };
    range().filter(|range| range.end <= source.size()).ok_or_else(|| {
        format!(
            "{} bytes go past the end of the file ({} bytes)",
            section.size,
            source.size()
        )
    })
}

fn shown(byte: Option<&u8>) -> String {
    byte.map_or_else(String::new, ToString::to_string)
}
