//! The lints: what they find in the cases below `tests/data/lints`, what their fixes leave, and what they never do.

mod cases;
mod dockerfile;
#[cfg(feature = "yaml")]
mod fixes;
mod properties;
mod texts;
