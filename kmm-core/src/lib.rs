//! What a `Module` of Kernel Module Management means, as a pure library.

pub mod api;
pub mod build;
#[cfg(feature = "kmod")]
pub mod depmod;
pub mod diag;
pub mod document;
pub mod go_text;
pub mod kernel;
#[cfg(feature = "kmod")]
pub mod kmod;
pub mod modprobe;
pub mod module;
pub mod naming;
pub mod node;
pub mod path;
pub mod pattern;
pub mod resolve;
pub mod schema;
pub mod template;
pub mod validate;
