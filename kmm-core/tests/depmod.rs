//! Indexes of small trees in memory; whole kernels and random trees are compared with the real tool elsewhere.
#![cfg(feature = "kmod")]
#![allow(missing_docs, clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kernel objects make more of it")]
mod builder;
#[path = "depmod/index.rs"]
mod index;
#[path = "depmod/lookup.rs"]
mod lookup;
