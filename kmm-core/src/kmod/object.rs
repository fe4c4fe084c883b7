//! All of one kernel object.

use crate::kmod::Compression;
use crate::kmod::Decompress;
use crate::kmod::Export;
use crate::kmod::Import;
use crate::kmod::KmodError;
use crate::kmod::Layout;
use crate::kmod::Machine;
use crate::kmod::ModuleInfo;
use crate::kmod::Signature;
use crate::kmod::Versions;
use crate::kmod::compression::unpack;
use crate::kmod::elf::ElfFile;
use crate::kmod::elf::until_nul;
use crate::kmod::symbols;

/// A kernel module as its file tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KernelObject {
    /// How the file is compressed.
    pub compression: Compression,
    /// The architecture.
    pub machine: Machine,
    /// Word size and byte order.
    pub layout: Layout,
    /// The module's name as the kernel will show it, with `_` and no `-`.
    pub name: String,
    /// What the module says of itself.
    pub info: ModuleInfo,
    /// The symbols it needs, in the order of its symbol table.
    pub imports: Vec<Import>,
    /// The symbols it offers, in the order of its symbol table.
    pub exports: Vec<Export>,
    /// Where the checksums of its imports stand.
    pub versions: Versions,
    /// The checksum of the kernel's own structures (`module_layout`) as the module knows it.
    pub module_layout: Option<u32>,
    /// Bytes of the kernel's `struct module` when it was built. Kernels since 6.4 refuse another size.
    pub module_struct_size: u64,
    /// The signature at its end.
    pub signature: Option<Signature>,
}

impl KernelObject {
    /// Reads a file: compressed or not, of any architecture and byte order.
    ///
    /// # Errors
    ///
    /// When the file cannot be unpacked, is no ELF file or no relocatable one, has tables or sections that do not lie
    /// inside of it or lie on each other, strings without an end, a trailer that is no signature, or when one of the
    /// sections is missing that the kernel asks for: `.modinfo`, `.symtab`, `.strtab`, `.gnu.linkonce.this_module`.
    pub fn read(bytes: &[u8], decompress: &dyn Decompress) -> Result<Self, KmodError> {
        let compression = Compression::of(bytes);
        let bytes = unpack(bytes, decompress)?;
        let elf = ElfFile::parse(&bytes)?;
        elf.check()?;
        let info = ModuleInfo::of(&elf, &bytes)?;
        if let Some((index, section)) = elf.declared(".modinfo")
            && !matches!(info.text(), [] | [.., 0])
        {
            return Err(KmodError::damaged(
                elf.place(index),
                section.offset,
                "the last string has no end",
            ));
        }
        let this_module = ".gnu.linkonce.this_module";
        let Some((_, own)) = elf.declared(this_module) else {
            return Err(KmodError::Missing { section: this_module });
        };
        let table = symbols::read(&elf)?;
        let layout_symbol = |(name, _): &&(String, u32)| name == "module_layout" || name == "struct_module";
        Ok(Self {
            compression,
            machine: elf.machine(),
            layout: elf.layout(),
            name: name(&elf, &info),
            imports: table.imports,
            exports: table.exports,
            versions: table.versions,
            module_layout: table.hidden.iter().find(layout_symbol).map(|(_, crc)| *crc),
            module_struct_size: own.size,
            signature: Signature::at_end_of(&bytes)?,
            info,
        })
    }

    /// The checksum that the module has for a symbol.
    pub fn crc_of(&self, symbol: &str) -> Option<u32> {
        if symbol == "module_layout" {
            return self.module_layout;
        }
        self.imports.iter().find(|import| import.name == symbol)?.crc
    }
}

/// `name` of `.modinfo`; objects of kernels before 4.14 have it in `struct module` only.
fn name(elf: &ElfFile<'_>, info: &ModuleInfo) -> String {
    if let Some(name) = info.value("name") {
        return name.into_owned();
    }
    // After a state (an `int`) and two pointers, at the place that alignment asks for.
    let offset = 3 * elf.layout().word();
    let own = elf
        .section(".gnu.linkonce.this_module")
        .and_then(|(_, bytes)| until_nul(bytes.get(offset..)?));
    String::from_utf8_lossy(own.unwrap_or_default()).into_owned()
}
