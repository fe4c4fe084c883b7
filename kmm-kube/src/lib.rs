//! Kernel Module Management on a real cluster: what [`kmm_core`] decides, carried out on an API server.
//!
//! For programs that install or run the operator; the command line `kmm` is one.
//!
//! | module | holds |
//! |---|---|
//! | [`crd`] | the CustomResourceDefinitions, made from the schemas of the core |
//! | [`operator`] | the operator: watches, decisions, writes, the election of a leader, health and metrics |
//! | [`snapshot`] | what the operator would decide now, from one look at a cluster |
//! | [`webhook`] | the admission and conversion webhooks |
//!
//! # How the operator works
//!
//! The loop round the decisions is [`kmm_core::driver`]; the simulator runs the same one. Here are its eyes and hands:
//!
//! - Of each object only what decisions read is kept. Secrets and ConfigMaps are not watched at all.
//! - Each answer to a write is told to the driver, which decides nothing that rests on the object until the watch has
//!   shown it. Where there was no answer, the object is read until there is one.
//! - Nothing is decided before every list is complete: what is not seen yet would pass for gone.
//! - Before a plan is carried out, the objects that it rests on are looked at once more. Its first action that fails ends
//!   it; what fails is tried again, after a wait that doubles.
//!
//! - Of several operators one writes: the holder of a Lease, which is that of the Go operator. Before each write it is
//!   seen that the term has not run out.
//!
//! # Limits
//!
//! - Plans under way: 16. Questions to registries: 8, of 30 s each.
//! - Served: 256 connections for each address, 100 s for the head of a request, 10 s for an answer; reviews of 7 MiB, 4 at
//!   a time, and 28 MiB of them.
//!
//! # What this crate does not do
//!
//! It decides nothing, builds and signs no images, and carries out no PreflightValidations.

pub mod crd;
pub mod operator;
pub mod snapshot;
pub mod webhook;

mod adapter;
mod admission;
mod cached;
mod http;
mod kubelets;
mod leader;
mod metrics;
mod moments;
mod observe;
mod questions;
mod server;
mod tell;
mod tls;
mod trimmed;
mod watch;
mod words;

pub use tls::CertificateError;
pub use words::ClientError;
