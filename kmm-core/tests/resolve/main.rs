//! Resolving, explaining, coverage and nodes, against data and against naive implementations.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod coverage;
mod explain;
mod node;
mod oracle;
mod properties;
mod upstream;
mod vectors;
