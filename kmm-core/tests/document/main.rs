//! Manifests as texts: reading, places, edits.
#![cfg(feature = "yaml")]
#![allow(missing_docs)]

mod edits;
mod hostile;
mod places;
mod random;
mod reading;
