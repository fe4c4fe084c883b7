//! What a machine finds: the modules of its kernel, and the files of the images that scenarios use.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::kmods;
use crate::kmods::FIRMWARE;
use crate::kmods::Key;
use crate::steps;
use crate::vm::initramfs::Initramfs;
use crate::vm::parts::Kernel;
use crate::vm::parts::Parts;

/// Modules of the kernel that a machine has.
const IN_TREE: [&str; 2] = ["kernel/drivers/net/dummy.ko", "kernel/lib/lz4/lz4_compress.ko"];
/// Bytes of the large firmware file: enough that a copy takes a while.
const LARGE: usize = 4 << 20;

/// Everything of one kernel, as an archive.
pub(crate) fn files(parts: &Parts, kernel: &Kernel, built: &Path, other: &Path) -> Result<Initramfs> {
    let work = parts.folder.join("images").join(&kernel.version);
    let _ = fs::remove_dir_all(&work);
    let mut archive = Initramfs::default();
    archive.tree(
        &format!("lib/modules/{}", kernel.version),
        &in_tree(&work, kernel)?,
    )?;
    let image = |name: &str, from: &Path, modules: &[&str]| image(&work, kernel, name, from, modules);
    image(
        "good",
        built,
        &["kmm_base", "kmm_user", "kmm_holder", "kmm_device", "kmm_fw"],
    )?;
    image("replacement", built, &["dummy"])?;
    image("missing-symbol", built, &["kmm_missing"])?;
    image("missing-module", built, &["kmm_user"])?;
    image("other-kernel", other, &["kmm_base", "kmm_user"])?;
    image("changed", &built.join("other"), &["kmm_base", "kmm_user"])?;
    image("signed", &built.join("signed"), &["kmm_base", "kmm_user"])?;
    let unknown = work.join("signed-by-unknown");
    signed(kernel, &parts.unknown, built, &unknown, &["kmm_base", "kmm_user"])?;
    image("signed-by-unknown", &unknown, &["kmm_base", "kmm_user"])?;
    archive.tree("images", &work.join("images"))?;
    Ok(archive)
}

/// `lib/modules/VERSION` with some modules and their indexes.
fn in_tree(work: &Path, kernel: &Kernel) -> Result<PathBuf> {
    let base = work.join("node");
    let root = base.join("lib/modules").join(&kernel.version);
    for module in IN_TREE {
        let plain = kernel.modules.join(module);
        // Newer kernels ship their modules compressed.
        let from = [plain.clone(), plain.with_extension("ko.xz")]
            .into_iter()
            .find(|path| path.is_file());
        let from = from.with_context(|| format!("kernel {} has no `{module}`", kernel.version))?;
        copy(
            &from,
            &root
                .join(module)
                .with_file_name(from.file_name().unwrap_or_default()),
        )?;
    }
    for file in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
        copy(&kernel.modules.join(file), &root.join(file))?;
    }
    depmod(&base, kernel)?;
    Ok(root)
}

/// One image: modules below `opt/lib/modules/VERSION`, with their indexes.
fn image(work: &Path, kernel: &Kernel, name: &str, from: &Path, modules: &[&str]) -> Result<()> {
    let base = work.join("images").join(name).join("opt");
    let root = base.join("lib/modules").join(&kernel.version);
    for module in modules {
        let file = format!("{module}.ko");
        copy(&from.join(&file), &root.join("extra").join(file))?;
    }
    depmod(&base, kernel)
}

/// Writes the indexes. What is missing in a module's tree is what some scenarios are about, and no error.
fn depmod(base: &Path, kernel: &Kernel) -> Result<()> {
    let base = base.to_string_lossy();
    let out = Command::new("depmod")
        .args(["-b", &base, &kernel.version])
        .output()
        .context("could not start `depmod`")?;
    if !out.status.success() {
        bail!("depmod: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}

/// Copies of modules with a signature by this key.
fn signed(kernel: &Kernel, key: &Key, from: &Path, to: &Path, modules: &[&str]) -> Result<()> {
    for module in modules {
        let file = to.join(format!("{module}.ko"));
        copy(&from.join(format!("{module}.ko")), &file)?;
        kmods::sign(&kernel.headers, key, &file)?;
    }
    Ok(())
}

/// What every machine has, whatever its kernel: tools, the worker and the scenarios.
pub(crate) fn base(parts: &Parts, worker: &Path) -> Result<Initramfs> {
    let mut archive = Initramfs::default();
    let own = steps::root().join("xtask/vm");
    archive.copy("bin/busybox", Path::new("/bin/busybox"))?;
    for name in ["kmod", "setpriv"] {
        let program = Path::new("/usr/bin").join(name);
        archive.copy(&format!("sbin/{name}"), &program)?;
        for library in libraries(&program)? {
            archive.copy(library.trim_start_matches('/'), Path::new(&library))?;
        }
    }
    for name in ["modprobe", "insmod", "rmmod", "lsmod", "modinfo", "depmod"] {
        archive.link(&format!("sbin/{name}"), "kmod");
    }
    for name in ["vmexit", "measure"] {
        archive.file(&format!("sbin/{name}"), 0o755, &compiled(parts, name)?);
    }
    archive.copy("bin/kmm-worker", worker)?;
    archive.tree("scenarios", &own.join("scenarios"))?;
    archive.copy("scenarios/library", &own.join("library"))?;
    archive.copy("scenarios/guide", &steps::root().join("docs/guide/worker.md"))?;
    archive.copy("scenarios/measure", &own.join("measure"))?;
    archive.file("init", 0o755, &fs::read(own.join("init"))?);
    let large: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
    archive.file(
        &format!("images/firmware/firmware/{FIRMWARE}"),
        0o644,
        b"the firmware of the image\n",
    );
    archive.file("images/large-firmware/firmware/kmm/large.bin", 0o644, &large);
    Ok(archive)
}

/// The libraries of a program, links followed.
pub(crate) fn libraries(program: &Path) -> Result<Vec<String>> {
    let out = Command::new("ldd")
        .arg(program)
        .output()
        .context("could not start `ldd`")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(paths.map(str::to_owned).collect())
}

/// A program of a machine that is written in C.
fn compiled(parts: &Parts, name: &str) -> Result<Vec<u8>> {
    let program = parts.folder.join(name);
    let source = steps::root().join("xtask/vm").join(name).with_extension("c");
    let (program_name, source) = (program.to_string_lossy(), source.to_string_lossy());
    let arguments = ["-O2", "-Wall", "-static", "-o", &program_name, &source];
    steps::run_in(&parts.folder, "gcc", &arguments)?;
    Ok(fs::read(&program)?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(above) = to.parent() {
        fs::create_dir_all(above)?;
    }
    fs::copy(from, to).with_context(|| format!("could not copy `{}`", from.display()))?;
    Ok(())
}
