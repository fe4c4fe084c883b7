//! Objects as they were written: every key in order, duplicates kept, each value with its place in the source.
//!
//! [`read`] turns a text into [`Document`]s and findings, [`Stream::objects`] finds the Kubernetes objects in them,
//! [`Document::locate`] says which bytes a field takes, and an [`Editor`] changes fields and nothing else. What
//! surprises:
//!
//! - Plain scalars are what Kubernetes clients take them for, not what YAML 1.2 says; see [`resolve_scalar`].
//! - Of duplicate keys the last counts, and an edit changes the last.
//! - A merge key (`<<`) is applied where it stands, so it overrides what stands above it. Merged entries have the place
//!   of the `<<` as their key's; an alias has its own place, the values below it that of the anchored ones.
//! - A document in which a second object begins without `---` becomes two documents.
//! - A string that is written as a block scalar has the `|` in its span, but not the empty lines behind its text.
//! - JSON is read as YAML, which it nearly is; JSON that is no YAML is read without places.
//!
//! # What this module does not do
//!
//! It knows no schema: unknown fields and wrong types are for [`validate`](crate::validate). It writes no objects, and
//! it does not reformat. Directives and comments are not kept in the tree. What of a broken document stands before the
//! fault is not read, but for whole objects before the last.

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
