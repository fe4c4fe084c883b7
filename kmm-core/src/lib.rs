//! What a `Module` of Kernel Module Management means, as a pure library.

pub mod api;
pub mod build;
pub mod diag;
pub mod document;
pub mod kernel;
pub mod modprobe;
pub mod path;
pub mod pattern;
pub mod template;
pub mod validate;
