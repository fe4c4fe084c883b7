//! The images that the node pulls, pushed to a registry.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use super::disk::copy;
use super::parts::Parts;
use crate::kmods::FIRMWARE;
use crate::layers;
use crate::registry::Kind;
use crate::registry::Registry;
use crate::vm;
use crate::worker;

/// The firmware file of the image `firmware`.
pub(super) const BLOB: &[u8] = b"the firmware of the image\n";

/// A device plugin that does nothing, and goes when it is asked to.
const PLUGIN: &str = "--config.entrypoint /bin/sh --config.entrypoint -c \
    --config.entrypoint 'trap \"exit 0\" TERM; while :; do sleep 1; done' --config.env PATH=/bin";

/// A registry with all that the scenes need.
#[derive(Debug)]
pub(super) struct Images {
    registry: Registry,
    work: PathBuf,
}

impl Images {
    /// Starts it, and pushes the images with programs, made in a folder.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let images = Self {
            registry: Registry::start(Kind::Plain)?,
            work: folder.join("images"),
        };
        images.programs()?;
        Ok(images)
    }

    /// Pushes images of modules for both kernels.
    ///
    /// They have modules, indexes and firmware in them, and nothing that can be run.
    pub(super) fn push_kmods(&self, parts: &Parts) -> Result<()> {
        let [(old, old_modules), (new, new_modules)] = &parts.kernels;
        let newer = |built: &Path| built.join("other");
        self.kmod("base", &old.version, old_modules, &["kmm_base"])?;
        self.kmod("base2", &old.version, &newer(old_modules), &["kmm_base"])?;
        self.kmod("base-for-new", &new.version, new_modules, &["kmm_base"])?;
        self.kmod("dummy", &old.version, old_modules, &["dummy"])?;
        self.kmod("dummy", &new.version, new_modules, &["dummy"])?;
        self.kmod("firmware", &old.version, old_modules, &["kmm_fw"])?;
        self.kmod("firmware", &new.version, new_modules, &["kmm_fw"])?;
        // Made for 6.1, and called an image for 6.12.
        self.kmod("wrong", &new.version, old_modules, &["kmm_user", "kmm_base"])
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn registry(&self) -> &str {
        &self.registry.addr
    }

    /// Pushes the image that is called `tag` in an OCI archive.
    pub(super) fn push_archive(&self, archive: &Path, tag: &str, name: &str) -> Result<()> {
        let from = format!("oci-archive:{}:{tag}", archive.display());
        self.registry.push(&from, name)
    }

    /// The full name of an image.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.registry.addr)
    }

    /// Images with a program.
    fn programs(&self) -> Result<()> {
        let busybox = Path::new("/bin/busybox");
        let root = self.root()?;
        copy(busybox, &root.join("bin/sleep"))?;
        self.image(
            "pause:1",
            "--config.entrypoint /bin/sleep --config.entrypoint 2147483647",
        )?;
        let root = self.root()?;
        for name in ["sh", "sleep"] {
            copy(busybox, &root.join("bin").join(name))?;
        }
        self.image("plugin:1", PLUGIN)?;
        let root = self.root()?;
        copy(&worker::build()?, &root.join("usr/local/bin/kmm-worker"))?;
        let kmod = Path::new("/usr/bin/kmod");
        copy(kmod, &root.join("sbin/modprobe"))?;
        for library in vm::libraries(kmod)? {
            copy(Path::new(&library), &root.join(library.trim_start_matches('/')))?;
        }
        self.image("kmm-worker:1", "--config.entrypoint /usr/local/bin/kmm-worker")
    }

    /// An image of modules for a kernel, with the first two numbers of its release as its tag.
    pub(super) fn kmod(&self, name: &str, release: &str, built: &Path, modules: &[&str]) -> Result<()> {
        let root = self.root()?;
        let folder = root.join("opt/lib/modules").join(release);
        for module in modules {
            let file = format!("{module}.ko");
            copy(&built.join(&file), &folder.join("extra").join(&file))?;
        }
        layers::shell(&root, &format!("depmod -b opt {release} 2> /dev/null"))?;
        if name == "firmware" {
            let file = root.join("firmware").join(FIRMWARE);
            fs::create_dir_all(file.parent().unwrap_or(&root))?;
            fs::write(file, BLOB)?;
        }
        // A tag has no `+`, which releases of Debian have.
        let mut numbers = release.split('.');
        let (major, minor) = (
            numbers.next().unwrap_or_default(),
            numbers.next().unwrap_or_default(),
        );
        self.image(&format!("{name}:{major}.{minor}"), "")
    }

    /// An empty root file system.
    fn root(&self) -> Result<PathBuf> {
        let _ = fs::remove_dir_all(&self.work);
        let root = self.work.join("root");
        fs::create_dir_all(&root)?;
        Ok(root)
    }

    /// Pushes the root file system as an image of one layer.
    fn image(&self, name: &str, settings: &str) -> Result<()> {
        layers::shell(
            &self.work,
            &format!(
                "
                tar -C root --sort=name --owner=0 --group=0 --numeric-owner -cf layer.tar .
                umoci init --layout layout
                umoci new --image layout:v1
                umoci raw add-layer --image layout:v1 layer.tar
                umoci config --image layout:v1 --architecture amd64 --os linux {settings}
                "
            ),
        )?;
        let from = format!("oci:{}:v1", self.work.join("layout").display());
        self.registry.push(&from, name)
    }
}
