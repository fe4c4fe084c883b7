//! The images of operator and worker, made with buildah from static programs.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

use crate::steps;
use crate::vm;
use crate::worker;

const OPERATOR: &str = "localhost/kmm-operator";
const WORKER: &str = "localhost/kmm-worker";
/// Where Debian keeps the certificates of authorities, and where programs look for them.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// As whom programs are tried.
const NOBODY: [&str; 2] = ["--user", "65532:65532"];

/// Builds both images, tries them, and leaves them as OCI archives in the cache folder; prints where.
pub(crate) fn build() -> Result<()> {
    vm::installed(&[
        ("buildah", "/usr/bin/buildah"),
        ("kmod", "/usr/bin/kmod"),
        ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
    ])?;
    let place = Place::new()?;
    place.operator()?;
    place.worker()?;
    place.image(OPERATOR, "operator")?;
    place.image(WORKER, "worker")?;
    place.try_operator()?;
    place.try_worker()?;
    for (image, name) in [(OPERATOR, "operator"), (WORKER, "worker")] {
        let archive = place.folder.join(format!("kmm-{name}.oci.tar"));
        let _ = fs::remove_file(&archive);
        place.buildah(&[
            "push",
            "--quiet",
            image,
            &format!("oci-archive:{}:{name}", archive.display()),
        ])?;
        println!("{}: {} bytes", archive.display(), fs::metadata(&archive)?.len());
    }
    Ok(())
}

/// The folder of the images, and buildah with storage of its own.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn new() -> Result<Self> {
        let folder = steps::cache()?.join("deploy-images");
        for name in ["operator", "worker"] {
            let _ = fs::remove_dir_all(folder.join(name));
        }
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Runs buildah; returns its standard output.
    fn buildah(&self, arguments: &[&str]) -> Result<String> {
        println!("$ buildah {}", arguments.join(" "));
        let out = Command::new("buildah")
            .arg("--root")
            .arg(self.folder.join("storage"))
            .arg("--runroot")
            .arg(self.folder.join("run"))
            .args(["--storage-driver", "vfs"])
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .context("could not start `buildah`")?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        if !out.status.success() {
            bail!(
                "`buildah {}` ended with {}: {said}{}",
                arguments.join(" "),
                out.status,
                String::from_utf8_lossy(&out.stderr)
            );
        }
        Ok(said)
    }

    fn operator(&self) -> Result<()> {
        let root = self.folder.join("operator");
        copy(
            &worker::build_static("kmm", "release", &[])?,
            &root.join("usr/local/bin/kmm"),
        )?;
        copy(&Path::new("/").join(AUTHORITIES), &root.join(AUTHORITIES))
    }

    fn worker(&self) -> Result<()> {
        let root = self.folder.join("worker");
        copy(&worker::build()?, &root.join("usr/local/bin/kmm-worker"))?;
        let kmod = Path::new("/usr/bin/kmod");
        copy(kmod, &root.join("sbin/modprobe"))?;
        for library in vm::libraries(kmod)? {
            copy(Path::new(&library), &root.join(library.trim_start_matches('/')))?;
        }
        Ok(())
    }

    fn image(&self, image: &str, name: &str) -> Result<()> {
        let file = steps::root().join(format!("kmm-kube/deploy/images/{name}.Containerfile"));
        let file = file.to_string_lossy();
        let version = format!("org.opencontainers.image.version={}", env!("CARGO_PKG_VERSION"));
        let arguments = [
            "build",
            "--quiet",
            "--timestamp",
            "0",
            "--label",
            &version,
            "--file",
            &file,
            "--tag",
            image,
            ".",
        ];
        self.buildah(&arguments).map(drop)
    }

    /// It runs as nobody, and knows its commands.
    fn try_operator(&self) -> Result<()> {
        let said = self.run(OPERATOR, &NOBODY, &["/usr/local/bin/kmm", "--version"])?;
        let wanted = format!("kmm {}\n", env!("CARGO_PKG_VERSION"));
        ensure!(said == wanted, "`kmm --version` in its image says {said:?}");
        let crds = self.run(OPERATOR, &NOBODY, &["/usr/local/bin/kmm", "crds", "-o", "json"])?;
        let crds: serde_json::Value = serde_json::from_str(&crds)?;
        ensure!(
            crds["items"].as_array().is_some_and(|list| list.len() >= 5),
            "{crds}"
        );
        // Names are resolved without files of the image: the answer is that nobody listens there.
        let ask = [
            "/usr/local/bin/kmm",
            "image",
            "inspect",
            "--plain-http",
            "localhost:1/none:1",
        ];
        let refused = self.run(OPERATOR, &NOBODY, &ask).err();
        let refused = refused.context("there is a registry on port 1")?.to_string();
        ensure!(refused.contains("Connection refused"), "{refused}");
        self.runs_as(OPERATOR)
    }

    /// The program, modprobe, and the step that brings the program to images with no shell.
    fn try_worker(&self) -> Result<()> {
        let said = self.run(WORKER, &NOBODY, &["/usr/local/bin/kmm-worker", "--version"])?;
        let wanted = format!("kmm-worker {}\n", env!("CARGO_PKG_VERSION"));
        ensure!(
            said == wanted,
            "`kmm-worker --version` in its image says {said:?}"
        );
        let said = self.run(WORKER, &NOBODY, &["/sbin/modprobe", "--version"])?;
        ensure!(
            said.starts_with("kmod version"),
            "`modprobe --version` in the image says {said:?}"
        );
        // The first init container of a pod on nodes that do not mount images: the second one runs what this one brings.
        let share = self.folder.join("share");
        let _ = fs::remove_dir_all(&share);
        fs::create_dir(&share)?;
        let volume = format!("{}:/kmm-bin", share.display());
        let program = "/usr/local/bin/kmm-worker";
        let copy = ["copy", program, "/kmm-bin/kmm-worker", "--result", "/dev/stdout"];
        let said = self.run(
            WORKER,
            &["--user", "0:0", "-v", &volume],
            &[&[program], &copy[..]].concat(),
        )?;
        let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
        ensure!(last["reason"] == "Copied", "{last}");
        let out = Command::new(share.join("kmm-worker")).arg("--version").output()?;
        ensure!(out.status.success(), "the copy of the program does not run");
        self.runs_as(WORKER)
    }

    fn runs_as(&self, image: &str) -> Result<()> {
        let said = self.buildah(&["inspect", "--type", "image", image])?;
        let image: serde_json::Value = serde_json::from_str(&said)?;
        let config = &image["OCIv1"]["config"];
        ensure!(config["User"] == "65532:65532", "{config}");
        let labels = &config["Labels"];
        ensure!(
            labels["org.opencontainers.image.version"] == env!("CARGO_PKG_VERSION"),
            "{labels}"
        );
        Ok(())
    }

    /// Runs a program in a container of an image, without a capability.
    fn run(&self, image: &str, options: &[&str], command: &[&str]) -> Result<String> {
        let name = self.buildah(&["from", "--quiet", image])?;
        let name = name.trim();
        // Takes hosts that allow no other isolation, too.
        let mut arguments = vec!["run", "--isolation", "chroot", "--cap-drop", "all"];
        arguments.extend(options);
        arguments.extend([name, "--"]);
        arguments.extend(command);
        let said = self.buildah(&arguments);
        self.buildah(&["rm", name])?;
        said
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(above) = to.parent() {
        fs::create_dir_all(above)?;
    }
    fs::copy(from, to).with_context(|| format!("could not copy `{}`", from.display()))?;
    Ok(())
}
