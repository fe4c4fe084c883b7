//! The whole way of a Module: a real API server, the built operator, and a node whose kernel takes modules.
//!
//! The node is a virtual machine with a kernel of Debian's, containerd and a kubelet. It reaches the API server and a
//! registry, and nothing else. The registry holds the image of the worker and images of modules that were compiled for
//! the kernels of the node; there is nothing in those that could be run.
//!
//! Another node is this machine itself, whose kernel takes no modules of ours: there the way ends with a refusal.

mod disk;
mod groups;
mod images;
mod local;
mod machine;
mod parts;
mod scenes;
mod settings;
mod sight;

use anyhow::Result;
use anyhow::bail;

use crate::cluster;
use crate::cluster::running;
use crate::worker;

/// A node on this machine, and one in a virtual machine.
const PARTS: [&str; 2] = ["local", "machine"];

/// `cargo xtask node`: a node in a virtual machine, and one on this machine; only the parts that are named, if any are.
pub(crate) fn command(only: &[&str]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|part| !PARTS.contains(part)) {
        bail!("there is no part `{unknown}`: known are {}", PARTS.join(", "));
    }
    let wanted = |part: &str| only.is_empty() || only.contains(&part);
    let kmm = running::build()?;
    worker::build()?;
    let parts = parts::Parts::set_up()?;
    if wanted("local") {
        cluster::run(local::run(&kmm, &parts))?;
    }
    if wanted("machine") {
        cluster::run(scenes::run(&kmm, &parts))?;
    }
    Ok(())
}
