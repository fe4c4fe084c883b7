//! The index of a folder of modules, `lib/modules/VERSION`: what `depmod` writes there and `modprobe` reads.
//!
//! The files are byte for byte those of kmod 30. Surprises in them:
//! - Without `modules.order`, modules stand in the order of a hash table, and `modules.symbols` always does.
//! - The last module that exports a symbol owns it.
//! - A module that cannot be read, or whose dependencies are not there, is no error; [`Index::findings`] tells.
//! - Modules that need each other are one: then there is no index at all.
//! - `modules.builtin.bin` is empty, not even an empty index, where there is no `modules.builtin`.
//!
//! [`Dependencies`] and [`BinaryIndex`] read what is there already, from whomever it comes.
//!
//! # What this module does not do
//!
//! It reads and writes no files: a [`ModuleTree`] gives it the names and [`ModuleFacts`], and it gives back bytes.
//!
//! # Example: index a tree in memory
//!
//! ```
//! use kmm_core::depmod::{Config, Index, MemoryTree, ModuleFacts, Options};
//!
//! let mut tree = MemoryTree::default();
//! tree.add("extra/a.ko", Ok(ModuleFacts::default()));
//! let index = Index::build(&tree, &Config::default(), &Options::default())?;
//! let (files, findings) = index.files()?;
//! assert_eq!(files[0].name, "modules.dep");
//! assert_eq!(files[0].bytes, b"extra/a.ko:\n");
//! assert!(findings.is_empty());
//! # Ok::<(), kmm_core::depmod::DepmodError>(())
//! ```

mod binary;
mod builtin;
mod config;
mod dependencies;
mod ere;
mod facts;
mod files;
mod finding;
mod graph;
mod hashed;
mod index;
mod kernel_symbols;
mod kind;
mod order;
mod select;
mod tree;
mod trie;

pub use binary::BinaryIndex;
pub use binary::IndexValue;
pub use config::Config;
pub use dependencies::Dependencies;
pub use dependencies::DependencyLine;
pub use facts::ModuleFacts;
pub use finding::DepmodError;
pub use finding::Finding;
pub use finding::IndexError;
pub use index::Index;
pub use index::IndexFile;
pub use kernel_symbols::KernelSymbols;
pub use kind::FileKind;
pub use tree::MemoryTree;
pub use tree::ModuleTree;
pub use tree::Options;
