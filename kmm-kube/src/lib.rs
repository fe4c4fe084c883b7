//! Kernel Module Management on a real cluster: what [`kmm_core`] decides, carried out on an API server.
//!
//! For programs that install or run the operator; the command line `kmm` is one.
//!
//! | module | holds |
//! |---|---|
//! | [`crd`] | the CustomResourceDefinitions, made from the schemas of the core |
//! | [`operator`] | the operator: watches, decisions, writes |
//!
//! # How the operator works
//!
//! ```text
//! watches ──────┐                      ┌─► keys ──► queue ──► workers ──► decision ──► calls ─┐
//!               ├─► stores, counts ────┘                                                      │
//! own writes ◄──┴─────────────────────────────── answers ─────────────────────────────────────┘
//! ```
//!
//! - Of each object only what decisions read is kept. Secrets and ConfigMaps are not watched at all.
//! - The answer to a write goes into the stores at once, so the next decision knows of it. Where there was no answer, the
//!   object is read before anything else is decided about it.
//! - Nothing is decided before every list is complete: what is not seen yet would pass for gone.
//! - Of one node, and of one Module, one thing is done at a time. What fails is tried again, after a wait that doubles.
//!
//! # What this crate does not do
//!
//! It decides nothing. It elects no leader: one operator may run in a cluster. It serves no webhooks, health checks or
//! metrics, and asks no registry.

pub mod crd;
pub mod operator;

mod queue;
mod server;
mod store;
mod tell;
mod watch;
mod world;
