//! What a Module means for one kernel: the mapping that wins, and everything that follows from it.
//!
//! - [`Compiled::resolve`](crate::module::Compiled::resolve) decides; [`Resolver`] does so for many nodes, once for
//!   each distinct kernel.
//! - [`Compiled::explain`](crate::module::Compiled::explain) gives the same answer with the reasons: why each mapping
//!   did or did not win, which level each field came from, how each template expanded.
//! - [`Coverage`] looks at many kernels at once: which of them no mapping takes, and which mappings take none.
//!
//! Surprises:
//! - The first mapping that matches wins; a literal has no precedence over a regexp further up.
//! - A regexp that Go refuses is an error for every kernel that reaches it, and hides the mappings below it.
//! - Signing templates know no `MOD_NAME` and `MOD_NAMESPACE`: they are empty there.
//! - Error texts are the Go operator's, misspellings included.
//!
//! This module does not ask whether a node wants the Module: see [`node`](crate::node).

mod cache;
mod compiled;
mod coverage;
mod error;
mod explain;
mod record;
mod resolved;

pub use cache::Resolver;
pub use coverage::Coverage;
pub use coverage::Fleet;
pub use coverage::KernelCoverage;
pub use coverage::MappingCoverage;
pub use coverage::ModuleCoverage;
pub use coverage::Reach;
pub use error::ResolveError;
pub use error::Stage;
pub use explain::Explanation;
pub use explain::LiteralMiss;
pub use explain::MappingExplanation;
pub use explain::MappingVerdict;
pub use explain::RegexpMiss;
pub use explain::StuckPart;
pub use explain::TemplateExplanation;
pub use explain::TemplateStep;
pub use record::KernelForms;
pub use record::Record;
pub use resolved::Commands;
pub use resolved::MappingChoice;
pub use resolved::ModuleName;
pub use resolved::Resolved;
