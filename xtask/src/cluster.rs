//! A real Kubernetes control plane, and what is seen on it.
//!
//! etcd, kube-apiserver, kube-controller-manager and kube-scheduler run on free ports of the loopback. There is no kubelet:
//! who needs one plays its part, by writing the status of pods.
//!
//! ```ignore
//! let mut plane = ControlPlane::start().await?;
//! objects::install_crds(&client).await?;
//! plane.start_controllers().await?;
//! // everything is stopped and removed when `plane` is dropped
//! ```

pub(crate) mod binaries;
pub(crate) mod certificates;
pub(crate) mod check;
pub(crate) mod control_plane;
mod kubelet;
mod life;
pub(crate) mod objects;
pub(crate) mod process;
pub(crate) mod running;
mod takeover;

use anyhow::Context;
use anyhow::Result;

/// `cargo xtask cluster`: sets the control plane up and shows that it works.
pub(crate) fn command() -> Result<()> {
    run(check::check())
}

/// `cargo xtask operator`: the built operator on that control plane.
pub(crate) fn operator() -> Result<()> {
    let kmm = running::build()?;
    run(async {
        life::run(&kmm).await.context("the life of a Module")?;
        for recording in ["settled.json", "settled-after-change.json"] {
            takeover::run(&kmm, recording)
                .await
                .with_context(|| format!("taking over {recording}"))?;
        }
        Ok(())
    })
}

pub(crate) fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    // Programs are started from this very thread: their lives end with it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    runtime.block_on(work)
}
