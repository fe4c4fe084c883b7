//! Manifests as texts: reading, places, edits.
#![cfg(feature = "yaml")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod edits;
mod hostile;
mod places;
mod random;
mod reading;
