//! Objects as they were written: every key in order, duplicates kept, each value with its place in the source.

mod node;

pub use node::Entry;
pub use node::Mapping;
pub use node::Node;
pub use node::Value;
