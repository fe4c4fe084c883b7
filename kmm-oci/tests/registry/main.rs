//! The client of registries against servers that do what a real one cannot be told to do.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test server that fails should fail its test"
)]

mod auth;
mod faults;
mod server;
mod tls;
