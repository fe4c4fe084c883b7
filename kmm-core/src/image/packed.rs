//! A kernel object in little memory: an image can hold thousands of them.

use crate::kmod::Compression;
use crate::kmod::Export;
use crate::kmod::Import;
use crate::kmod::KernelObject;
use crate::kmod::Layout;
use crate::kmod::Machine;
use crate::kmod::ModuleInfo;
use crate::kmod::Signature;
use crate::kmod::Versions;

/// A [`KernelObject`] with its strings and symbols in one piece, without the bytes of its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    compression: Compression,
    machine: Machine,
    layout: Layout,
    versions: Versions,
    module_layout: Option<u32>,
    module_struct_size: u64,
    signature: Option<Box<Signature>>,
    /// The section `.modinfo`, up to this byte of `bytes`.
    info: usize,
    /// Then the name, the imports and the exports, each with the number of them before.
    bytes: Box<[u8]>,
}

const FLAG: u8 = 1;
const CHECKSUM: u8 = 2;
const NAMESPACE: u8 = 4;

impl Packed {
    pub(super) fn new(object: &KernelObject) -> Self {
        let mut bytes = object.info.text().to_vec();
        let info = bytes.len();
        string(&mut bytes, &object.name);
        bytes.extend((object.imports.len() as u32).to_le_bytes());
        for import in &object.imports {
            symbol(&mut bytes, import.weak, import.crc, None, &import.name);
        }
        bytes.extend((object.exports.len() as u32).to_le_bytes());
        for export in &object.exports {
            let namespace = export.namespace.as_deref();
            symbol(&mut bytes, export.gpl_only, export.crc, namespace, &export.name);
        }
        let signature = object.signature.as_ref().map(|signature| {
            Box::new(Signature {
                signature: Vec::new(),
                ..signature.clone()
            })
        });
        Self {
            compression: object.compression,
            machine: object.machine,
            layout: object.layout,
            versions: object.versions,
            module_layout: object.module_layout,
            module_struct_size: object.module_struct_size,
            signature,
            info,
            bytes: bytes.into(),
        }
    }

    pub(super) fn unpack(&self) -> KernelObject {
        let (info, rest) = self.bytes.split_at(self.info.min(self.bytes.len()));
        let mut rest = Reader(rest);
        let name = rest.string();
        let imports = (0..rest.number()).map(|_| {
            let (weak, crc, _, name) = rest.symbol();
            Import { name, crc, weak }
        });
        let imports = imports.collect();
        let exports = (0..rest.number()).map(|_| {
            let (gpl_only, crc, namespace, name) = rest.symbol();
            Export {
                name,
                crc,
                namespace,
                gpl_only,
            }
        });
        let exports = exports.collect();
        let signature = self.signature.as_deref().cloned();
        KernelObject {
            compression: self.compression,
            machine: self.machine,
            layout: self.layout,
            name,
            info: ModuleInfo::from_text(info.to_vec(), signature.clone()),
            imports,
            exports,
            versions: self.versions,
            module_layout: self.module_layout,
            module_struct_size: self.module_struct_size,
            signature,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
            + self
                .signature
                .as_ref()
                .map_or(0, |_| std::mem::size_of::<Signature>())
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn symbol(out: &mut Vec<u8>, flag: bool, crc: Option<u32>, namespace: Option<&str>, name: &str) {
    let checksum = if crc.is_some() { CHECKSUM } else { 0 };
    let within = if namespace.is_some() { NAMESPACE } else { 0 };
    out.push(u8::from(flag) | checksum | within);
    if let Some(crc) = crc {
        out.extend(crc.to_le_bytes());
    }
    if let Some(namespace) = namespace {
        string(out, namespace);
    }
    string(out, name);
}

/// Reads what [`Packed::new`] wrote.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u32 {
        let Some((first, rest)) = self.0.split_first_chunk::<4>() else {
            return 0;
        };
        self.0 = rest;
        u32::from_le_bytes(*first)
    }

    fn string(&mut self) -> String {
        let length = self.number() as usize;
        let (text, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn symbol(&mut self) -> (bool, Option<u32>, Option<String>, String) {
        let flags = self.byte();
        let crc = (flags & CHECKSUM != 0).then(|| self.number());
        let namespace = (flags & NAMESPACE != 0).then(|| self.string());
        (flags & FLAG != 0, crc, namespace, self.string())
    }
}
