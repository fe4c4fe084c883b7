//! Processor architectures, by ELF's numbers.

use std::fmt;

/// The architecture that an object is built for: ELF's `e_machine`.
///
/// # Example: names are those of `uname -m`
///
/// ```
/// use kmm_core::kmod::Machine;
///
/// assert_eq!(Machine(62).to_string(), "x86_64");
/// assert_eq!(Machine(183).oci(true), Some("arm64"));
/// assert_eq!(Machine(4711).to_string(), "machine 4711");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine(
    /// The number.
    pub u16,
);

impl Machine {
    /// 32-bit x86.
    pub const X86: Self = Self(3);
    /// 64-bit PowerPC.
    pub const PPC64: Self = Self(21);
    /// IBM Z.
    pub const S390: Self = Self(22);
    /// 32-bit Arm.
    pub const ARM: Self = Self(40);
    /// 64-bit x86.
    pub const X86_64: Self = Self(62);
    /// 64-bit Arm.
    pub const AARCH64: Self = Self(183);

    /// The name that `uname -m` prints, where there is one for the number alone.
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            2 => "sparc",
            3 => "i686",
            4 => "m68k",
            8 => "mips",
            15 => "parisc",
            20 => "ppc",
            21 => "ppc64",
            22 => "s390x",
            40 => "arm",
            42 => "sh4",
            43 => "sparc64",
            62 => "x86_64",
            93 => "arc",
            94 => "xtensa",
            183 => "aarch64",
            243 => "riscv",
            258 => "loongarch",
            0x9026 => "alpha",
            _ => return None,
        })
    }

    /// The architecture as image indexes name it, given the byte order (`ppc64le`, `mips64le`).
    pub fn oci(self, little_endian: bool) -> Option<&'static str> {
        Some(match (self.0, little_endian) {
            (3, _) => "386",
            (8, true) => "mips64le",
            (8, false) => "mips64",
            (21, true) => "ppc64le",
            (21, false) => "ppc64",
            (22, _) => "s390x",
            (40, _) => "arm",
            (62, _) => "amd64",
            (183, _) => "arm64",
            (243, _) => "riscv64",
            (258, _) => "loong64",
            _ => return None,
        })
    }

    /// Whether it is SPARC, whose symbol tables hold registers.
    pub(crate) fn has_register_symbols(self) -> bool {
        matches!(self.0, 2 | 43)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "machine {}", self.0),
        }
    }
}
