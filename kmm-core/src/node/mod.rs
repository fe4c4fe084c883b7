//! Nodes: what is known of them, and whether a Module is for them.
//!
//! - [`NodeFacts`] is what the engine reads of a Node object; [`NodeList`] reads many of them and drops the rest.
//! - [`NodeExplanation`] goes through everything that stands between a Module and a node, gate by gate, and says for
//!   each gate that is shut which change opens it.
//!
//! Surprises:
//! - Whether a node is targeted depends on its taints only: `spec.unschedulable` and conditions are not looked at. It
//!   is the taints that Kubernetes adds for them that count.
//! - `PreferNoSchedule` never counts.
//! - A toleration without key and with operator `Equal` tolerates every taint of its value, whatever the key.
//! - A taint that appears later takes the module off the node again.
//!
//! This module reads nothing from a cluster, and asks no registry.

mod explain;
mod facts;
mod gate;
mod gates;
pub(crate) mod image_name;
mod list;
mod quoting;
mod taint;
mod version;

pub use explain::NodeExplanation;
pub use explain::Verdict;
pub use facts::NodeFacts;
pub use gate::Gate;
pub use gate::GateKind;
pub use gate::Medium;
pub use gate::Remedy;
pub use gate::Status;
pub use list::NodeList;
pub use taint::Taint;
pub use taint::tolerates;
