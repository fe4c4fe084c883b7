//! Kernel objects made by hand: what is read from them, what is refused, and what `modinfo` prints of them.
#![cfg(feature = "kmod")]
#![allow(missing_docs, clippy::unwrap_used, clippy::cast_possible_truncation)]

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
