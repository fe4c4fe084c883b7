//! Fault tests: what may go wrong, in every order, and what must hold all the same.
//!
//! A [`Schedule`] is a list of small steps: one change comes to the operator, one controller decides, one action of a plan
//! is carried out, a kubelet does one thing, a node is started anew, the operator is killed, somebody edits a Module. It is
//! made from a seed, and each step says by itself what it does, so that a schedule that fails can be made shorter by
//! leaving steps out ([`shrink`]).
//!
//! After every step these must hold:
//!
//! 1. A module has at most one worker pod on a node.
//! 2. Nothing is loaded over another configuration of the same module on the same boot, and a worker unloads what is
//!    loaded, not something else.
//! 3. A `.ready` label is set only where the module is loaded as the status says, on the boot that the status says. What
//!    the operator cannot know is left out: where the node runs another boot than its caches show.
//! 4. There is no `.ready` label when an unloader is made, and no pod that uses the module, with ordered upgrade and
//!    without. Those pods count that the operator had seen when it decided: until the label has gone a DaemonSet may make
//!    one at any moment, also between the decision and its first write, and watches of several kinds keep no order among
//!    each other. On a real node the worker finds such a module in use, does not unload it, and is tried again.
//! 5. Where the operator has seen everything and has nothing to do, each `.ready` label is true.
//! 6. No write leaves an object as it was, where the operator had seen that object when it decided.
//! 7. A Module goes only when no node has it loaded, and none is to have it.
//! 8. No node is to have an image of which nobody has seen that it exists.
//!
//! Then the faults stop, and within a bounded number of rounds everything is as the Modules want it, by a second
//! computation; the operator, started anew, writes nothing.
//!
//! That the tests can fail is shown by [`Mutation::ALL`]: mistakes in the decisions, each of which is found.

mod check;
mod expect;
mod mutation;
mod runner;
mod scene;
mod schedule;

pub use check::Violation;
pub use mutation::Mutation;
pub use runner::Failure;
pub use runner::Passed;
pub use runner::replay;
pub use runner::run;
pub use runner::shrink;
pub use scene::Scenes;
pub use schedule::Edit;
pub use schedule::Schedule;
pub use schedule::Step;

#[cfg(test)]
mod tests;
