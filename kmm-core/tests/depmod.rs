//! Indexes of small trees in memory; whole kernels and random trees are compared with the real tool elsewhere.
#![cfg(feature = "kmod")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kernel objects make more of it")]
mod builder;
#[path = "depmod/index.rs"]
mod index;
#[path = "depmod/lookup.rs"]
mod lookup;
