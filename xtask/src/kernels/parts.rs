//! Brings what the comparison needs: tools and headers are installed, kernels are downloaded and unpacked only.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

const TOOLS: [&str; 6] = ["kmod", "time", "xz-utils", "zstd", "make", "linux-headers-amd64"];
const FLAVOURS: [&str; 2] = ["linux-headers-cloud-amd64", "linux-headers-rt-amd64"];

/// The kernels and headers of the comparison.
#[derive(Debug)]
pub(crate) struct KernelParts {
    /// Where all of it lies, and where the comparison works.
    pub(crate) folder: PathBuf,
    /// The kernels, the complete one first.
    pub(crate) kernels: Vec<KernelTree>,
    /// Header folders of one release in its flavours: complete, cloud and real-time.
    pub(crate) headers: Vec<PathBuf>,
}

/// The modules of one kernel in one form of compression.
#[derive(Clone, Debug)]
pub(crate) struct KernelTree {
    /// What it is called in reports.
    pub(crate) name: String,
    /// What `uname -r` would print.
    pub(crate) version: String,
    /// The folder that has `lib/modules/VERSION`.
    pub(crate) base: PathBuf,
}

impl KernelTree {
    /// `BASE/lib/modules/VERSION`.
    pub(crate) fn modules(&self) -> PathBuf {
        self.base.join("lib/modules").join(&self.version)
    }
}

/// Installs, downloads, unpacks and compresses what is missing.
pub(crate) fn set_up() -> Result<KernelParts> {
    let folder = cache()?.join("kernels");
    fs::create_dir_all(folder.join("deb"))?;
    install()?;
    let complete = kernel(&folder, "linux-image-amd64", None)?;
    let mut kernels = vec![complete.clone()];
    for (form, extension, program) in [
        (
            "xz",
            "xz",
            ["xz", "--check=crc32", "--lzma2=dict=1MiB", "-f"].as_slice(),
        ),
        ("zst", "zst", ["zstd", "-q", "--rm", "-12", "-f"].as_slice()),
    ] {
        kernels.push(compressed(&folder, &complete, form, extension, program)?);
    }
    kernels.push(kernel(&folder, "linux-image-cloud-amd64", None)?);
    kernels.push(kernel(&folder, "linux-image-6.12-cloud-amd64", None)?);
    // 64-bit big-endian, and 32-bit.
    kernels.push(kernel(&folder, "linux-image-s390x", Some("s390x"))?);
    kernels.push(kernel(&folder, "linux-image-armmp", Some("armhf"))?);
    let headers = TOOLS
        .iter()
        .chain(&FLAVOURS)
        .filter(|package| package.starts_with("linux-headers"));
    let headers = headers.map(|package| Ok(Path::new("/usr/src").join(depends(package, None)?)));
    Ok(KernelParts {
        folder,
        kernels,
        headers: headers.collect::<Result<_>>()?,
    })
}

/// The folder for what is kept between runs.
fn cache() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let named = from("KMM_CACHE").or_else(|| Some(from("XDG_CACHE_HOME")?.join("kmm-in-rust")));
    named
        .or_else(|| Some(from("HOME")?.join(".cache/kmm-in-rust")))
        .context("no cache folder: set KMM_CACHE to a folder that may be written")
}

fn install() -> Result<()> {
    let wanted: Vec<&str> = TOOLS.iter().chain(&FLAVOURS).copied().collect();
    let is_there = |package: &&str| {
        let out = Command::new("dpkg-query")
            .args(["-W", "-f", "${Status}", package])
            .output();
        out.is_ok_and(|out| out.stdout.ends_with(b"ok installed"))
    };
    // What a metapackage brings is enough.
    let is_there = |package: &&str| {
        is_there(package) || depends(package, None).is_ok_and(|name| is_there(&name.as_str()))
    };
    let missing: Vec<&str> = wanted.into_iter().filter(|package| !is_there(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    run("apt-get", &["update", "-qq"], Path::new("/"))?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(missing);
    run("apt-get", &arguments, Path::new("/"))
        .context("packages are missing: run as root, or install them first")
}

/// The package of a metapackage.
fn depends(package: &str, architecture: Option<&Foreign>) -> Result<String> {
    let mut command = Command::new("apt-cache");
    if let Some(foreign) = architecture {
        command.args(&foreign.options);
    }
    let out = command
        .args(["depends", package])
        .output()
        .context("could not start `apt-cache`")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let name = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: linux-"));
    let name = name.with_context(|| format!("apt knows no `{package}`: is this Debian bookworm?"))?;
    Ok(format!("linux-{}", name.split(':').next().unwrap_or(name)))
}

fn kernel(folder: &Path, metapackage: &str, architecture: Option<&str>) -> Result<KernelTree> {
    let foreign = architecture.map(|name| Foreign::new(folder, name)).transpose()?;
    // Once unpacked, a kernel is kept: newer ones do not tell more.
    let marker = folder.join(format!("{metapackage}.version"));
    let version = match fs::read_to_string(&marker) {
        Ok(version) => version,
        Err(_) => {
            if let Some(foreign) = &foreign {
                foreign.update()?;
            }
            let package = depends(metapackage, foreign.as_ref())?;
            let version = package.trim_start_matches("linux-image-").to_owned();
            let base = folder.join("plain").join(&version);
            let mut arguments: Vec<&str> = Vec::new();
            if let Some(foreign) = &foreign {
                arguments.extend(foreign.options.iter().map(String::as_str));
            }
            arguments.extend(["download", package.as_str()]);
            run("apt-get", &arguments, &folder.join("deb"))?;
            let starts = format!("{package}_");
            let deb = entries(&folder.join("deb"))?.into_iter().find(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(&starts))
            });
            let deb = deb.with_context(|| format!("apt-get downloaded no `{package}`"))?;
            fs::create_dir_all(&base).with_context(|| format!("could not make `{}`", base.display()))?;
            run(
                "dpkg",
                &["-x", &deb.to_string_lossy(), &base.to_string_lossy()],
                folder,
            )?;
            fs::write(&marker, &version)?;
            version
        }
    };
    let base = folder.join("plain").join(&version);
    let tree = KernelTree {
        name: version.clone(),
        version,
        base,
    };
    if !tree.modules().join("modules.order").is_file() {
        bail!(
            "`{}` is no kernel: remove `{}` and start again",
            tree.base.display(),
            marker.display()
        );
    }
    Ok(tree)
}

fn compressed(
    folder: &Path,
    plain: &KernelTree,
    form: &str,
    extension: &str,
    program: &[&str],
) -> Result<KernelTree> {
    let base = folder.join(form).join(&plain.version);
    let tree = KernelTree {
        name: format!("{} ({form})", plain.version),
        version: plain.version.clone(),
        base,
    };
    let done = folder.join(form).join(format!("{}.done", plain.version));
    if done.exists() {
        return Ok(tree);
    }
    println!(
        "compressing {} with {} (takes minutes, once)",
        plain.version,
        program.join(" ")
    );
    let _ = fs::remove_dir_all(&tree.base);
    fs::create_dir_all(tree.base.join("lib/modules"))?;
    let from = plain.modules();
    run(
        "cp",
        &["-a", &from.to_string_lossy(), &tree.modules().to_string_lossy()],
        folder,
    )?;
    let line = format!(
        "find . -name '*.ko' -print0 | xargs -0 -n 50 -P \"$(nproc)\" {}",
        program.join(" ")
    );
    run("sh", &["-c", &line], &tree.modules())?;
    fs::write(done, extension)?;
    Ok(tree)
}

/// Package lists of another architecture, apart from those of the machine.
#[derive(Debug)]
struct Foreign {
    options: Vec<String>,
}

impl Foreign {
    fn new(folder: &Path, architecture: &str) -> Result<Self> {
        let state = folder.join("apt").join(architecture);
        for name in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(state.join(name))?;
        }
        fs::write(state.join("status"), "")?;
        let settings = [
            format!("APT::Architecture={architecture}"),
            format!("APT::Architectures={architecture}"),
            format!("Dir::State::lists={}", state.join("lists").display()),
            format!("Dir::State::status={}", state.join("status").display()),
            format!("Dir::Cache={}", state.join("cache").display()),
        ];
        Ok(Self {
            options: settings
                .into_iter()
                .flat_map(|setting| ["-o".to_owned(), setting])
                .collect(),
        })
    }

    fn update(&self) -> Result<()> {
        let mut arguments: Vec<&str> = self.options.iter().map(String::as_str).collect();
        arguments.extend(["update", "-qq"]);
        // Sources that lack this architecture are an error of the whole, though the others have been read.
        let _ = run("apt-get", &arguments, Path::new("/"));
        Ok(())
    }
}

/// The entries of a folder, in no order.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).with_context(|| format!("could not read `{}`", folder.display()))?;
    read.map(|entry| Ok(entry?.path())).collect()
}

/// Runs a program; its failure is an error that names the command line.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    let status = Command::new(program).args(arguments).current_dir(folder).status();
    let status = status.with_context(|| format!("could not start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}
