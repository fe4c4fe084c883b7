//! What a `Module` of Kernel Module Management means, as a pure library.

pub mod api;
#[cfg(feature = "kmod")]
pub mod depmod;
pub mod diag;
pub mod document;
pub mod kernel;
#[cfg(feature = "kmod")]
pub mod kmod;
pub mod path;
pub mod pattern;
pub mod validate;
