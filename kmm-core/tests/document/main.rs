//! Manifests as texts: reading, places, edits.
#![cfg(feature = "yaml")]
#![allow(clippy::panic, clippy::unwrap_used)]

mod edits;
mod hostile;
mod places;
mod random;
mod reading;
