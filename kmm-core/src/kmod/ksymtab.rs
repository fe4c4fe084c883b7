//! Exports of objects without the symbols `__ksymtab_NAME`, as `strip --strip-unneeded` leaves them: what is left are
//! the tables and the relocations that fill them.
//!
//! An entry of `__ksymtab` is the symbol's value, its name and, since 5.4, its namespace: addresses, or distances of
//! 32 bits. Each is one relocation; the two strings lie in `__ksymtab_strings`. Checksums lie in `__kcrctab` in the
//! same order.

use crate::kmod::Export;
use crate::kmod::elf::ElfFile;
use crate::kmod::elf::string_at;

/// The exports of one table, `__ksymtab` with a suffix; nothing where it cannot be made out.
pub(crate) fn exports(elf: &ElfFile<'_>, suffix: &str) -> Vec<Export> {
    read(elf, suffix).unwrap_or_default()
}

fn read(elf: &ElfFile<'_>, suffix: &str) -> Option<Vec<Export>> {
    let name = format!("__ksymtab{suffix}");
    let (_, table) = elf.section(&name)?;
    let (_, strings) = elf.section("__ksymtab_strings")?;
    let targets = targets(elf, &name, table)?;
    // Whatever is no string is a value: there is one in every entry.
    let count = targets.iter().filter(|target| target.string.is_none()).count();
    let size = (table.len() as u64)
        .checked_div(count as u64)
        .filter(|size| *size > 0)?;
    let crcs = elf.section(&format!("__kcrctab{suffix}")).map(|(_, bytes)| bytes);
    let mut rest = targets.iter().peekable();
    let mut found = Vec::with_capacity(count);
    // Strings may lie in each other; those of a linker do not.
    let mut left = strings.len();
    for number in 0..count {
        let mut texts = Vec::new();
        while let Some(target) = rest.next_if(|target| target.at / size == number as u64) {
            if let Some(at) = target.string {
                let string = string_at(strings, u32::try_from(at).ok()?)?;
                left = left.checked_sub(string.len())?;
                texts.push(String::from_utf8_lossy(string).into_owned());
            }
        }
        let mut texts = texts.into_iter();
        let name = texts.next()?;
        let crc = crcs.filter(|crcs| crcs.len() == 4 * count);
        found.push(Export {
            name,
            crc: crc.and_then(|crcs| elf.layout().word32(crcs, 4 * number)),
            namespace: texts.next().filter(|namespace| !namespace.is_empty()),
            gpl_only: suffix.starts_with("_gpl"),
        });
    }
    Some(found)
}

/// What one relocation fills in.
struct Target {
    /// Where in the table.
    at: u64,
    /// The place in `__ksymtab_strings`, if it is one.
    string: Option<u64>,
}

/// The relocations of a table, in its order.
fn targets(elf: &ElfFile<'_>, name: &str, table: &[u8]) -> Option<Vec<Target>> {
    let layout = elf.layout();
    let word = layout.word();
    let (bytes, with_addend) = match elf.section(&format!(".rela{name}")) {
        Some((_, bytes)) => (bytes, true),
        None => (elf.section(&format!(".rel{name}"))?.1, false),
    };
    let symbols = elf.symbol_table()?;
    let mut found = Vec::new();
    for entry in bytes.chunks_exact(if with_addend { 3 * word } else { 2 * word }) {
        let (at, info) = (layout.address(entry, 0)?, layout.address(entry, word)?);
        let number = if layout.wide { info >> 32 } else { info >> 8 };
        let symbol = elf.symbol_at(symbols, usize::try_from(number).ok()?)?;
        let section = elf.section_at(symbol.section);
        let is_string = section.is_some_and(|section| elf.is_named(section, "__ksymtab_strings"));
        let addend = match with_addend {
            true => layout.address(entry, 2 * word)?,
            false => u64::from(layout.word32(table, usize::try_from(at).ok()?)?),
        };
        found.push(Target {
            at,
            string: is_string.then(|| symbol.value.wrapping_add(addend)),
        });
    }
    found.sort_by_key(|target| target.at);
    Some(found)
}
