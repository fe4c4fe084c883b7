//! Kernel modules of our own, compiled against the headers of a kernel, for checks of images and for scenarios on real
//! kernels. What each is for stands in its source in `xtask/kmods`.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hash;
use std::hash::Hasher;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::steps;

/// Every module, by the name that the kernel gives it.
pub(crate) const MODULES: [&str; 9] = [
    "dummy",
    "kmm_base",
    "kmm_device",
    "kmm_fw",
    "kmm_holder",
    "kmm_intree",
    "kmm_missing",
    "kmm_space",
    "kmm_user",
];

/// The firmware that `kmm_fw` asks for, below a firmware folder.
pub(crate) const FIRMWARE: &str = "kmm/kmm_fw.bin";

const SOURCES: [(&str, &str); 11] = [
    ("Kbuild", include_str!("../kmods/Kbuild")),
    ("dummy.c", include_str!("../kmods/dummy.c")),
    ("kmm_base.c", include_str!("../kmods/kmm_base.c")),
    ("kmm_base.h", include_str!("../kmods/kmm_base.h")),
    ("kmm_device.c", include_str!("../kmods/kmm_device.c")),
    ("kmm_fw.c", include_str!("../kmods/kmm_fw.c")),
    ("kmm_holder.c", include_str!("../kmods/kmm_holder.c")),
    ("kmm_intree.c", include_str!("../kmods/kmm_intree.c")),
    ("kmm_missing.c", include_str!("../kmods/kmm_missing.c")),
    ("kmm_space.c", include_str!("../kmods/kmm_space.c")),
    ("kmm_user.c", include_str!("../kmods/kmm_user.c")),
];

/// Compiles the modules against a folder of headers, once: the result is kept in the cache.
///
/// The folder holds `NAME.ko` for each of [`MODULES`], without debug information; below `signed/` the same signed with
/// the [`key`], and below `other/` the same as version 2.0.0, so that `srcversion` differs.
pub(crate) fn build(headers: &Path) -> Result<PathBuf> {
    let done = steps::cache()?.join("kmods").join(digest(headers)?);
    if done.is_dir() {
        return Ok(done);
    }
    // Whole or not at all: what two runs build at once is the same.
    let work = done.with_extension(std::process::id().to_string());
    let _ = fs::remove_dir_all(&work);
    let place = |name: &str| work.join(name);
    compile(headers, &place(""), str::to_owned)?;
    compile(headers, &place("other"), |text| {
        text.replace("MODULE_VERSION(\"1.0.0", "MODULE_VERSION(\"2.0.0")
    })?;
    fs::create_dir_all(place("signed"))?;
    let key = key("kmm")?;
    for name in MODULES {
        let file = place("signed").join(format!("{name}.ko"));
        fs::copy(place(&format!("{name}.ko")), &file)?;
        sign(headers, &key, &file)?;
    }
    if fs::rename(&work, &done).is_err() && !done.is_dir() {
        bail!("could not keep the modules as `{}`", done.display());
    }
    let _ = fs::remove_dir_all(&work);
    Ok(done)
}

/// What `uname -r` prints on the kernel of a folder of headers.
pub(crate) fn release(headers: &Path) -> Result<String> {
    let file = headers.join("include/generated/utsrelease.h");
    let text = fs::read_to_string(&file).with_context(|| format!("could not read `{}`", file.display()))?;
    let release = text.split('"').nth(1);
    Ok(release
        .with_context(|| format!("`{}` names no release", file.display()))?
        .to_owned())
}

/// A key to sign modules with.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// The private key, PEM.
    pub(crate) key: PathBuf,
    /// The certificate, PEM.
    pub(crate) certificate: PathBuf,
    /// The certificate, DER.
    pub(crate) der: PathBuf,
}

/// The key of this name; made once, and kept in the cache.
pub(crate) fn key(name: &str) -> Result<Key> {
    let folder = steps::cache()?.join("kmods/keys");
    fs::create_dir_all(&folder)?;
    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    let key = Key {
        key: file("pem"),
        certificate: file("crt"),
        der: file("der"),
    };
    if !key.der.is_file() {
        let subject = format!("/O=Kernel Module Management in Rust/CN=Test key {name}");
        let (private, certificate) = (key.key.to_string_lossy(), key.certificate.to_string_lossy());
        let mut arguments = vec!["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256"];
        arguments.extend(["-days", "36500", "-subj", &subject]);
        arguments.extend(["-addext", "keyUsage=digitalSignature"]);
        arguments.extend(["-addext", "subjectKeyIdentifier=hash"]);
        arguments.extend(["-keyout", &private, "-out", &certificate]);
        quietly("openssl", &arguments)?;
        let der = key.der.to_string_lossy();
        quietly(
            "openssl",
            &["x509", "-in", &certificate, "-outform", "DER", "-out", &der],
        )?;
    }
    Ok(key)
}

/// Signs a module in place, with the kernel's own tool.
pub(crate) fn sign(headers: &Path, key: &Key, file: &Path) -> Result<()> {
    let tool = headers.join("scripts/sign-file");
    quietly(
        &tool.to_string_lossy(),
        &[
            "sha256",
            &key.key.to_string_lossy(),
            &key.certificate.to_string_lossy(),
            &file.to_string_lossy(),
        ],
    )
}

/// A name for what comes out: it changes with the sources, and with the headers.
fn digest(headers: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    SOURCES.hash(&mut hasher);
    for name in ["Module.symvers", "include/generated/autoconf.h"] {
        let file = headers.join(name);
        let bytes = fs::read(&file).with_context(|| format!("could not read `{}`", file.display()))?;
        bytes.hash(&mut hasher);
    }
    Ok(format!("{}-{:016x}", release(headers)?, hasher.finish()))
}

/// Writes the sources into a folder, and compiles them there.
fn compile(headers: &Path, folder: &Path, edit: impl Fn(&str) -> String) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, text) in SOURCES {
        fs::write(folder.join(name), edit(text))?;
    }
    let place = format!("M={}", folder.display());
    let headers = headers.to_string_lossy();
    // A symbol that nobody exports is a warning: one of the modules wants it so.
    quietly(
        "make",
        &["-s", "-C", &headers, &place, "KBUILD_MODPOST_WARN=1", "modules"],
    )?;
    for name in MODULES {
        let file = folder.join(format!("{name}.ko"));
        quietly("strip", &["--strip-debug", &file.to_string_lossy()])?;
    }
    Ok(())
}

/// Runs a program; what it says is shown only when it fails.
fn quietly(program: &str, arguments: &[&str]) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    let out = Command::new(program).args(arguments).output();
    let out = out.with_context(|| format!("could not start `{line}`"))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("`{line}` ended with {}:\n{}", out.status, said.trim_end());
    }
    Ok(())
}
