//! Objects as they were written: every key in order, duplicates kept, each value with its place in the source.

#[cfg(feature = "yaml")]
mod build;
mod decode;
mod duplicates;
mod edit;
mod emit;
mod expect;
mod gap;
mod json;
mod limits;
mod lines;
mod node;
mod object;
mod places;
mod remove;
mod rules;
mod scalar;
mod separator;
mod splice;
mod stream;
#[cfg(feature = "yaml")]
mod yaml;

pub use edit::EditError;
pub use edit::Editor;
pub use limits::Limits;
pub use lines::LineIndex;
pub use lines::Position;
pub use node::Entry;
pub use node::Mapping;
pub use node::Node;
pub use node::Value;
pub use object::Object;
pub use rules::rules;
pub use scalar::Scalar;
pub use scalar::resolve_scalar;
pub use stream::Document;
pub use stream::Found;
pub use stream::Stream;
pub use stream::decode;
pub use stream::read;
