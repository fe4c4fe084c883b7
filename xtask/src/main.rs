//! Developer commands of the project.

mod kernels;

fn main() -> anyhow::Result<()> {
    let parts = kernels::set_up()?;
    kernels::compare(&parts)
}
