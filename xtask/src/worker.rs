//! `kmm-worker` as it stands in its image: one static program.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::generate;
use crate::steps;

const NAME: &str = "kmm-worker";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds it, and makes sure that it needs nothing but a kernel.
pub(crate) fn build() -> Result<PathBuf> {
    build_static(NAME, "worker", &["--no-default-features"])
}

/// Builds one of the programs so that it needs nothing but a kernel. All of these share a folder, and what they need of
/// other crates is compiled once for each profile.
pub(crate) fn build_static(name: &str, profile: &str, features: &[&str]) -> Result<PathBuf> {
    let folder = generate::target_folder().join("static");
    let status = Command::new(steps::cargo())
        .args(["build", "--quiet", "--package", "kmm-cli", "--bin", name])
        .args(features)
        .args(["--profile", profile])
        // With a target named, the flag is not for programs that run during the build.
        .args(["--target", TARGET, "--target-dir"])
        .arg(&folder)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        // In an image, nobody looks for lines of the source.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_STRIP", "symbols")
        .current_dir(steps::root())
        .status()
        .context("could not start cargo")?;
    if !status.success() {
        bail!("the static {name} cannot be built: {status}");
    }
    let output = if profile == "dev" { "debug" } else { profile };
    let program = folder.join(TARGET).join(output).join(name);
    let bytes = fs::read(&program).with_context(|| format!("could not read `{}`", program.display()))?;
    is_static(&bytes).with_context(|| program.display().to_string())?;
    Ok(program)
}

/// Builds it and prints where it is and how large.
pub(crate) fn report() -> Result<()> {
    let program = build()?;
    let packed = compressed(&program)?;
    println!("{}", program.display());
    println!(
        "{} bytes, {packed} compressed with zstd; static, needs no file of its image",
        fs::metadata(&program)?.len()
    );
    Ok(())
}

fn compressed(program: &Path) -> Result<usize> {
    Ok(zstd::encode_all(fs::read(program)?.as_slice(), 3)?.len())
}

/// An ELF program for 64 bits that names neither an interpreter nor libraries.
fn is_static(program: &[u8]) -> Result<()> {
    const INTERPRETER: u32 = 3;
    const DYNAMIC: u32 = 2;
    const NEEDED: u64 = 1;
    if !program.starts_with(b"\x7fELF\x02\x01") {
        bail!("this is no ELF program for a little-endian processor of 64 bits");
    }
    let table = usize::try_from(number(program, 32, 8)?)?;
    let (size, count) = (number(program, 54, 2)?, number(program, 56, 2)?);
    for index in 0..count {
        let header = table + usize::try_from(index * size)?;
        let offset = usize::try_from(number(program, header + 8, 8)?)?;
        let length = usize::try_from(number(program, header + 32, 8)?)?;
        let kind = u32::try_from(number(program, header, 4)?)?;
        if kind == INTERPRETER {
            bail!("it is not static: it names an interpreter");
        }
        if kind == DYNAMIC {
            for entry in (offset..offset + length).step_by(16) {
                if number(program, entry, 8)? == NEEDED {
                    bail!("it is not static: it needs a library");
                }
            }
        }
    }
    Ok(())
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, size: usize) -> Result<u64> {
    let part = bytes.get(at..at + size).context("the ELF program is cut off")?;
    Ok(part.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::is_static;

    #[test]
    fn a_program_that_needs_others_is_told_apart() {
        // This test itself is linked as usual.
        let own = std::fs::read("/proc/self/exe").expect("a program can read itself");
        let error = is_static(&own).expect_err("tests are not static");
        assert!(error.to_string().contains("not static"), "{error}");
        assert!(is_static(b"#!/bin/sh\n").is_err());
        assert!(is_static(&own[..60]).is_err());
    }
}
