//! What comes out of the comparison.

use std::fmt;

/// Whether an object loads into a kernel, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why the kernel refuses it, in the order of the kernel's checks.
    pub refusals: Vec<Refusal>,
    /// What could not be told for want of knowledge of the kernel.
    pub doubts: Vec<Doubt>,
    /// What loading it marks the kernel with.
    pub taints: Vec<Taint>,
}

impl Verdict {
    /// Whether it loads; `None` where that cannot be told.
    pub fn loads(&self) -> Option<bool> {
        match (self.refusals.is_empty(), self.doubts.is_empty()) {
            (false, _) => Some(false),
            (true, true) => Some(true),
            (true, false) => None,
        }
    }
}

/// A reason for which the kernel refuses an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is for another architecture.
    Machine {
        /// The module's.
        module: String,
        /// The kernel's.
        kernel: String,
    },
    /// The kernel's `struct module` had another size when it was built; compared since 6.4.
    StructSize {
        /// Bytes in the module.
        module: u64,
        /// Bytes in the kernel.
        kernel: u64,
    },
    /// The kernel has checksums and the module has none; only a kernel with `CONFIG_MODULE_FORCE_LOAD` takes it.
    NoChecksums,
    /// The module does not say what it was built for.
    NoVermagic,
    /// It was built for another kernel.
    Vermagic {
        /// What the module says.
        module: String,
        /// What the kernel asks for.
        kernel: String,
    },
    /// A symbol is nowhere.
    UnknownSymbol {
        /// The symbol.
        name: String,
    },
    /// A symbol is only for modules under a GPL-compatible licence.
    GplOnly {
        /// The symbol.
        name: String,
        /// The module's licence.
        licence: String,
    },
    /// The module uses GPL-only symbols and one of a module under another licence.
    ProprietaryOwner {
        /// The symbol.
        name: String,
        /// The other module.
        owner: String,
    },
    /// A symbol is not what it was when the module was built.
    Checksum {
        /// The symbol; `module_layout` stands for the kernel's own structures.
        name: String,
        /// The checksum that the module has.
        module: u32,
        /// The checksum that the kernel has.
        kernel: u32,
    },
    /// A symbol is in a namespace that the module does not import.
    Namespace {
        /// The symbol.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// The kernel itself exports a symbol that the module exports too.
    DuplicateExport {
        /// The symbol.
        name: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine { module, kernel } => write!(f, "built for {module}, the kernel is for {kernel}"),
            Self::StructSize { module, kernel } => {
                write!(
                    f,
                    "`struct module` has {module} bytes in the module, {kernel} in the kernel"
                )
            }
            Self::NoChecksums => f.write_str("the kernel has module versions, the module was built without"),
            Self::NoVermagic => f.write_str("the module has no vermagic"),
            Self::Vermagic { module, kernel } => {
                write!(f, "version magic `{module}`, it should be `{kernel}`")
            }
            Self::UnknownSymbol { name } => write!(f, "unknown symbol `{name}`"),
            Self::GplOnly { name, licence } => {
                write!(
                    f,
                    "symbol `{name}` is for GPL-compatible modules, the licence is `{licence}`"
                )
            }
            Self::ProprietaryOwner { name, owner } => {
                write!(
                    f,
                    "uses GPL-only symbols and `{name}` of the proprietary module `{owner}`"
                )
            }
            Self::Checksum { name, module, kernel } => {
                write!(
                    f,
                    "disagrees about version of symbol `{name}`: {module:#010x}, the kernel has {kernel:#010x}"
                )
            }
            Self::Namespace { name, namespace } => {
                write!(
                    f,
                    "symbol `{name}` is in namespace `{namespace}`, which the module does not import"
                )
            }
            Self::DuplicateExport { name } => write!(f, "exports `{name}`, which the kernel exports itself"),
        }
    }
}

/// Something that could not be told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// The kernel's vermagic is not known.
    Vermagic {
        /// What the module says.
        module: String,
    },
    /// Nothing known of the kernel shows whether it has a symbol.
    Symbol {
        /// The symbol.
        name: String,
    },
    /// Another module exports the same symbol: only one of both can be loaded.
    SharedExport {
        /// The symbol.
        name: String,
        /// The other module.
        owner: String,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vermagic { module } => write!(
                f,
                "the kernel's version magic is not known, the module's is `{module}`"
            ),
            Self::Symbol { name } => write!(f, "nothing shows whether the kernel exports `{name}`"),
            Self::SharedExport { name, owner } => {
                write!(
                    f,
                    "module `{owner}` exports `{name}` too, only one of both can be loaded"
                )
            }
        }
    }
}

/// A mark that loading a module leaves on the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taint {
    /// `P`: its licence is not GPL-compatible.
    Proprietary,
    /// `O`: it did not come with the kernel.
    OutOfTree,
    /// `C`: it is from the staging tree.
    Staging,
    /// `K`: it patches the running kernel.
    LivePatch,
    /// `E`: it has no signature. One by a key that the kernel does not know leaves the same mark.
    Unsigned,
}

impl Taint {
    /// The letter that the kernel shows for it.
    pub fn letter(self) -> char {
        match self {
            Self::Proprietary => 'P',
            Self::OutOfTree => 'O',
            Self::Staging => 'C',
            Self::LivePatch => 'K',
            Self::Unsigned => 'E',
        }
    }
}
