//! The kernel that an object is compared with, as far as it is known.

use std::collections::HashMap;

use crate::kmod::KernelObject;
use crate::kmod::Layout;
use crate::kmod::Machine;
use crate::kmod::Symvers;
use crate::kmod::Vermagic;
use crate::kmod::abi::is_gpl_compatible;

/// What is known of a kernel: from its `Module.symvers`, from the modules that came with it, or from both.
///
/// # Example: a kernel by its `Module.symvers`
///
/// ```
/// use kmm_core::kmod::{Symvers, Vermagic, abi::Kernel};
///
/// let symvers = Symvers::parse("0x12345678\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n")?;
/// let mut kernel = Kernel::from_symvers(&symvers);
/// kernel.vermagic = Some(Vermagic::parse("6.1.0 SMP mod_unload modversions "));
/// assert_eq!(kernel.symbol("_printk").unwrap().crc, Some(0x1234_5678));
/// assert_eq!(kernel.has_modversions(), Some(true));
/// # Ok::<(), kmm_core::kmod::SymversError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// What its modules must be built for.
    pub vermagic: Option<Vermagic>,
    /// Its architecture.
    pub machine: Option<(Machine, Layout)>,
    /// Bytes of its `struct module`.
    pub module_struct_size: Option<u64>,
    /// Whether every symbol is known: one that is not is missing.
    pub complete: bool,
    symbols: HashMap<String, KernelSymbol>,
}

/// A symbol that modules can import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelSymbol {
    /// Its checksum, where there is one.
    pub crc: Option<u32>,
    /// Who exports it: `vmlinux`, a module; empty where it is not known.
    pub owner: String,
    /// Whether only modules under a GPL-compatible licence find it.
    pub gpl_only: bool,
    /// The namespace that must be imported.
    pub namespace: Option<String>,
    /// Whether its owner is a module under another licence.
    pub proprietary: bool,
}

impl Kernel {
    /// A kernel whose symbols are all known.
    pub fn from_symvers(symvers: &Symvers) -> Self {
        let checksums = symvers.has_checksums();
        let symbols = symvers.entries.iter().map(|entry| {
            let symbol = KernelSymbol {
                crc: checksums.then_some(entry.crc),
                owner: entry.owner.clone(),
                gpl_only: entry.gpl_only,
                namespace: entry.namespace.clone(),
                proprietary: false,
            };
            (entry.name.clone(), symbol)
        });
        Self {
            complete: true,
            symbols: symbols.collect(),
            ..Self::default()
        }
    }

    /// Learns from a module that came with the kernel: its vermagic and architecture are the kernel's, what it
    /// imports is there with these checksums, and what it exports can be imported.
    ///
    /// After all modules of a kernel, symbols that none of them imports remain unknown.
    pub fn learn(&mut self, object: &KernelObject) {
        if self.vermagic.is_none() {
            self.vermagic = object.info.vermagic();
        }
        self.machine.get_or_insert((object.machine, object.layout));
        self.module_struct_size.get_or_insert(object.module_struct_size);
        let layout = object.module_layout.map(|crc| ("module_layout", Some(crc)));
        let seen = object
            .imports
            .iter()
            .filter(|import| !import.weak && import.crc.is_some());
        for (name, crc) in seen
            .map(|import| (import.name.as_str(), import.crc))
            .chain(layout)
        {
            if !self.symbols.contains_key(name) {
                self.symbols.insert(
                    name.to_owned(),
                    KernelSymbol {
                        crc,
                        ..KernelSymbol::default()
                    },
                );
            }
        }
        self.add(object);
    }

    /// Adds what a module exports that is loaded before. What the kernel exports itself stays the kernel's.
    pub fn add(&mut self, object: &KernelObject) {
        let proprietary = !object
            .info
            .value("license")
            .is_some_and(|licence| is_gpl_compatible(&licence));
        for export in &object.exports {
            if self
                .symbol(&export.name)
                .is_some_and(|known| known.owner == "vmlinux")
            {
                continue;
            }
            let symbol = KernelSymbol {
                crc: export.crc,
                owner: object.name.clone(),
                gpl_only: export.gpl_only,
                namespace: export.namespace.clone(),
                proprietary,
            };
            self.symbols.insert(export.name.clone(), symbol);
        }
    }

    /// A symbol, if it is known.
    pub fn symbol(&self, name: &str) -> Option<&KernelSymbol> {
        self.symbols.get(name)
    }

    /// Whether symbols have checksums in this kernel; `None` where nothing tells.
    pub fn has_modversions(&self) -> Option<bool> {
        match &self.vermagic {
            Some(magic) => Some(magic.modversions),
            None if self.symbols.is_empty() => None,
            None => Some(self.symbols.values().any(|symbol| symbol.crc.is_some())),
        }
    }

    /// The size of `struct module` if this kernel compares it, which kernels do since 6.4.
    pub(super) fn checked_struct_size(&self) -> Option<u64> {
        let release = self.vermagic.as_ref()?.release();
        let mut numbers = release
            .split(|c: char| !c.is_ascii_digit())
            .map(str::parse::<u32>);
        let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
            return None;
        };
        self.module_struct_size.filter(|_| (major, minor) >= (6, 4))
    }
}
