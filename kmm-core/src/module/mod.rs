//! A Module made ready: regexps and templates parsed, module level and mapping level merged, once for all kernels.
//!
//! Surprises:
//! - [`Compiled::new`] never fails. A regexp that Go refuses is kept with its error, which counts only for the
//!   kernels that no earlier mapping takes; a broken template counts only where its mapping wins.
//! - Where module level and mapping both have `build` or `sign`, some of the mapping's values are silently ignored:
//!   [`Origin::ignored`] names them.
//! - The deprecated `inTreeModuleToRemove` wins over `inTreeModulesToRemove`, whatever the level.
//! - Build arguments are no templates.
//! - CRD defaults are not filled in here: a Module is taken as Kubernetes stores it, with `dirName` set.
//!
//! This module does no matching: see [`resolve`](crate::resolve).

pub mod build_args;

mod build;
mod compiled;
mod image;
mod in_tree;
mod mapping;
mod origin;
mod registry_tls;
mod sign;
mod template;
mod tolerations;

pub use compiled::Compiled;
pub use compiled::Loader;
pub use in_tree::in_tree_to_remove;
pub use mapping::Mapped;
pub use mapping::Mapping;
pub use origin::Origin;
pub use origin::Source;
pub use template::SourcedTemplate;
pub use tolerations::internal_tolerations;
