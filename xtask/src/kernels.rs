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
mod odd;
mod outside;
mod parts;
mod random;
mod speed;
mod symbols;

use std::fmt::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::kmod::Symvers;
use kmm_files::in_parallel;

use crate::cost;
use crate::steps;

pub(crate) use parts::KernelParts;
pub(crate) use parts::KernelTree;
pub(crate) use parts::entries;
pub(crate) use parts::set_up;
pub(crate) use parts::unpacked;

/// Random trees in one run.
const TREES: u64 = 300;

/// `cargo xtask kernels [PART...]`, with random trees that are new each time.
pub(crate) fn command(only: &[&str]) -> Result<()> {
    compare(&set_up()?, only, fastrand::u64(..))
}

/// Runs `modinfo`, `depmod` and `modprobe` side by side with ours on everything, or on the parts that are named;
/// random trees are those from `seed` on.
pub(crate) fn compare(parts: &KernelParts, only: &[&str], seed: u64) -> Result<()> {
    const PARTS: [&str; 7] = ["random", "outside", "odd", "plain", "xz", "zst", "others"];
    if let Some(unknown) = only.iter().find(|name| !PARTS.contains(name)) {
        bail!(
            "`{unknown}` is no part of the comparison, these are: {}",
            PARTS.join(", ")
        );
    }
    let wanted = |part: &str| only.is_empty() || only.contains(&part);
    let work = parts.folder.join("work");
    std::fs::create_dir_all(&work)?;
    let kmm = built::build()?;
    if wanted("random") {
        random_trees(&work, seed)?;
    }
    if wanted("outside") {
        outside::compare(parts, &kmm, &work)?;
    }
    if wanted("odd") {
        odd::compare(parts, &kmm, &work)?;
    }
    // The real tools use one processor each: kernels are compared in parallel, those that take longest first.
    let mut kernels: Vec<(usize, &KernelTree)> = parts.kernels.iter().enumerate().collect();
    kernels.retain(|(number, _)| wanted(["plain", "xz", "zst"].get(*number).unwrap_or(&"others")));
    kernels.sort_by_key(|(number, _)| [2, 0, 1].get(*number).copied().unwrap_or(*number));
    let done = in_parallel(&kernels, |(_, tree), _| {
        let report = kernel(parts, tree, &kmm, &work).with_context(|| tree.name.clone());
        report.map(|report| println!("{}\n{report}", tree.name))
    });
    done.into_iter().collect()
}

/// Measures the real tools and ours on the complete kernel, in each of its forms.
pub(crate) fn measure(parts: &KernelParts) -> Result<()> {
    let work = parts.folder.join("work");
    std::fs::create_dir_all(&work)?;
    steps::run(&steps::cargo(), &["build", "--release", "--package", "kmm-cli"])?;
    println!("{}", cost::head());
    for tree in parts.kernels.iter().take(3) {
        let case = depmod::copy(tree, &work)?;
        speed::measure(tree, &case.base, &modules(&case.root())?)?;
    }
    Ok(())
}

/// All comparisons of one kernel.
fn kernel(parts: &KernelParts, tree: &KernelTree, kmm: &Path, work: &Path) -> Result<String> {
    let start = Instant::now();
    let mut report = String::new();
    let case = depmod::copy(tree, work)?;
    let bytes = depmod::compare(&case)? + built::compare(&case, kmm)?;
    writeln!(report, "  depmod: {bytes} bytes the same")?;
    let files = modules(&tree.modules())?;
    let objects = modinfo::read_all(tree, &files)?;
    let (count, bytes) = modinfo::compare(&files, kmm)?;
    writeln!(report, "  modinfo of {count} modules: {bytes} bytes the same")?;
    if tree.base.join("boot").is_dir() {
        let count = symbols::imports(&files, &objects)?;
        writeln!(report, "  checksums of {count} imports the same as modprobe's")?;
    }
    let exports = symbols::stripped(&files, &objects)?;
    writeln!(
        report,
        "  {exports} exports the same without the symbols that name them"
    )?;
    for headers in parts.headers.iter().filter(|_| tree.version.ends_with("amd64")) {
        let path = headers.join("Module.symvers");
        let findings = depmod::compare_symbols(&case, "-E", &path)?;
        let name = headers.file_name().unwrap_or_default().to_string_lossy();
        writeln!(report, "  {} lines of -e -E with {name} the same", findings.len())?;
        if name.ends_with(&tree.version) {
            let symvers = Symvers::parse(&std::fs::read_to_string(&path)?)?;
            let exports = symbols::exports(&objects, &symvers)?;
            writeln!(report, "  {exports} exports the same as in Module.symvers")?;
            let loading = symbols::own_kernel(&objects, &symvers)?;
            writeln!(report, "  {loading} modules load into it")?;
        } else {
            let refused = symbols::other_kernel(&objects, &path, &findings)?;
            writeln!(
                report,
                "  {refused} of {count} modules do not load with it, for the reasons that depmod names"
            )?;
        }
    }
    write!(report, "  {:.1} s", start.elapsed().as_secs_f64())?;
    std::fs::remove_dir_all(&case.base)?;
    Ok(report)
}

/// Compares the index of trees made at random.
fn random_trees(work: &Path, seed: u64) -> Result<()> {
    let symvers = work.join("Module.symvers");
    std::fs::write(
        &symvers,
        "0x00000001\tone\tvmlinux\tEXPORT_SYMBOL\t\n0x00000000\tsix\tvmlinux\tEXPORT_SYMBOL\t\n",
    )?;
    let (mut bytes, mut lines, mut circles) = (0, 0, 0);
    for number in 0..TREES {
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
        "{TREES} random trees from seed {seed}, {circles} with circles: {bytes} bytes and {lines} lines of -e -E the same"
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
