//! What `depmod` complains about, and what ends it.

use std::fmt;

use thiserror::Error;

use crate::kmod::KmodError;

/// Something wrong in the tree, in spite of which there is an index. The text is what `depmod` prints after
/// `depmod: WARNING: ` or `depmod: ERROR: `.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// A module could not be read: it is in `modules.dep` without dependencies.
    Unreadable {
        /// Its path, from the tree on.
        path: String,
        /// Why.
        error: KmodError,
    },
    /// A module needs a symbol that neither the kernel nor another module has.
    UnknownSymbol {
        /// The path of the module, from the tree on.
        path: String,
        /// The symbol.
        symbol: String,
    },
    /// A module was built against another version of a symbol.
    Disagrees {
        /// The path of the module, from the tree on.
        path: String,
        /// The symbol.
        symbol: String,
        /// The checksum that the module has; 0 for none.
        module: u64,
        /// The checksum of the symbol.
        kernel: u64,
    },
    /// An index has the same key and value twice; only searched for on request (`-w`).
    Duplicate {
        /// What is there twice: `deps`, `alias` or `syms`.
        what: &'static str,
        /// The line.
        line: String,
    },
    /// A module has a device name, but no alias with its numbers.
    DeviceWithoutNumbers {
        /// The name of the module.
        module: String,
        /// The name of the device.
        device: String,
    },
    /// An alias has a bracket without its counterpart: it is in `modules.alias`, but not in the binary index.
    UnmatchedBracket {
        /// The alias.
        alias: String,
    },
    /// An alias or name has bytes beyond ASCII: it is left out of the binary index.
    NotAscii {
        /// The key.
        key: String,
    },
    /// A line of `modules.builtin` starts with no letter.
    BadBuiltinLine {
        /// The line.
        line: String,
    },
}

impl Finding {
    pub(crate) fn unmatched_bracket(alias: &[u8]) -> Self {
        Self::UnmatchedBracket {
            alias: String::from_utf8_lossy(alias).into_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, error } => write!(f, "failed to load symbols from {path}: {error}"),
            Self::UnknownSymbol { path, symbol } => write!(f, "{path} needs unknown symbol {symbol}"),
            Self::Disagrees { path, symbol, .. } => {
                write!(f, "{path} disagrees about version of symbol {symbol}")
            }
            Self::Duplicate { what, line } => write!(f, "duplicate module {what}: {line}"),
            Self::DeviceWithoutNumbers { module, device } => write!(
                f,
                "Module '{module}' has devname ({device}) but lacks major and minor information. Ignoring."
            ),
            Self::UnmatchedBracket { alias } => write!(f, "Unmatched bracket in {alias}"),
            Self::NotAscii { key } => {
                write!(f, "Module index: only 7-bit ASCII is supported, left out: {key}")
            }
            Self::BadBuiltinLine { line } => write!(f, "Invalid modules.builtin line: {line}"),
        }
    }
}

/// Why there is no index.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DepmodError {
    /// Modules need each other, so that none of them can be loaded first.
    #[error("modules need each other: {}", shown(cycles))]
    Cycles {
        /// The names of the modules along each circle, the first one at its end again.
        cycles: Vec<Vec<String>>,
    },
    /// There are more modules than `depmod` can count.
    #[error("{count} modules, 65534 are the most")]
    TooManyModules {
        /// How many there are.
        count: usize,
    },
    /// A binary index would have offsets of more than 28 bits.
    #[error("`{file}` would have more than {limit} bytes")]
    IndexTooLarge {
        /// The name of the index.
        file: &'static str,
        /// The most that an index can have.
        limit: usize,
    },
}

/// Why a file of an index cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The file is larger than any index.
    #[error("it has {size} bytes, {limit} are the most that are read")]
    TooLarge {
        /// How many bytes it has.
        size: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A line of a text file is none of its kind.
    #[error("line {line}: {reason}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A binary file is damaged, or none of its kind.
    #[error("at byte {offset}: {reason}")]
    Binary {
        /// Where the fault is.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

fn shown(cycles: &[Vec<String>]) -> String {
    cycles
        .iter()
        .map(|cycle| cycle.join(" -> "))
        .collect::<Vec<_>>()
        .join("; ")
}
