//! Manifests as texts: reading, places, edits.
#![cfg(feature = "yaml")]
#![allow(missing_docs)]

mod hostile;
mod reading;
