//! What is wrong with a Module before a cluster sees it: the admission rules of the Go operator, and lints of our own.
//!
//! One rule stands in one file. A [`Rule`] is data plus a function from a [`Subject`] to findings; there is no state,
//! so a caller can add rules of its own beside [`rules`].

pub mod admission;
mod check;
mod examine;
mod explain;
mod facts;
mod lint;
mod neighbours;
mod rule;
mod subject;

pub use check::check;
pub use check::check_with;
pub use check::merged;
pub use examine::Surroundings;
pub use examine::examine;
pub use explain::explain;
pub use explain::texts;
pub use facts::Facts;
pub use neighbours::Neighbours;
pub use rule::Findings;
pub use rule::Rule;
pub use subject::Cluster;
pub use subject::Kind;
pub use subject::Subject;

/// The lints, by code: first those of Modules, then those of Dockerfiles and of the ConfigMaps that hold them.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    lint::MODULE.iter().chain(&lint::DOCKERFILE)
}
