//! The built `kmm`, as a user runs it, against the real `modinfo` and `depmod`.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::generate::target_folder;
use crate::kernels::depmod::Case;
use crate::kernels::parts::entries;
use crate::steps;

/// Builds `kmm` once, as quick as this program itself.
pub(crate) fn build() -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--profile", "xtask", "--package", "kmm-cli"];
    steps::run(&steps::cargo(), &arguments)?;
    Ok(target_folder().join("xtask/kmm"))
}

/// Runs both on a tree, and compares every file and all that is printed; gives the bytes compared.
pub(crate) fn compare(case: &Case, kmm: &Path) -> Result<usize> {
    let mut compared = 0;
    // In the order in which they are run: the second one reads what the first has left.
    for options in [&["-n"][..], &["-w"], &["-a", "-P", "_"]] {
        let theirs = depmod(case, Path::new("depmod"), &[], options)?;
        let ours = depmod(case, kmm, &["depmod"], options)?;
        compared += same(&theirs, &ours, &format!("depmod {options:?}"))?;
    }
    Ok(compared)
}

type Files = Vec<(String, Vec<u8>)>;

/// What is printed, and every file of the index that was written.
fn depmod(case: &Case, program: &Path, first: &[&str], options: &[&str]) -> Result<Files> {
    let root = case.root();
    let index = || -> Result<Vec<PathBuf>> {
        let is_index = |path: &PathBuf| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let source = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];
            name.starts_with("modules.") && !source.contains(&name)
        };
        Ok(entries(&root)?.into_iter().filter(is_index).collect())
    };
    for file in index()? {
        fs::remove_file(file)?;
    }
    let mut command = Command::new(program);
    command.args(first).arg("-b").arg(&case.base).args(options);
    command.args(["-C", "/nonexistent", &case.version]);
    let (printed, said) = output(&mut command)?;
    let mut found = vec![("printed".to_owned(), printed)];
    if options.contains(&"-w") {
        found.push(("said".to_owned(), said));
    }
    for file in index()? {
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        found.push((name, fs::read(&file)?));
    }
    found.sort();
    Ok(found)
}

/// What a program prints, and what it warns of, without the name of the program.
fn output(command: &mut Command) -> Result<(Vec<u8>, Vec<u8>)> {
    let out = command
        .env("LC_ALL", "C")
        .output()
        .with_context(|| format!("could not start {:?}", command.get_program()))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("{:?} fails: {}", command.get_program(), said.trim_end());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let said = said
        .replace("depmod: WARNING: ", "")
        .replace("kmm: warning: ", "");
    // The real one breaks this line.
    let said = said.replace("duplicate module alias:\n", "duplicate module alias: ");
    let said = said.replace("duplicate module syms:\n", "duplicate module syms: ");
    Ok((out.stdout, said.into_bytes()))
}

fn same(theirs: &[(String, Vec<u8>)], ours: &[(String, Vec<u8>)], what: &str) -> Result<usize> {
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    if names(theirs) != names(ours) {
        bail!(
            "{what}: the real one writes {:?}, kmm {:?}",
            names(theirs),
            names(ours)
        );
    }
    for ((name, theirs), (_, ours)) in theirs.iter().zip(ours) {
        if theirs != ours {
            bail!(
                "{what}: {name} differs: {} bytes, of kmm {}",
                theirs.len(),
                ours.len()
            );
        }
    }
    Ok(theirs.iter().map(|(_, bytes)| bytes.len()).sum())
}
