//! The lints: what they find in the cases below `tests/data/lints`, what their fixes leave, and what they never do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]
#![allow(clippy::disallowed_methods, reason = "the cases are files")]

mod cases;
mod dockerfile;
#[cfg(feature = "yaml")]
mod fixes;
mod properties;
mod texts;
