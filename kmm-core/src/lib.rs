//! What a `Module` of Kernel Module Management means, as a pure library.

pub mod pattern;
