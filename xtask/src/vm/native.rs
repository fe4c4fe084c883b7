//! The worker on this machine, on a node that is a folder: the in-tree modules and the image are those of the emulated
//! machine, `/proc` and `/sys` are a few files, and modprobe is a script that puts a module into them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::bench::Times;
use crate::steps;
use crate::vm::Boot;
use crate::vm::Fleet;

/// Rounds: of each a load and an unload, with the worker and without.
const ROUNDS: usize = 101;
/// Files of a node with nothing loaded that matters.
const FILES: [(&str, &str); 9] = [
    ("proc/modules", ""),
    (
        "proc/self/status",
        "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000010000\n",
    ),
    ("proc/self/uid_map", "         0          0 4294967295\n"),
    ("proc/sys/kernel/modules_disabled", "0\n"),
    ("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian\n"),
    (
        "sys/kernel/security/lockdown",
        "[none] integrity confidentiality\n",
    ),
    ("sys/module/module/parameters/sig_enforce", "N\n"),
    ("dev/kmsg", ""),
    (
        "config.yaml",
        "modprobe:\n  moduleName: kmm_user\n  dirName: /opt\n  parameters: [value=7]\n",
    ),
];

/// Measures loads and unloads: without the worker, and with it.
pub(super) fn measure(fleet: &Fleet, boot: &Boot) -> Result<[(&'static str, Times, Times); 2]> {
    let node = Node::new(fleet, boot)?;
    let mut times: [Vec<u32>; 4] = Default::default();
    for round in 0..=ROUNDS {
        let [bare_load, bare_unload, load, unload] = [
            node.time(&node.modprobe, &["-vd", "x", "kmm_user"])?,
            node.time(&node.modprobe, &["-rvd", "x", "kmm_user"])?,
            node.worker(&fleet.worker, "load")?,
            node.worker(&fleet.worker, "unload")?,
        ];
        // The first one brings files into memory.
        if round > 0 {
            for (all, time) in times.iter_mut().zip([bare_load, bare_unload, load, unload]) {
                all.push(time);
            }
        }
    }
    let [bare_load, bare_unload, load, unload] = times.map(Times::of);
    Ok([("load", bare_load, load), ("unload", bare_unload, unload)])
}

/// A node that is a folder.
struct Node {
    root: PathBuf,
    modprobe: PathBuf,
}

impl Node {
    fn new(fleet: &Fleet, boot: &Boot) -> Result<Self> {
        let root = fleet.folder(boot).join("native");
        let _ = fs::remove_dir_all(&root);
        for (path, text) in FILES {
            put(&root.join(path), text)?;
        }
        let version = &fleet.kernel(boot).version;
        put(&root.join("proc/sys/kernel/osrelease"), &format!("{version}\n"))?;
        let images = fleet.parts.folder.join("images").join(version);
        tree(&images.join("images/good"), &root.join("tmp"))?;
        tree(&images.join("node/lib"), &root.join("lib"))?;
        // One is loaded all the time; the other comes and goes.
        for (name, place) in [("kmm_base", "sys/module"), ("kmm_user", "kept")] {
            let folder = root.join(place).join(name);
            let object = root.join(format!("tmp/opt/lib/modules/{version}/extra/{name}.ko"));
            put(&folder.join("srcversion"), &srcversion(&object)?)?;
            put(&folder.join("initstate"), "live\n")?;
            put(&folder.join("refcnt"), "0\n")?;
            put(&folder.join("parameters/value"), "7\n")?;
            fs::create_dir_all(folder.join("holders"))?;
        }
        let modprobe = root.join("modprobe");
        let (here, gone) = (root.join("sys/module"), root.join("kept"));
        let script = format!(
            "#!/bin/busybox sh\ncase $1 in -r*) exec /bin/busybox mv {here}/kmm_user {gone} ;; esac\n\
             exec /bin/busybox mv {gone}/kmm_user {here}\n",
            here = here.display(),
            gone = gone.display()
        );
        put(&modprobe, &script)?;
        fs::set_permissions(&modprobe, fs::Permissions::from_mode(0o755))?;
        Ok(Self { root, modprobe })
    }

    /// How long a program takes, in microseconds.
    fn time(&self, program: &Path, arguments: &[&str]) -> Result<u32> {
        let start = Instant::now();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command
            .status()
            .with_context(|| format!("could not start `{}`", program.display()))?;
        let took = start.elapsed();
        if !status.success() {
            bail!(
                "`{} {}` ended with {status}",
                program.display(),
                arguments.join(" ")
            );
        }
        Ok(u32::try_from(took.as_micros())?)
    }

    fn worker(&self, worker: &Path, verb: &str) -> Result<u32> {
        let root = self.root.to_string_lossy();
        let modprobe = self.modprobe.to_string_lossy();
        self.time(
            worker,
            &[
                "kmod",
                verb,
                "config.yaml",
                "--root",
                &root,
                "--modprobe",
                &modprobe,
                "--result",
                "result",
            ],
        )
    }
}

fn put(path: &Path, text: &str) -> Result<()> {
    let named = || format!("could not write `{}`", path.display());
    fs::create_dir_all(path.parent().unwrap_or(path)).with_context(named)?;
    fs::write(path, text).with_context(named)
}

fn tree(from: &Path, to: &Path) -> Result<()> {
    steps::run("cp", &["-r", &from.to_string_lossy(), &to.to_string_lossy()])
}

fn srcversion(object: &Path) -> Result<String> {
    let out = Command::new("modinfo")
        .args(["-F", "srcversion"])
        .arg(object)
        .output()
        .context("could not start `modinfo`")?;
    Ok(String::from_utf8(out.stdout)?)
}
