//! Kernel objects: the `.ko` files that the kernel loads, compressed or not, of every architecture.
//!
//! - [`KernelObject`] is all of one file: what it says of itself, what it imports and exports, who signed it.
//! - [`ModuleInfo`] is only what `modinfo` shows; [`Rendering`] and [`json`] print it.
//! - [`Symvers`] is a `Module.symvers`, and [`abi`] tells whether an object loads into a kernel.
//!
//! # What this module does not do
//!
//! It opens no files and unpacks nothing itself (see [`Decompress`]), and it does not verify signatures.
//!
//! # Example: why is this no module?
//!
//! ```
//! use kmm_core::kmod::{KernelObject, PlainOnly};
//!
//! let error = KernelObject::read(b"#!/bin/sh", &PlainOnly).unwrap_err();
//! assert!(error.to_string().starts_with("not a kernel object: it starts with `23 21 2f 62`"));
//! ```

pub mod abi;
mod compression;
pub(crate) mod der;
pub(crate) mod elf;
mod error;
mod ksymtab;
mod machine;
mod modinfo;
mod object;
mod render;
pub(crate) mod signature;
mod source;
mod symbols;
mod symvers;
mod vermagic;

pub use compression::Compression;
pub use compression::Decompress;
pub use compression::DecompressError;
pub use compression::LARGEST;
pub use compression::PlainOnly;
pub use compression::unpack;
pub use elf::Layout;
pub use error::KmodError;
pub use machine::Machine;
pub use modinfo::Marks;
pub use modinfo::ModuleInfo;
pub use modinfo::Parameter;
pub use modinfo::SoftDependencies;
pub use object::KernelObject;
pub use render::Rendering;
pub use render::json;
pub use signature::IdType;
pub use signature::KeyIdKind;
pub use signature::MAGIC;
pub use signature::Signature;
pub use source::ByteSource;
pub use symbols::Export;
pub use symbols::Import;
pub use symbols::Versions;
pub use symvers::Symvers;
pub use symvers::SymversEntry;
pub use symvers::SymversError;
pub use vermagic::Preemption;
pub use vermagic::Vermagic;

pub(crate) use modinfo::pairs;
