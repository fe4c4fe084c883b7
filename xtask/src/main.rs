//! Developer commands of the project.
#![allow(clippy::print_stdout, reason = "a developer's tool speaks on the terminal")]

mod kernels;

fn main() -> anyhow::Result<()> {
    let parts = kernels::set_up()?;
    match std::env::args().nth(1).as_deref() {
        Some("bench") => kernels::measure(&parts),
        _ => kernels::compare(&parts),
    }
}
