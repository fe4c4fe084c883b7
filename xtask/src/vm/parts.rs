//! Brings what machines are made of: tools, kernels with their headers, firmware, and keys.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::kernels;
use crate::kmods;
use crate::kmods::Key;
use crate::steps;
use crate::vm::firmware;

/// Packages that are installed, and a file that shows that they are.
const TOOLS: [(&str, &str); 9] = [
    ("qemu-system-x86", "/usr/bin/qemu-system-x86_64"),
    ("ovmf", "/usr/share/OVMF/OVMF_CODE_4M.fd"),
    ("busybox-static", "/bin/busybox"),
    ("kmod", "/usr/bin/kmod"),
    ("util-linux", "/usr/bin/setpriv"),
    ("openssl", "/usr/bin/openssl"),
    ("make", "/usr/bin/make"),
    ("gcc", "/usr/bin/gcc"),
    ("binutils", "/usr/bin/strip"),
];

/// The kernels: what scenarios call them, and Debian's metapackage.
const KERNELS: [(&str, &str); 4] = [
    ("cloud", "linux-image-cloud-amd64"),
    ("amd64", "linux-image-amd64"),
    ("rt", "linux-image-rt-amd64"),
    ("6.12", "linux-image-6.12-cloud-amd64"),
];

/// What machines are made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where it lies.
    pub(crate) folder: PathBuf,
    /// The kernels, in the order of this module's table.
    pub(crate) kernels: Vec<Kernel>,
    /// A key that nobody knows.
    pub(crate) unknown: Key,
    /// The firmware's code.
    pub(crate) firmware: PathBuf,
    /// The firmware's variables, with the known key in `db`.
    pub(crate) variables: PathBuf,
}

/// A kernel, unpacked and never installed.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// What scenarios call it.
    pub(crate) name: &'static str,
    /// What `uname -r` prints there.
    pub(crate) version: String,
    /// Its `lib/modules/VERSION`.
    pub(crate) modules: PathBuf,
    /// The kernel as Debian ships it, which firmware can start.
    pub(crate) image: PathBuf,
    /// What QEMU starts soonest: the unpacked kernel where the image's compression is slow.
    pub(crate) quick: PathBuf,
    /// Its headers.
    pub(crate) headers: PathBuf,
}

/// Installs, downloads, unpacks and makes what is missing.
pub(crate) fn set_up() -> Result<Parts> {
    let folder = steps::cache()?.join("vm");
    fs::create_dir_all(folder.join("deb"))?;
    installed(&TOOLS)?;
    let kernels = KERNELS
        .iter()
        .map(|(name, package)| kernel(&folder, name, package));
    let kernels = kernels.collect::<Result<Vec<_>>>()?;
    // The key that the modules are signed with.
    let known = kmods::key("kmm")?;
    let variables = folder.join("variables.fd");
    let mut bytes = fs::read("/usr/share/OVMF/OVMF_VARS_4M.fd")?;
    firmware::enrol(&mut bytes, &fs::read(&known.der)?)?;
    fs::write(&variables, bytes)?;
    Ok(Parts {
        kernels,
        unknown: kmods::key("unknown")?,
        firmware: PathBuf::from("/usr/share/OVMF/OVMF_CODE_4M.fd"),
        variables,
        folder,
    })
}

/// Installs the packages whose file is missing.
pub(crate) fn installed(packages: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(_, file)| !Path::new(file).exists())
        .map(|(package, _)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let root = Path::new("/");
    steps::run_in(root, "apt-get", &["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(missing);
    steps::run_in(root, "apt-get", &arguments)
        .context("packages are missing: run as root, or install them first")
}

fn kernel(folder: &Path, name: &'static str, package: &str) -> Result<Kernel> {
    let tree = kernels::unpacked(package)?;
    let image = tree.base.join("boot").join(format!("vmlinuz-{}", tree.version));
    let quick = folder.join(format!("vmlinux-{}", tree.version));
    if !quick.exists() {
        let bytes = fs::read(&image).with_context(|| format!("could not read `{}`", image.display()))?;
        // Kernels that are compressed with lz4 unpack themselves quickly.
        if let Some(kernel) = unpack(&bytes)? {
            let part = quick.with_extension("part");
            fs::write(&part, kernel)?;
            fs::rename(&part, &quick)?;
        }
    }
    Ok(Kernel {
        name,
        modules: tree.modules(),
        quick: if quick.exists() { quick } else { image.clone() },
        image,
        headers: headers(folder, &tree.version)?,
        version: tree.version,
    })
}

/// The kernel inside a `bzImage`, where it is compressed with xz or zstd.
///
/// The fields are those of the kernel's `Documentation/x86/boot.rst`; the last four bytes are the unpacked size.
fn unpack(image: &[u8]) -> Result<Option<Vec<u8>>> {
    let number = |at: usize| {
        image
            .get(at..at + 4)
            .and_then(|part| part.try_into().ok())
            .map(u32::from_le_bytes)
    };
    let (Some(sectors), Some(offset), Some(length)) = (image.get(0x1f1), number(0x248), number(0x24c)) else {
        bail!("the kernel's image is cut off");
    };
    let start = (usize::from(*sectors) + 1) * 512 + offset as usize;
    let Some(payload) = image.get(start..start + length as usize - 4) else {
        bail!("the kernel's image is cut off");
    };
    let mut kernel = Vec::new();
    if payload.starts_with(&[0xfd, b'7', b'z']) {
        std::io::copy(&mut liblzma::read::XzDecoder::new(payload), &mut kernel)?;
    } else if payload.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        zstd::stream::copy_decode(payload, &mut kernel)?;
    } else {
        return Ok(None);
    }
    Ok(Some(kernel))
}

/// The headers of a kernel: installed, or downloaded and unpacked, with the packages they need.
fn headers(folder: &Path, version: &str) -> Result<PathBuf> {
    let name = format!("linux-headers-{version}");
    let installed = Path::new("/usr/src").join(&name);
    if installed.join("Makefile").is_file() {
        return Ok(installed);
    }
    let base = folder.join("headers").join(version);
    let headers = base.join("usr/src").join(&name);
    let done = base.join("done");
    if done.exists() {
        return Ok(headers);
    }
    let packages = [vec![name.clone()], needed(&name)?].concat();
    let deb = base.join("deb");
    fs::create_dir_all(&deb)?;
    for package in &packages {
        steps::run_in(&deb, "apt-get", &["download", package])?;
    }
    for package in kernels::entries(&deb)? {
        let (package, base) = (package.to_string_lossy(), base.to_string_lossy());
        steps::run_in(folder, "dpkg", &["-x", &package, &base])?;
    }
    // The only absolute path in them.
    let makefile = headers.join("Makefile");
    let text = fs::read_to_string(&makefile).with_context(|| {
        format!("apt has no headers of kernel {version}: if it is old, remove the kernel from the cache")
    })?;
    let include = format!("include {}/usr/src/", base.display());
    fs::write(&makefile, text.replace("include /usr/src/", &include))?;
    // With this file the build wants type information, and a tool for it.
    let _ = fs::remove_file(headers.join("vmlinux"));
    fs::write(done, "")?;
    Ok(headers)
}

/// The headers and tools that a package of headers needs.
fn needed(package: &str) -> Result<Vec<String>> {
    let out = Command::new("apt-cache")
        .args(["depends", package])
        .output()
        .context("could not start `apt-cache`")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let names = names.filter(|name| name.starts_with("linux-headers-") || name.starts_with("linux-kbuild-"));
    Ok(names.map(str::to_owned).collect())
}
