//! Debian's kernels and the real `modinfo` and `depmod`, side by side with ours.
//!
//! [`set_up`] brings kernels for three architectures, the complete one also as `.ko.xz` and `.ko.zst`, and the
//! headers of three flavours; [`compare`] then compares every byte that both sides print or write.

#[path = "../../kmm-core/tests/kmod/builder.rs"]
#[allow(dead_code, reason = "the tests of kmm-core make more of it")]
mod builder;
mod depmod;
mod disk;
mod modinfo;
mod parts;
mod random;
mod unpack;

use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;

pub(crate) use parts::KernelParts;
pub(crate) use parts::set_up;

/// Runs `modinfo` and `depmod` side by side with ours on everything.
pub(crate) fn compare(parts: &KernelParts) -> Result<()> {
    let work = parts.folder.join("work");
    std::fs::create_dir_all(&work)?;
    let count = std::env::args()
        .nth(2)
        .and_then(|count| count.parse().ok())
        .unwrap_or(2000);
    random_trees(&work, count)?;
    for tree in &parts.kernels {
        let start = Instant::now();
        let case = depmod::copy(tree, &work)?;
        let bytes = depmod::compare(&case)?;
        println!(
            "{}: depmod, {bytes} bytes the same ({:.1} s)",
            tree.name,
            start.elapsed().as_secs_f64()
        );
        if tree.base.join("boot").is_dir() && tree.version.ends_with("amd64") {
            for headers in &parts.headers {
                let lines = depmod::compare_symbols(&case, "-E", &headers.join("Module.symvers"))?;
                println!(
                    "{}: {lines} lines of -e -E with {} the same",
                    tree.name,
                    headers.display()
                );
            }
        }
    }
    if std::env::args().nth(1).as_deref() == Some("depmod") {
        return Ok(());
    }
    for tree in &parts.kernels {
        let start = Instant::now();
        let files = modules(&tree.modules())?;
        let objects = modinfo::read_all(tree, &files)?;
        let (count, bytes) = modinfo::compare(&files)?;
        let imports: usize = objects.iter().map(|object| object.imports.len()).sum();
        let exports: usize = objects.iter().map(|object| object.exports.len()).sum();
        println!(
            "{}: modinfo of {count} modules, {bytes} bytes the same; {imports} imports, {exports} exports ({:.1} s)",
            tree.name,
            start.elapsed().as_secs_f64()
        );
    }
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
            lines += compared.with_context(|| format!("random tree {seed}"))?;
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
