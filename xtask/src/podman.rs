//! The worker in a container, as its guide says: with podman, one capability, and an image that holds nothing to run.
//!
//! The kernel of this machine takes no modules of ours, so that the way ends where it is refused: the module was built for
//! another kernel, or this kernel takes no modules at all. What comes after that, scenarios show on real kernels.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use crate::kmods;
use crate::steps;
use crate::vm;
use crate::worker;

const WORKER: &str = "localhost/kmm-worker";
const MODULE: &str = "localhost/acme-nic";

/// What the machine may not allow podman: to raise limits.
pub(crate) const LIMITS: [&str; 4] = ["--ulimit", "nofile=1000:1000", "--ulimit", "nproc=1000:1000"];

/// Builds both images, and runs the commands of the guide.
pub(crate) fn check() -> Result<()> {
    vm::installed(&[
        ("podman", "/usr/bin/podman"),
        ("runc", "/usr/sbin/runc"),
        ("kmod", "/usr/bin/kmod"),
    ])?;
    let place = Place::new()?;
    let program = worker::build()?;
    place.worker_image(&program)?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    place.module_image(release.trim())?;
    place.load()?;
    place.copy(&program, release.trim())
}

/// The folder of the images, and podman with storage of its own.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        let folder = steps::cache()?.join("podman");
        for name in ["worker", "module", "share"] {
            let _ = fs::remove_dir_all(folder.join(name));
            fs::create_dir_all(folder.join(name))?;
        }
        Ok(Self { folder })
    }

    /// Runs podman; returns its standard output, whatever its exit code.
    fn podman(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        println!("$ podman {}", arguments.join(" "));
        let out = Command::new("podman")
            .arg("--root")
            .arg(self.folder.join("storage"))
            .arg("--runroot")
            .arg(self.folder.join("run"))
            // Takes hosts with both kinds of control groups, too.
            .args(["--runtime", "runc"])
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .context("could not start `podman`")?;
        let said = String::from_utf8_lossy(&out.stderr);
        print!("{said}");
        Ok((
            out.status.code(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
        ))
    }

    fn image(&self, folder: &str, name: &str, file: &str) -> Result<()> {
        let context = self.folder.join(folder);
        fs::write(context.join("Containerfile"), file)?;
        let context = context.to_string_lossy();
        match self.podman(&["build", "--quiet", "--tag", name, &context])? {
            (Some(0), _) => Ok(()),
            (code, said) => bail!("`podman build` ended with {code:?}: {said}"),
        }
    }

    /// The worker, and kmod with its libraries.
    fn worker_image(&self, program: &Path) -> Result<()> {
        let root = self.folder.join("worker/root");
        let kmod = Path::new("/usr/bin/kmod");
        let mut files = vec![
            (program.to_owned(), "usr/local/bin/kmm-worker".to_owned()),
            (kmod.to_owned(), "sbin/modprobe".to_owned()),
        ];
        for library in vm::libraries(kmod)? {
            files.push((
                PathBuf::from(&library),
                library.trim_start_matches('/').to_owned(),
            ));
        }
        for (from, to) in files {
            copy(&from, &root.join(to))?;
        }
        let guide = guide()?;
        let file = in_podman(&guide, "dockerfile").context("the guide has no image for podman")?;
        self.image("worker", WORKER, file)
    }

    /// A module of another kernel, under the name of this one.
    fn module_image(&self, release: &str) -> Result<()> {
        let headers = vm::headers()?;
        if kmods::release(&headers)? == release {
            bail!("this machine runs the kernel of the test modules: it could take them");
        }
        let base = self.folder.join("module/root/opt");
        let built = kmods::build(&headers)?;
        let to = base.join("lib/modules").join(release).join("extra/kmm_base.ko");
        copy(&built.join("kmm_base.ko"), &to)?;
        steps::run_in(&self.folder, "depmod", &["-b", &base.to_string_lossy(), release])?;
        self.image("module", MODULE, "FROM scratch\nCOPY root/ /\n")
    }

    /// The guide's command, as it stands there but for the names of images and what is put under limits.
    fn load(&self) -> Result<()> {
        let config = self.folder.join("config.yaml");
        fs::write(&config, "modprobe:\n  moduleName: kmm_base\n  dirName: /opt\n")?;
        let guide = guide()?;
        let command = guide_command(&guide)?
            .replace("registry.example/acme-nic:6.1.0-56-cloud-amd64", MODULE)
            .replace("\"$PWD/config.yaml:", &format!("{}:", config.display()))
            .replace(":ro\"", ":ro")
            .replace(" kmm-worker ", &format!(" {WORKER} "));
        let mut arguments: Vec<&str> = command.split_whitespace().skip(1).collect();
        arguments.splice(1..1, LIMITS);
        let result = self.podman(&arguments)?;
        if Path::new("/proc/modules").exists() {
            return expect(&result, 1, &[("step", "precheck"), ("reason", "WrongKernel")]);
        }
        // This kernel was built without modules.
        let proof = "/proc/modules is not there, which every kernel with loadable modules has";
        let fields = [
            ("step", "precheck"),
            ("reason", "NoModuleSupport"),
            ("proof", proof),
        ];
        expect(&result, 1, &fields)
    }

    /// What an init container does, in the image of the module: it has nothing that could be run.
    fn copy(&self, program: &Path, release: &str) -> Result<()> {
        let program = format!("{}:/program/kmm-worker:ro", program.display());
        let share = self.folder.join("share");
        let mount = format!("{}:/share", share.display());
        let files = format!("opt/lib/modules/{release}");
        let (from, to) = (format!("/{files}"), format!("/share/{files}"));
        let mut arguments = vec!["run", "--rm", "--cap-drop", "ALL", "--read-only"];
        arguments.extend(["--network", "none"]);
        arguments.extend(LIMITS);
        arguments.extend(["-v", &program, "-v", &mount, MODULE, "/program/kmm-worker"]);
        arguments.extend(["copy", &from, &to, "--result", "/dev/stdout"]);
        for _ in 0..2 {
            expect(&self.podman(&arguments)?, 0, &[("reason", "Copied")])?;
        }
        let (one, other) = (self.folder.join("module/root").join(&files), share.join(&files));
        for file in ["modules.dep", "extra/kmm_base.ko"] {
            if fs::read(one.join(file))? != fs::read(other.join(file))? {
                bail!("`{file}` is not the same after it was copied");
            }
        }
        Ok(())
    }
}

fn guide() -> Result<String> {
    let path = steps::root().join("docs/guide/worker.md");
    fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))
}

/// The first block of a kind in the part about podman.
fn in_podman<'g>(guide: &'g str, kind: &str) -> Option<&'g str> {
    let (_, part) = guide.split_once("## In a container, with podman")?;
    let (_, behind) = part.split_once(&format!("```{kind}\n"))?;
    let (block, _) = behind.split_once("```")?;
    Some(block)
}

/// The first command of the part about podman.
fn guide_command(guide: &str) -> Result<String> {
    let command = in_podman(guide, "sh").context("the guide has no command for podman")?;
    let command = command.replace("\\\n", " ");
    if !command.starts_with("podman run ") || command.trim_end().contains('\n') {
        bail!("this is not one command: {command}");
    }
    Ok(command)
}

/// Holds an exit code and fields of the result on standard output to what they should be.
fn expect((code, said): &(Option<i32>, String), wanted: i32, fields: &[(&str, &str)]) -> Result<()> {
    // It is written at the begin of every step; the last one counts.
    let last = said.lines().last().unwrap_or_default();
    let result: serde_json::Value =
        serde_json::from_str(last).with_context(|| format!("no result: {said}"))?;
    println!("{result}");
    if *code != Some(wanted) {
        bail!("the exit code is {code:?}, and not {wanted}");
    }
    for (name, value) in fields {
        if result[*name] != **value {
            bail!("`{name}` of the result is {}, and not `{value}`", result[*name]);
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(above) = to.parent() {
        fs::create_dir_all(above)?;
    }
    fs::copy(from, to).with_context(|| format!("could not copy `{}`", from.display()))?;
    Ok(())
}
