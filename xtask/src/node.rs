//! The whole way of a Module: a real API server, the built operator, and a node whose kernel takes modules.
//!
//! The node is a virtual machine with a kernel of Debian's, containerd and a kubelet. It reaches the API server and a
//! registry, and nothing else. The registry holds the image of the worker and images of modules that were compiled for
//! the kernels of the node; there is nothing in those that could be run.

mod disk;
mod images;
mod machine;
mod parts;
mod scenes;
mod sight;

use anyhow::Result;

use crate::cluster;
use crate::cluster::running;
use crate::worker;

/// `cargo xtask node`.
pub(crate) fn command() -> Result<()> {
    let kmm = running::build()?;
    worker::build()?;
    let parts = parts::Parts::set_up()?;
    cluster::run(scenes::run(&kmm, &parts))
}
