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

mod access;
mod admission;
mod asking;
pub(crate) mod binaries;
pub(crate) mod certificates;
pub(crate) mod check;
pub(crate) mod control_plane;
mod cut;
mod election;
mod fleet;
mod halfway;
mod held;
mod installed;
mod kubelet;
mod life;
pub(crate) mod objects;
mod owners;
pub(crate) mod ports;
pub(crate) mod process;
mod recorded;
mod rivals;
pub(crate) mod running;
pub(crate) mod scale;
mod serving;
mod settings;
mod taken;
mod takeover;

use anyhow::Context;
use anyhow::Result;

use crate::deploy;

/// `cargo xtask cluster`: sets the control plane up and shows that it works.
pub(crate) fn command() -> Result<()> {
    run(check::check())
}

/// `cargo xtask operator`: the built operator on that control plane; only the parts that are named, if any are.
pub(crate) fn operator(only: &[&str]) -> Result<()> {
    let kmm = running::build()?;
    let wanted = |part: &str| only.is_empty() || only.contains(&part);
    run(async {
        let mut asked = access::Asked::default();
        if wanted("life") {
            asked.extend(life::run(&kmm).await.context("the life of a Module")?);
        }
        if wanted("takeover") {
            for recording in ["settled.json", "settled-after-change.json"] {
                let more = takeover::run(&kmm, recording)
                    .await
                    .with_context(|| format!("taking over {recording}"))?;
                asked.extend(more);
            }
        }
        if wanted("cut") {
            let more = cut::run(&kmm).await;
            asked.extend(more.context("an API server that is killed in the middle of writes")?);
        }
        if wanted("held") {
            asked.extend(
                held::run(&kmm)
                    .await
                    .context("writes that an API server never answered")?,
            );
        }
        // Part of these runs does not ask for everything.
        if only.is_empty() {
            access::compare(&asked).context("the operator's roles")?;
        }
        if wanted("owners") {
            owners::run(&kmm).await.context("rights on owners")?;
        }
        if wanted("recorded") {
            recorded::run(&kmm)
                .await
                .context("the situations of the recording")?;
        }
        if wanted("halfway") {
            halfway::run(&kmm).await.context("taking over half way")?;
        }
        // The first of them waits most of the time.
        let election = async {
            if wanted("election") {
                election::check(&kmm).await.context("several operators")?;
            }
            Ok(())
        };
        let asking = async {
            if wanted("asking") {
                asking::check(&kmm)
                    .await
                    .context("what the operator asks and answers")?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(election, asking)?;
        Ok(())
    })
}

/// `cargo xtask manifests`: the manifests and the chart, compared, installed, and used as the guides say.
pub(crate) fn manifests() -> Result<()> {
    let tools = deploy::Tools::set_up()?;
    deploy::same_objects(&tools)?;
    let kmm = running::build()?;
    run(async {
        installed::check(&tools, &kmm)
            .await
            .context("docs/guide/install.md")?;
        installed::migrate(&tools, &kmm)
            .await
            .context("docs/guide/migration.md")
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
