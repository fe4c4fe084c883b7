//! What is wrong with a Module before a cluster sees it: the admission rules of the Go operator, and lints of our own.
//!
//! One rule stands in one file. A [`Rule`] is data plus a function from a [`Subject`] to findings; there is no state,
//! so a caller can add rules of its own beside [`rules`].

pub mod admission;
mod rule;
mod subject;

pub use rule::Findings;
pub use rule::Rule;
pub use subject::Cluster;
pub use subject::Kind;
pub use subject::Subject;
