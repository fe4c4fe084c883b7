//! Build inputs: what a Dockerfile says, read without building it.
//!
//! What this module does not do: it runs nothing, looks into no image, and knows no shell beyond words, quotes and the
//! signs between commands.

pub mod dockerfile;

pub use dockerfile::Dockerfile;
