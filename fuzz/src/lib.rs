//! Fuzz targets: each takes any bytes, and panics when a promise is broken.
#![allow(clippy::panic, reason = "a fuzz target fails by panicking")]
