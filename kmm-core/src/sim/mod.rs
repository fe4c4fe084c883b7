//! A cluster in memory, with the operator in it.
//!
//! It serves two ends: as a dry run it shows what the operator would do to nodes, and as an adversary of the decisions it
//! lets things happen in every order. [`Cluster`] plays
//!
//! - the API server: objects with versions, merge patches, preconditions, finalizers, status apart from the rest;
//! - watches, through which alone the operator sees the objects, as late as may be;
//! - machines: a kernel with what is loaded in it, which is the truth, and a kubelet that runs pods and tells of them;
//! - what Kubernetes does by itself: DaemonSets, the scheduler, the garbage collector.
//!
//! The operator in it is a [`Driver`](crate::driver::Driver), the same that an adapter runs on a real cluster.
//!
//! # Example: a first rollout
//!
//! ```
//! use kmm_core::reconcile::{Installation, Kind, ObjectRef, Timestamp};
//! use kmm_core::sim::{Cluster, Limit, Settled};
//! use serde_json::json;
//!
//! let mut cluster = Cluster::new(Installation::default(), Timestamp(1_795_247_896));
//! cluster.apply(&json!({
//!     "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
//!     "status": {
//!         "nodeInfo": {"kernelVersion": "6.1.0-37-amd64", "architecture": "amd64", "bootID": "b1"},
//!         "conditions": [{"type": "Ready", "status": "True"}],
//!     },
//! }))?;
//! cluster.apply(&json!({
//!     "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
//!     "metadata": {"name": "acme-nic", "namespace": "drivers"},
//!     "spec": {"selector": {}, "moduleLoader": {"container": {
//!         "modprobe": {"moduleName": "acme_nic"},
//!         "kernelMappings": [{"regexp": "^6", "containerImage": "registry.example.com/nic:1"}],
//!     }}},
//! }))?;
//! assert_eq!(cluster.settle(Limit::default()), Settled::Yes);
//! assert_eq!(cluster.machine("n1").map(|machine| machine.loaded().len()), Some(1));
//! let node = cluster.store().find(&ObjectRef::cluster(Kind::Node, "n1"));
//! let labels = &node.ok_or("no node")?.value["metadata"]["labels"];
//! assert_eq!(labels["kmm.node.kubernetes.io/drivers.acme-nic.ready"], "");
//! for moment in cluster.take_timeline() {
//!     println!("{} {} {}", moment.at, moment.deed.doer(), moment.deed);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does not do
//!
//! It has no admission, no quotas, no evictions by taint and no leader election. Images are names. A worker that runs
//! succeeds where the kernel is the one that it was made for: whether a module really loads is for
//! [`preflight`](crate::preflight) to say.

mod cluster;
#[cfg(any(test, feature = "faults"))]
pub mod fault;
mod kubernetes;
mod machine;
mod random;
#[cfg(any(test, feature = "faults"))]
mod steps;
mod store;
mod timeline;

pub use cluster::Cluster;
pub use cluster::Limit;
pub use cluster::Registry;
pub use cluster::Settled;
pub use machine::Luck;
pub use machine::Machine;
pub use random::Random;
pub use store::Refused;
pub use store::Store;
pub use store::Stored;
pub use store::Taken;
pub use timeline::Deed;
pub use timeline::Moment;

#[cfg(test)]
mod tests;
