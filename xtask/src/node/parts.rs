//! What a node is made of: kubelet and containerd, built; runc and tools, Debian's; kernels, unpacked.

use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use crate::cluster::binaries::Programs;
use crate::cluster::binaries::STAMP;
use crate::kmods;
use crate::layers;
use crate::registry;
use crate::vm;
use crate::vm::parts::Kernel;

const CONTAINERD: Programs = Programs {
    source: "xtask/node/containerd",
    name: "containerd",
    arguments: &[
        "-tags",
        "no_btrfs no_devmapper no_zfs no_tracing",
        "-ldflags",
        "-s -w -X github.com/containerd/containerd/v2/version.Version=v2.4.2",
    ],
    packages: &[
        "github.com/containerd/containerd/v2/cmd/containerd",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    ],
    renamed: None,
};

const KUBELET: Programs = Programs {
    source: "xtask/node/kubelet",
    name: "kubelet",
    arguments: &["-ldflags", STAMP],
    packages: &["k8s.io/kubernetes/cmd/kubelet"],
    renamed: None,
};

/// Packages, and a file that shows that they are installed.
const TOOLS: [(&str, &str); 2] = [("e2fsprogs", "/sbin/mke2fs"), ("runc", "/usr/sbin/runc")];

/// What a node is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// The programs that its pods are run by.
    pub(super) programs: Vec<PathBuf>,
    /// The kernels, 6.1 first, each with the folder of the test modules.
    pub(super) kernels: [(Kernel, PathBuf); 2],
}

impl Parts {
    /// Installs, downloads and builds what is missing.
    pub(super) fn set_up() -> Result<Self> {
        let kernels = vm::parts::set_up()?.kernels;
        vm::installed(&TOOLS)?;
        layers::install()?;
        registry::set_up()?;
        let containerd = CONTAINERD.build()?;
        let kubelet = KUBELET.build()?;
        let mut programs = vec![kubelet.join("kubelet"), PathBuf::from("/usr/sbin/runc")];
        for name in ["containerd", "containerd-shim-runc-v2"] {
            programs.push(containerd.join(name));
        }
        let mut found = kernels.into_iter();
        let mut next = |name: &str| {
            let kernel = found.find(|kernel| kernel.name == name);
            let kernel = kernel.with_context(|| format!("there is no kernel `{name}`"))?;
            let modules = kmods::build(&kernel.headers)?;
            anyhow::Ok((kernel, modules))
        };
        Ok(Self {
            programs,
            kernels: [next("cloud")?, next("6.12")?],
        })
    }
}
