//! What a worker does on a node: the decisions, as values.
//!
//! A worker gets a configuration file ([`config`]), puts firmware where the kernel finds it, runs modprobe, and proves
//! that what is loaded is what the image holds. Everything that touches the node is done by the program around this
//! module; here is what it decides:
//!
//! | module | decides |
//! |---|---|
//! | [`config`] | what a configuration file says, as strictly as the Go worker reads it |
//! | [`target`] | which modules of which folder a configuration is about, also with `rawArgs` |
//! | [`precheck`] | whether the running kernel would take a module, before anything is changed |
//! | [`loaded`] | whether the module that is loaded is the one of the image |
//! | [`firmware`] | which files to keep, put, restore and remove, so that modules can share a folder |
//! | [`privilege`] | why a call was refused with "Operation not permitted" |
//! | [`decode`] | what a line of the kernel's log or of modprobe means |
//! | [`Report`] | how it ended, as JSON that fits a termination log |

pub mod config;
pub mod decode;
pub mod firmware;
pub mod loaded;
pub mod precheck;
pub mod privilege;
mod reason;
mod report;
pub mod target;

pub use reason::Kind;
pub use reason::Reason;
pub use report::LARGEST_REPORT;
pub use report::LoadedModule;
pub use report::Report;
pub use report::Warning;
pub use report::boot_id;
pub use report::in_words;
