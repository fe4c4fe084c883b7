//! How long the real tools and the built `kmm` take, one after the other in one run, and how much memory.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use crate::cost;
use crate::generate::target_folder;
use crate::kernels::parts::KernelTree;

/// Runs of each.
const RUNS: usize = 5;

/// Measures `depmod -n`, `depmod -a` and `modinfo` of all modules on one tree; `copy` may be written.
pub(crate) fn measure(tree: &KernelTree, copy: &Path, files: &[PathBuf]) -> Result<()> {
    let kmm = target_folder().join("release/kmm");
    let kmm = kmm.to_string_lossy();
    let base = copy.to_string_lossy();
    let names: Vec<String> = files
        .iter()
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for mode in ["-n", "-a"] {
        let arguments = ["-b", &base, mode, "-C", "/nonexistent", &tree.version];
        let ours = [&[&*kmm, "depmod"], &arguments[..]].concat();
        report(
            tree,
            &format!("depmod {mode}"),
            &[&["depmod"], &arguments[..]].concat(),
            &ours,
        )?;
    }
    let theirs = [&["modinfo"], &names[..]].concat();
    report(
        tree,
        "modinfo",
        &theirs,
        &[&[&*kmm, "modinfo"], &names[..]].concat(),
    )
}

fn report(tree: &KernelTree, what: &str, theirs: &[&str], ours: &[&str]) -> Result<()> {
    let (mut real, mut own) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        real.push(cost::run(theirs)?);
        own.push(cost::run(ours)?);
    }
    let (real, own) = (cost::median(&real), cost::median(&own));
    println!(
        "{}",
        cost::row(&format!("{}: {what}", tree.name), "kmod", &real, &own)
    );
    Ok(())
}
