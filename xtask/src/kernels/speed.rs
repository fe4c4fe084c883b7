//! How long the real tools and ours take, one after the other in one run.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use kmm_core::depmod::Config;
use kmm_core::depmod::Index;
use kmm_core::depmod::Options;
use kmm_core::kmod::ModuleInfo;
use kmm_core::kmod::Rendering;

use crate::kernels::disk::DiskTree;
use crate::kernels::disk::on_all_processors;
use crate::kernels::parts::KernelTree;
use crate::kernels::unpack::Unpack;

/// Runs of each.
const RUNS: usize = 5;

/// Measures `depmod -n`, `depmod -a` and `modinfo` of all modules on one tree; `copy` may be written.
pub(crate) fn measure(tree: &KernelTree, copy: &Path, files: &[PathBuf]) -> Result<()> {
    let root = copy.join("lib/modules").join(&tree.version);
    let base = copy.to_string_lossy().into_owned();
    let index = || {
        Index::build(
            &DiskTree { root: root.clone() },
            &Config::default(),
            &Options::default(),
        )
    };
    let depmod = |arguments: &[&str]| real("depmod", &[&["-b", &base], arguments, &[&tree.version]].concat());
    report(
        tree,
        "depmod -n",
        || depmod(&["-n"]),
        || {
            index()?.shown();
            Ok(())
        },
    )?;
    report(
        tree,
        "depmod -a",
        || depmod(&["-a"]),
        || {
            for file in index()?.files()?.0 {
                fs::write(root.join(file.name), file.bytes)?;
            }
            Ok(())
        },
    )?;
    let names: Vec<&str> = files.iter().filter_map(|file| file.to_str()).collect();
    let modinfo = || {
        let printed = on_all_processors(&names, |name, bytes| {
            let info = read(name, bytes).and_then(|()| Ok(ModuleInfo::read(bytes, &Unpack)?));
            info.map(|info| Rendering::default().text(name, &info).len())
        });
        printed.into_iter().try_for_each(|length| length.map(drop))
    };
    report(tree, "modinfo", || real("modinfo", &names), modinfo)
}

fn report(
    tree: &KernelTree,
    what: &str,
    theirs: impl Fn() -> Result<()>,
    ours: impl Fn() -> Result<()>,
) -> Result<()> {
    let (mut real, mut own) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        real.push(time(&theirs)?);
        own.push(time(&ours)?);
    }
    let (real, own) = (median(real), median(own));
    println!(
        "{}: {what}: real {real:.3} s, ours {own:.3} s, {:.1} times as fast",
        tree.name,
        real / own
    );
    Ok(())
}

fn time(run: impl Fn() -> Result<()>) -> Result<Duration> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

fn real(program: &str, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .status()
        .with_context(|| format!("could not start `{program}`"))?;
    Ok(())
}

fn read(name: &str, bytes: &mut Vec<u8>) -> Result<()> {
    bytes.clear();
    std::io::Read::read_to_end(&mut fs::File::open(name)?, bytes)?;
    Ok(())
}
