//! Images in memory: what layers add up to, and what each rule finds.
#![cfg(feature = "kmod")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kernel objects make more of it")]
mod builder;
#[path = "image/layers.rs"]
mod layers;
#[path = "image/overlay.rs"]
mod overlay;
#[path = "image/rules.rs"]
mod rules;
#[path = "image/scene.rs"]
mod scene;
