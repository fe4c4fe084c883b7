//! What the crate gives to a cluster, against what is known of the Go operator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod crds;
mod manifests;
