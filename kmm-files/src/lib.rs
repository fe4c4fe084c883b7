//! Kernel objects and module trees on disk, for the engine in `kmm-core`.
//!
//! - [`Decompressors`] unpacks gzip, xz and zstd, within limits.
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

mod decompress;

pub use decompress::Decompressors;
