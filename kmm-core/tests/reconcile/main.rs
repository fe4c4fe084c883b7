//! The operator's decisions: recorded answers of the Go operator, rows that are better here, and whether they settle.

// The recorded worker pods carry their configuration as YAML.
#![cfg(feature = "yaml")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(clippy::panic, reason = "helpers of tests are tests")]

mod replay;
mod rows;
mod settled;
mod settles;
mod store;
mod upstream_node;
mod upstream_pods;
