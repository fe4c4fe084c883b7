//! Before a kernel upgrade: which images a kernel needs, and whether each Module will load on it.
//!
//! - [`needs`] names the images of a Module for a kernel: its own, the ones it is built or signed from, those of its
//!   device plugin or DRA driver.
//! - [`decide`] says from facts about the image what the upgrade means for the Module.
//!
//! Surprises:
//! - An image that is there but does not fit is not built again: the operator only asks whether it exists.
//! - With `build`, `sign.unsignedImage` is not used: what was built is signed in place.
//! - A `PreflightValidation` takes its kernel as it stands; nodes have one trailing `+` dropped. See
//!   [`KernelVersion::from_matched`](crate::kernel::KernelVersion::from_matched).
//!
//! This module asks no registry and looks into no image: the caller brings the facts.

mod decide;
mod needs;

pub use decide::Existence;
pub use decide::Facts;
pub use decide::Fit;
pub use decide::Reason;
pub use decide::State;
pub use decide::Verdict;
pub use decide::decide;
pub use needs::Gap;
pub use needs::Need;
pub use needs::Needs;
pub use needs::Purpose;
pub use needs::extras;
pub use needs::needs;
