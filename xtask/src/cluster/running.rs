//! The built operator, running.

use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kube::Client;

use super::access;
use super::check::make_namespace;
use super::control_plane::ControlPlane;
use super::objects;
use super::objects::until;
use super::process::Process;
use crate::generate::target_folder;
use crate::steps;

/// A line of its log that tells of a write.
const WRITTEN: &str = " written ";
/// A line of its log that tells of a complete list; there are so many.
const LISTED: (&str, usize) = (" listed ", 8);

/// The configuration of one that is alone, and serves nothing.
const CONFIG: &str =
    "leaderElection: {enabled: false}\nhealthProbeBindAddress: \"0\"\nmetrics: {bindAddress: \"0\"}\n";

/// The same with an election.
const ELECTED: &str = "healthProbeBindAddress: \"0\"\nmetrics: {bindAddress: \"0\"}\n";

/// A control plane with the CRDs, the operator's own account and a namespace for Modules.
pub(super) async fn installed() -> Result<(ControlPlane, Client)> {
    let mut plane = ControlPlane::start().await?;
    let client = plane.client().await?;
    objects::install_crds(&client).await?;
    access::install(&plane, &client).await?;
    plane.start_controllers().await?;
    make_namespace(&client, "drivers").await?;
    Ok((plane, client))
}

/// Builds `kmm`.
pub(crate) fn build() -> Result<PathBuf> {
    steps::run(&steps::cargo(), &["build", "--quiet", "--package", "kmm-cli"])?;
    Ok(target_folder().join("debug/kmm"))
}

/// Builds `kmm` as it is released.
pub(super) fn build_release() -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--release", "--package", "kmm-cli"];
    steps::run(&steps::cargo(), &arguments)?;
    Ok(target_folder().join("release/kmm"))
}

/// A running operator; it is stopped when this is dropped.
pub(crate) struct Operator {
    process: Process,
}

impl Operator {
    /// Starts it, with its own account where that is installed, where nothing pulls the image of the worker.
    pub(crate) fn start(plane: &ControlPlane, kmm: &std::path::Path, name: &str) -> Result<Self> {
        Self::with_worker(plane, kmm, name, "registry.example.com/kmm-worker:1")
    }

    /// Starts it as it is installed, with an election in its own namespace.
    pub(super) fn elected(plane: &ControlPlane, kmm: &std::path::Path, name: &str) -> Result<Self> {
        Self::with_config(plane, kmm, name, "registry.example.com/kmm-worker:1", ELECTED)
    }

    /// Starts it with this image of the worker.
    pub(crate) fn with_worker(
        plane: &ControlPlane,
        kmm: &std::path::Path,
        name: &str,
        worker_image: &str,
    ) -> Result<Self> {
        Self::with_config(plane, kmm, name, worker_image, CONFIG)
    }

    fn with_config(
        plane: &ControlPlane,
        kmm: &std::path::Path,
        name: &str,
        worker_image: &str,
        text: &str,
    ) -> Result<Self> {
        let config = plane.folder().join("operator.yaml");
        std::fs::write(&config, text).context("could not write operator.yaml")?;
        let own = access::kubeconfig(plane.folder());
        let kubeconfig = if own.is_file() { own } else { plane.kubeconfig() };
        let arguments = [
            "operator".to_owned(),
            format!("--config={}", config.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            "--log-level=debug".to_owned(),
        ];
        let environment = [
            ("RELATED_IMAGE_WORKER", worker_image),
            ("OPERATOR_NAMESPACE", access::NAMESPACE),
        ];
        let process = Process::start(name, kmm, &arguments, &environment, plane.folder())?;
        Ok(Self { process })
    }

    /// Waits until it knows all objects.
    pub(crate) async fn wait_until_listed(&mut self) -> Result<()> {
        until("the operator has listed everything", async || {
            self.process.check()?;
            Ok(self.lines(LISTED.0) >= LISTED.1)
        })
        .await
    }

    /// The writes that it logged.
    pub(crate) fn writes(&self) -> Vec<String> {
        let printed = self.process.printed();
        let lines = printed.lines().filter(|line| line.contains(WRITTEN));
        lines.map(str::to_owned).collect()
    }

    /// How many lines of its log have all these texts.
    pub(super) fn said(&self, texts: &[&str]) -> usize {
        let printed = self.process.printed();
        let has_all = |line: &&str| texts.iter().all(|text| line.contains(text));
        printed.lines().filter(has_all).count()
    }

    /// Fails when it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// The end of its log.
    pub(crate) fn last_lines(&self) -> String {
        self.process.last_lines()
    }

    /// Ends it without notice.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Asks it to end, which it has to do well.
    pub(crate) fn stop(mut self) -> Result<()> {
        match self.process.stop() {
            Some(0) => Ok(()),
            code => bail!("the operator ended with {code:?}:\n{}", self.process.last_lines()),
        }
    }

    fn lines(&self, text: &str) -> usize {
        let printed = self.process.printed();
        printed.lines().filter(|line| line.contains(text)).count()
    }
}
