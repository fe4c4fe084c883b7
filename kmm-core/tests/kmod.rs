//! Kernel objects made by hand: what is read from them, what is refused, and what `modinfo` prints of them.
#![cfg(feature = "kmod")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "kmod/abi.rs"]
mod abi;
#[path = "kmod/builder.rs"]
mod builder;
#[path = "kmod/contents.rs"]
mod contents;
#[path = "kmod/hostile.rs"]
mod hostile;
#[path = "kmod/print.rs"]
mod print;
#[path = "kmod/signatures.rs"]
mod signatures;
