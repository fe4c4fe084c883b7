//! The programs of the control plane: given, cached or built.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::steps;

/// What is built, with the version that the control plane says it is: without the stamp it would call itself
/// `v0.0.0-master`, and clients misjudge it.
pub(crate) const STAMP: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.3 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36";

const PACKAGES: [&str; 4] = [
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes/cmd/kube-scheduler",
    "go.etcd.io/etcd/server/v3",
];

/// Where the programs are.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) etcd: PathBuf,
    pub(super) apiserver: PathBuf,
    pub(super) controller_manager: PathBuf,
    pub(super) scheduler: PathBuf,
}

impl Binaries {
    /// Takes those in the folder `$KUBEBUILDER_ASSETS`, and builds what is missing there.
    ///
    /// # Errors
    ///
    /// When something has to be built and there is no Go, or the build fails.
    pub(super) fn set_up() -> Result<Self> {
        let given = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let mut built = None;
        let mut find = |name: &str| -> Result<PathBuf> {
            if let Some(path) = given.as_ref().map(|folder| folder.join(name))
                && path.is_file()
            {
                println!("{name}: {}", path.display());
                return Ok(path);
            }
            let folder = match &mut built {
                Some(folder) => folder,
                none => none.insert(build()?),
            };
            let path = folder.join(name);
            println!("{name}: {}", path.display());
            Ok(path)
        };
        Ok(Self {
            etcd: find("etcd")?,
            apiserver: find("kube-apiserver")?,
            controller_manager: find("kube-controller-manager")?,
            scheduler: find("kube-scheduler")?,
        })
    }
}

/// The folder with everything, built where this version of it is not in the cache yet.
fn build() -> Result<PathBuf> {
    let programs = Programs {
        source: "xtask/control-plane",
        name: "control-plane",
        arguments: &["-ldflags", STAMP],
        packages: &PACKAGES,
        renamed: Some(("server", "etcd")),
    };
    programs.build().context(
        "set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver, kube-controller-manager and kube-scheduler, or let \
         them be built",
    )
}

/// Programs that are built with Go from what a folder of the checkout pins.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The folder with `go.mod` and `go.sum`.
    pub(crate) source: &'static str,
    /// The name of their folder in the cache.
    pub(crate) name: &'static str,
    /// More arguments of `go build`.
    pub(crate) arguments: &'static [&'static str],
    /// What is built.
    pub(crate) packages: &'static [&'static str],
    /// A program that gets another name.
    pub(crate) renamed: Option<(&'static str, &'static str)>,
}

impl Programs {
    /// The folder with the programs, built where this version of them is not in the cache yet.
    ///
    /// # Errors
    ///
    /// When there is no Go, or the build fails.
    pub(crate) fn build(&self) -> Result<PathBuf> {
        let source = steps::root().join(self.source);
        let folder = steps::cache()?.join(format!("{}-{}", self.name, steps::pinned(&source)?));
        if folder.is_dir() {
            return Ok(folder);
        }
        if Command::new("go").arg("version").output().is_err() {
            bail!("there is no Go toolchain: install Go 1.26 or newer and put `go` on the PATH");
        }
        println!("building {} with Go: this takes some minutes, once", self.name);
        let half = folder.with_extension(format!("building-{}", std::process::id()));
        let mut out = half.clone().into_os_string();
        // With the slash at its end, `go build` makes the folder and puts every program into it.
        out.push("/");
        let status = Command::new("go")
            .args(["build", "-trimpath"])
            .args(self.arguments)
            .arg("-o")
            .arg(out)
            .args(self.packages)
            .current_dir(&source)
            .env("CGO_ENABLED", "0")
            .status()
            .context("could not start `go build`")?;
        if !status.success() {
            bail!("`go build` of {} ended with {status}", self.name);
        }
        if let Some((from, to)) = self.renamed {
            std::fs::rename(half.join(from), half.join(to))
                .with_context(|| format!("`go build` made no {to}"))?;
        }
        // Whoever else built it at the same time made the same.
        if std::fs::rename(&half, &folder).is_err() && !folder.is_dir() {
            bail!("could not move {} to `{}`", self.name, folder.display());
        }
        Ok(folder)
    }
}
