//! The root disk of a node, and the first file system that brings it up.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::parts::Parts;
use crate::layers;
use crate::steps;
use crate::vm;
use crate::vm::initramfs::Initramfs;
use crate::vm::parts::Kernel;

/// Modules of the kernel that a node needs before it has its root disk.
const EARLY: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];
/// Modules of the kernel that a node has, those above among them.
const IN_TREE: [&str; 8] = [
    "virtio_blk",
    "virtio_net",
    "overlay",
    "br_netfilter",
    "nf_tables",
    "ip_tables",
    "veth",
    "dummy",
];

/// What a node is started with.
#[derive(Debug)]
pub(super) struct Disk {
    /// The root file system.
    pub(super) image: PathBuf,
    /// The first file system of each kernel.
    pub(super) initramfs: [Vec<u8>; 2],
}

impl Disk {
    /// Makes it in a folder.
    pub(super) fn make(folder: &Path, parts: &Parts) -> Result<Self> {
        let root = folder.join("root");
        fs::create_dir_all(&root)?;
        tools(&root)?;
        let own = steps::root().join("xtask/node");
        program(&own.join("init"), &root.join("sbin/init"))?;
        program(&own.join("network"), &root.join("opt/cni/bin/network"))?;
        for from in &parts.programs {
            let name = from.file_name().context("a program without a name")?;
            program(from, &root.join("opt/node").join(name))?;
        }
        let mut initramfs = Vec::new();
        for (kernel, _) in &parts.kernels {
            let tree = InTree::read(kernel)?;
            tree.install(&root)?;
            initramfs.push(first(&tree)?);
        }
        let image = folder.join("disk.img");
        layers::shell(folder, MAKE)?;
        fs::remove_dir_all(&root)?;
        let initramfs = initramfs.try_into();
        Ok(Self {
            image,
            initramfs: initramfs.map_err(|_| anyhow::anyhow!("there are not two kernels"))?,
        })
    }
}

/// With a journal: a node that is switched off finds its images whole.
const MAKE: &str = "mke2fs -q -t ext4 -J size=8 -d root -L kmm-node disk.img 2G";

/// Tools and the files that they want.
fn tools(root: &Path) -> Result<()> {
    for name in [
        "/usr/bin/kmod",
        "/usr/bin/mount",
        "/usr/bin/umount",
        "/usr/sbin/runc",
    ] {
        let from = Path::new(name);
        for library in vm::libraries(from)? {
            program(Path::new(&library), &root.join(library.trim_start_matches('/')))?;
        }
    }
    layers::shell(
        root,
        "
        mkdir -p bin sbin usr/bin proc sys dev run tmp root etc/cni/net.d opt/cni/bin opt/node var/log var/lib/kubelet \
         lib/firmware
        ln -s /run var/run
        cp /bin/busybox bin/
        for name in $(busybox --list); do [ -e bin/$name ] || ln -s busybox bin/$name; done
        cp /usr/bin/kmod sbin/
        for name in modprobe insmod rmmod depmod lsmod modinfo; do rm -f bin/$name; ln -s kmod sbin/$name; done
        rm bin/mount bin/umount
        cp /usr/bin/mount /usr/bin/umount bin/
        ln -s /proc/self/mounts etc/mtab
        echo root:x:0:0:root:/root:/bin/sh > etc/passwd
        echo root:x:0: > etc/group
        echo 127.0.0.1 localhost > etc/hosts
        echo nameserver 127.0.0.1 > etc/resolv.conf
        echo 0123456789abcdef0123456789abcdef > etc/machine-id
        echo 'PRETTY_NAME=\"test node\"' > etc/os-release
        echo '{\"cniVersion\":\"1.0.0\",\"name\":\"none\",\"plugins\":[{\"type\":\"network\"}]}' > etc/cni/net.d/10-none.conflist
        ",
    )
}

/// The first file system: what it needs to find the disk.
fn first(tree: &InTree<'_>) -> Result<Vec<u8>> {
    let mut archive = Initramfs::default();
    archive.copy("bin/busybox", Path::new("/bin/busybox"))?;
    for folder in ["dev", "proc", "new", "modules"] {
        archive.folder(folder);
    }
    for (place, file) in tree.closure(&EARLY)?.iter().enumerate() {
        let name = Path::new(file).file_name().context("a module without a name")?;
        let name = name.to_string_lossy();
        let name = name.trim_end_matches(".xz");
        archive.file(&format!("modules/{place:02}-{name}"), 0o644, &tree.plain(file)?);
    }
    let init = fs::read(steps::root().join("xtask/node/first"))?;
    archive.file("init", 0o755, &init);
    Ok(archive.finish())
}

/// The modules that came with a kernel, and what needs what.
struct InTree<'k> {
    kernel: &'k Kernel,
    /// A line for each module: its file, and the files that it needs.
    dependencies: Vec<(String, Vec<String>)>,
}

impl<'k> InTree<'k> {
    fn read(kernel: &'k Kernel) -> Result<Self> {
        let base = kernel.modules.ancestors().nth(3);
        let base = base.context("the modules are not below `lib/modules`")?;
        // The tree is as Debian ships it: the index is printed, and not written.
        let out = Command::new("depmod")
            .arg("-n")
            .arg("-b")
            .arg(base)
            .arg(&kernel.version)
            .output()
            .context("could not start `depmod`")?;
        if !out.status.success() {
            bail!("depmod: {}", String::from_utf8_lossy(&out.stderr));
        }
        let text = String::from_utf8_lossy(&out.stdout);
        let lines = text.lines().filter(|line| line.starts_with("kernel/"));
        let dependencies = lines.filter_map(|line| {
            let (file, needs) = line.split_once(':')?;
            Some((
                file.to_owned(),
                needs.split_whitespace().map(str::to_owned).collect(),
            ))
        });
        Ok(Self {
            kernel,
            dependencies: dependencies.collect(),
        })
    }

    /// The files of modules and of all that they need, in the order of loading. What is built in has none.
    fn closure(&self, names: &[&str]) -> Result<Vec<String>> {
        let mut files = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            let of = |file: &str| {
                let file = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
                file.split('.').next().unwrap_or_default().replace('-', "_")
            };
            let Some((file, needs)) = self.dependencies.iter().find(|(file, _)| of(file) == *name) else {
                let builtin = fs::read_to_string(self.kernel.modules.join("modules.builtin"))?;
                if builtin.lines().any(|line| of(line) == *name) {
                    continue;
                }
                bail!("kernel {} has no `{name}`", self.kernel.version);
            };
            // The last of them is needed by those before it.
            for file in needs.iter().rev().chain([file]) {
                if seen.insert(file.clone()) {
                    files.push(file.clone());
                }
            }
        }
        Ok(files)
    }

    /// The bytes of a module's file, unpacked.
    fn plain(&self, file: &str) -> Result<Vec<u8>> {
        let bytes = fs::read(self.kernel.modules.join(file))?;
        if !file.ends_with(".xz") {
            return Ok(bytes);
        }
        let mut plain = Vec::new();
        liblzma::read::XzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
        Ok(plain)
    }

    /// Puts the modules that a node has into its root file system, with their indexes.
    fn install(&self, root: &Path) -> Result<()> {
        let version = &self.kernel.version;
        let to = root.join("lib/modules").join(version);
        for file in self.closure(&IN_TREE)? {
            copy(&self.kernel.modules.join(&file), &to.join(&file))?;
        }
        for file in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            copy(&self.kernel.modules.join(file), &to.join(file))?;
        }
        let root = root.to_string_lossy();
        steps::run_in(steps::root(), "depmod", &["-b", &root, version])
    }
}

/// Copies a file, and makes it executable.
pub(super) fn program(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    copy(from, to)?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(0o755))?)
}

/// Copies a file, with the folders above it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(above) = to.parent() {
        fs::create_dir_all(above)?;
    }
    fs::copy(from, to).with_context(|| format!("could not copy `{}`", from.display()))?;
    Ok(())
}
