//! Debian's kernels and the real `modinfo` and `depmod`, side by side with ours.
//!
//! [`set_up`] brings kernels for three architectures, the complete one also as `.ko.xz` and `.ko.zst`, and the
//! headers of three flavours; [`compare`] then compares every byte that both sides print or write.

#[path = "../../kmm-core/tests/kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kmm-core make more of it")]
mod builder;
mod built;
mod depmod;
mod modinfo;
mod outside;
mod parts;
mod random;
mod speed;
mod symbols;

use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use kmm_core::kmod::Symvers;

pub(crate) use parts::KernelParts;
pub(crate) use parts::KernelTree;
pub(crate) use parts::set_up;

/// Random trees in one run.
const TREES: u64 = 300;

/// Runs `modinfo`, `depmod` and `modprobe` side by side with ours on everything.
pub(crate) fn compare(parts: &KernelParts) -> Result<()> {
    let work = parts.folder.join("work");
    std::fs::create_dir_all(&work)?;
    random_trees(&work, TREES)?;
    outside::compare(parts, &work)?;
    for tree in &parts.kernels {
        kernel(parts, tree, &work).with_context(|| tree.name.clone())?;
    }
    Ok(())
}

/// Measures the real tools and ours on the complete kernel, in each of its forms.
pub(crate) fn measure(parts: &KernelParts) -> Result<()> {
    let work = parts.folder.join("work");
    std::fs::create_dir_all(&work)?;
    for tree in parts.kernels.iter().take(3) {
        let case = depmod::copy(tree, &work)?;
        speed::measure(tree, &case.base, &modules(&case.root())?)?;
    }
    Ok(())
}

/// All comparisons of one kernel.
fn kernel(parts: &KernelParts, tree: &KernelTree, work: &Path) -> Result<()> {
    let start = Instant::now();
    println!("{}", tree.name);
    let case = depmod::copy(tree, work)?;
    println!("  depmod: {} bytes the same", depmod::compare(&case)?);
    let files = modules(&tree.modules())?;
    let objects = modinfo::read_all(tree, &files)?;
    let (count, bytes) = modinfo::compare(&files)?;
    println!("  modinfo of {count} modules: {bytes} bytes the same");
    println!("  the built kmm: {} bytes the same", built::compare(&case, &files)?);
    if tree.base.join("boot").is_dir() {
        println!(
            "  checksums of {} imports the same as modprobe's",
            symbols::imports(&files, &objects)?
        );
    }
    println!(
        "  {} exports the same without the symbols that name them",
        symbols::stripped(&files, &objects)?
    );
    for headers in parts.headers.iter().filter(|_| tree.version.ends_with("amd64")) {
        let path = headers.join("Module.symvers");
        let findings = depmod::compare_symbols(&case, "-E", &path)?;
        let name = headers.file_name().unwrap_or_default().to_string_lossy();
        println!("  {} lines of -e -E with {name} the same", findings.len());
        if name.ends_with(&tree.version) {
            let symvers = Symvers::parse(&std::fs::read_to_string(&path)?)?;
            println!(
                "  {} exports the same as in Module.symvers",
                symbols::exports(&objects, &symvers)?
            );
            println!(
                "  {} modules load into it",
                symbols::own_kernel(&objects, &symvers)?
            );
        } else {
            let refused = symbols::other_kernel(&objects, &path, &findings)?;
            println!("  {refused} of {count} modules do not load with it, for the reasons that depmod names");
        }
    }
    println!("  {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Compares the index of trees made at random.
fn random_trees(work: &Path, count: u64) -> Result<()> {
    let seed = fastrand::u64(..);
    let symvers = work.join("Module.symvers");
    std::fs::write(
        &symvers,
        "0x00000001\tone\tvmlinux\tEXPORT_SYMBOL\t\n0x00000000\tsix\tvmlinux\tEXPORT_SYMBOL\t\n",
    )?;
    let (mut bytes, mut lines, mut circles) = (0, 0, 0);
    for number in 0..count {
        let seed = seed.wrapping_add(number);
        let case = random::tree(&work.join("random"), seed)?;
        let compared = depmod::compare(&case).with_context(|| format!("random tree {seed}"))?;
        bytes += compared;
        if compared == 0 {
            circles += 1;
        } else {
            let compared = depmod::compare_symbols(&case, "-E", &symvers);
            lines += compared.with_context(|| format!("random tree {seed}"))?.len();
        }
    }
    println!(
        "{count} random trees, {circles} with circles: {bytes} bytes and {lines} lines of -e -E the same"
    );
    Ok(())
}

/// Every kernel object below a folder, in no particular order.
fn modules(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for path in parts::entries(&folder)? {
            let name = path.to_string_lossy();
            if path.is_dir() {
                open.push(path);
            } else if [".ko", ".ko.gz", ".ko.xz", ".ko.zst"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                found.push(path);
            }
        }
    }
    Ok(found)
}
