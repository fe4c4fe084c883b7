//! The client of registries against servers that do what a real one cannot be told to do.

mod auth;
mod faults;
mod server;
mod tls;
