//! Kernel Module Management on a real cluster: what [`kmm_core`] decides, carried out on an API server.
//!
//! For programs that install or run the operator; the command line `kmm` is one.
//!
//! | module | holds |
//! |---|---|
//! | [`crd`] | the CustomResourceDefinitions, made from the schemas of the core |
//! | [`operator`] | the operator: watches, decisions, writes |
//! | [`snapshot`] | what the operator would decide now, from one look at a cluster |
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
//! # What this crate does not do
//!
//! It decides nothing. It elects no leader: one operator may run in a cluster. It serves no webhooks, health checks or
//! metrics, and asks no registry.

pub mod crd;
pub mod operator;
pub mod snapshot;

mod adapter;
mod cached;
mod server;
mod tell;
mod watch;
