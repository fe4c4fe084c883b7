//! Kernel objects and module trees on disk, for the engine in `kmm-core`.
//!
//! - [`Decompressors`] unpacks gzip, xz and zstd, within limits.
//! - [`ObjectReader`] reads one kernel object after the other into the same memory; [`in_parallel`] does so with all
//!   processors.
//! - [`FolderTree`] is `lib/modules/VERSION` on disk, [`depmod_configuration`] what `depmod.d` says of it, and
//!   [`write_index`] puts the files of an index there.
//! - [`Certificates`] verifies the signatures of modules, with aws-lc.
//! - [`KernelTree`] is what the modules of a kernel show of it.
//!
//! # What this crate does not do
//!
//! It decides nothing: what a kernel object or an index means, `kmm-core` says.
//!
//! # Example: read a kernel object that is compressed
//!
//! ```
//! use kmm_core::kmod::KernelObject;
//! use kmm_files::Decompressors;
//!
//! let error = KernelObject::read(b"\x1f\x8b\x08\x00cut", &Decompressors).unwrap_err();
//! assert!(error.to_string().starts_with("could not unpack gzip data: "));
//! ```

mod configuration;
mod decompress;
mod kernel;
mod object;
mod parallel;
mod parts;
mod signature;
mod tree;
mod write;

pub use configuration::depmod_configuration;
pub use decompress::Decompressors;
pub use kernel::KernelTree;
pub use object::ObjectError;
pub use object::ObjectReader;
pub use parallel::in_parallel;
pub use parallel::on_threads;
pub use signature::Certificates;
pub use tree::FolderTree;
pub use tree::LARGEST_TEXT;
pub use tree::text;
pub use write::write_index;
