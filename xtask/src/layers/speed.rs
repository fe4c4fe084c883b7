//! How long reading an image takes, beside unpacking its layer to nowhere with the tools of the trade.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::layers::make::shell;
use crate::layers::scan;
use crate::steps;

/// Runs of each; the median counts.
const RUNS: usize = 5;

/// What the layer unpacks to: 400 MB.
const SIZE: usize = 400_000_000;

/// The argument with which this program reads an image and prints how much memory it needed.
pub(crate) const READ: &str = "read-image";

/// Reads a layer of 400 MB with one module in it, gzip and zstd, from a layout; next to `gzip -dc` and `zstd -dc`.
pub(crate) fn measure() -> Result<()> {
    let folder = steps::cache()?.join("image-speed");
    if !folder.join("gzip/index.json").is_file() || !folder.join("zstd/index.json").is_file() {
        make(&folder)?;
    }
    for (format, program) in [("gzip", "gzip"), ("zstd", "zstd")] {
        let layer = largest(&folder.join(format).join("blobs/sha256"))?;
        let layer = layer.to_str().context("the cache folder is not UTF-8")?;
        let reference = format!("oci:{}:v1", folder.join(format).display());
        let (mut real, mut own, mut memory) = (Vec::new(), Vec::new(), 0);
        for _ in 0..RUNS {
            real.push(timed(Command::new(program).args(["-dc", layer]))?.0);
            let (time, printed) = timed(Command::new(std::env::current_exe()?).args([READ, &reference]))?;
            own.push(time);
            memory = memory.max(
                printed
                    .trim()
                    .parse::<u64>()
                    .context("no peak memory was printed")?,
            );
        }
        let (real, own) = (median(real), median(own));
        println!(
            "read an image with a layer of 400 MB, {format}: `{program} -dc` {real:.3} s, ours {own:.3} s, \
             {:.2} of its time; peak memory {:.1} MiB",
            own / real,
            memory as f64 / 1024.0
        );
    }
    Ok(())
}

/// Reads an image and prints the peak memory of this process in KiB.
pub(crate) fn read(reference: &str) -> Result<()> {
    let image = scan(reference, None)?;
    if image
        .tree
        .walk()
        .filter(kmm_core::image::Entry::is_module)
        .count()
        == 0
    {
        bail!("{reference}: no module was found");
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM")?;
    println!("{}", peak.trim().trim_end_matches(" kB"));
    Ok(())
}

/// A rootfs as builds leave it behind, and one module.
fn make(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let modules = folder.join("root/opt/lib/modules/6.1.0");
    fs::create_dir_all(&modules)?;
    fs::write(modules.join("nic.ko"), vec![0; 100_000])?;
    leftovers(&folder.join("root/usr"), SIZE)?;
    shell(
        folder,
        "
        tar -C root -cf layer.tar .
        umoci init --layout gzip
        umoci new --image gzip:v1
        umoci raw add-layer --image gzip:v1 layer.tar
        rm -r root layer.tar
        skopeo --insecure-policy copy --quiet --dest-compress-format zstd oci:gzip:v1 oci:zstd:v1
        ",
    )
}

/// Files of at least so many bytes together: text and machine code of this machine's own programs.
pub(crate) fn leftovers(folder: &Path, size: usize) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut pool = Vec::new();
    for program in [
        "/usr/bin/bash",
        "/usr/bin/perl",
        "/usr/bin/git",
        "/usr/bin/gpg",
        "/usr/bin/skopeo",
        "/usr/bin/buildah",
    ] {
        pool.extend(fs::read(program).unwrap_or_default());
    }
    if pool.len() < 1 << 20 {
        bail!("this machine has too few programs to make a layer of");
    }
    let mut random = fastrand::Rng::with_seed(7);
    let mut written = 0;
    for number in 0.. {
        if written >= size {
            break;
        }
        let mut file = fs::File::create(folder.join(format!("file{number}")))?;
        let length = random.usize(1_000..400_000);
        let start = random.usize(..pool.len() - length);
        let mut bytes = pool.get(start..start + length).unwrap_or_default().to_vec();
        // No two files are the same, so that matches stay near, as in real layers.
        for _ in 0..length / 64 {
            let place = random.usize(..bytes.len());
            if let Some(byte) = bytes.get_mut(place) {
                *byte = random.u8(..);
            }
        }
        file.write_all(&bytes)?;
        written += length;
    }
    Ok(())
}

pub(crate) fn largest(folder: &Path) -> Result<std::path::PathBuf> {
    let mut largest = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        largest = largest.max(Some((entry.metadata()?.len(), entry.path())));
    }
    largest.map(|(_, path)| path).context("the layout has no blobs")
}

fn timed(command: &mut Command) -> Result<(Duration, String)> {
    let start = Instant::now();
    let own = command.get_args().next().is_some_and(|argument| argument == READ);
    command.stdout(if own { Stdio::piped() } else { Stdio::null() });
    let out = command.spawn()?.wait_with_output()?;
    let time = start.elapsed();
    if !out.status.success() {
        bail!("{command:?} ended with {}", out.status);
    }
    Ok((time, String::from_utf8_lossy(&out.stdout).into_owned()))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}
