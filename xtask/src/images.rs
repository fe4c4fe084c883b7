//! The images of operator and worker, made with buildah from static programs, and tried with podman as pods would run them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use serde_json::Value;
use serde_json::json;

use crate::podman;
use crate::steps;
use crate::vm;
use crate::worker;

const OPERATOR: &str = "localhost/kmm-operator";
const WORKER: &str = "localhost/kmm-worker";
/// Both, with the names of their container files.
const IMAGES: [(&str, &str); 2] = [(OPERATOR, "operator"), (WORKER, "worker")];
/// Where Debian keeps the certificates of authorities, and where programs look for them.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// As the manifests have it: no capability, nothing to write, nobody in particular.
const POD: [&str; 6] = [
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--read-only",
    "--pull=never",
];

/// What the programs in the images are made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Made {
    /// To be used: as small and quick as they get, which takes minutes.
    ForUse,
    /// To be tried: the operator is not optimised.
    ForTests,
}

/// Builds both images, tries them, and leaves them as OCI archives in the cache folder; prints where.
pub(crate) fn build(made: Made) -> Result<()> {
    let folder = steps::cache()?.join(match made {
        Made::ForUse => "deploy-images",
        Made::ForTests => "deploy-images-tests",
    });
    let place = Place::make(folder, made)?;
    place.try_operator()?;
    place.try_worker()?;
    for (archive, (_, name)) in place.archives()?.iter().zip(IMAGES) {
        place.holds_nothing_else(archive, name)?;
        println!("{}: {} bytes", archive.display(), fs::metadata(archive)?.len());
    }
    Ok(())
}

/// Builds both images for tests in a folder: the archives of operator and worker, in which they are called so.
pub(crate) fn archives(folder: PathBuf) -> Result<[PathBuf; 2]> {
    Place::make(folder, Made::ForTests)?.archives()
}

/// The folder of the images, and buildah with storage of its own.
struct Place {
    folder: PathBuf,
}

impl Place {
    /// Makes both images in an empty folder: nothing of an earlier run is in what is tried.
    fn make(folder: PathBuf, made: Made) -> Result<Self> {
        vm::installed(&[
            ("buildah", "/usr/bin/buildah"),
            ("podman", "/usr/bin/podman"),
            ("runc", "/usr/sbin/runc"),
            ("kmod", "/usr/bin/kmod"),
            ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
        ])?;
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("could not remove `{}`", folder.display()))?;
        }
        fs::create_dir_all(&folder)?;
        let place = Self { folder };
        place.operator(made)?;
        place.worker()?;
        for (image, name) in IMAGES {
            place.image(image, name)?;
        }
        Ok(place)
    }

    /// Writes both into files.
    fn archives(&self) -> Result<[PathBuf; 2]> {
        let [(operator, first), (worker, second)] = IMAGES;
        Ok([self.archive(operator, first)?, self.archive(worker, second)?])
    }

    /// Runs buildah; returns its standard output.
    fn buildah(&self, arguments: &[&str]) -> Result<String> {
        self.tool("buildah", &[], arguments)
    }

    /// Runs buildah or podman with storage of our own.
    fn tool(&self, name: &str, more: &[&str], arguments: &[&str]) -> Result<String> {
        println!("$ {name} {}", arguments.join(" "));
        let out = Command::new(name)
            .arg("--root")
            .arg(self.folder.join("storage"))
            .arg("--runroot")
            .arg(self.folder.join("run"))
            .args(["--storage-driver", "vfs"])
            .args(more)
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .with_context(|| format!("could not start `{name}`"))?;
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        if !out.status.success() {
            bail!(
                "`{name} {}` ended with {}: {said}{}",
                arguments.join(" "),
                out.status,
                String::from_utf8_lossy(&out.stderr)
            );
        }
        Ok(said)
    }

    fn operator(&self, made: Made) -> Result<()> {
        let root = self.folder.join("operator");
        let program = match made {
            Made::ForUse => worker::build_static("kmm", "release", &[])?,
            Made::ForTests => worker::build_static("kmm", "dev", &[])?,
        };
        copy(&program, &root.join("usr/local/bin/kmm"))?;
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
        let said = self.run(OPERATOR, &[], &["--version"])?;
        let wanted = format!("kmm {}\n", env!("CARGO_PKG_VERSION"));
        ensure!(said == wanted, "`kmm --version` in its image says {said:?}");
        let crds = self.run(OPERATOR, &[], &["crds", "-o", "json"])?;
        let crds: Value = serde_json::from_str(&crds)?;
        ensure!(
            crds["items"].as_array().is_some_and(|list| list.len() >= 5),
            "{crds}"
        );
        // Names are resolved without files of the image: the answer is that nobody listens there.
        let ask = ["image", "inspect", "--plain-http", "localhost:1/none:1"];
        let refused = self.run(OPERATOR, &[], &ask).err();
        let refused = refused.context("there is a registry on port 1")?.to_string();
        ensure!(refused.contains("Connection refused"), "{refused}");
        self.runs_as(OPERATOR, "/usr/local/bin/kmm")
    }

    /// The program, modprobe, and the step that brings the program to images with no shell.
    fn try_worker(&self) -> Result<()> {
        let said = self.run(WORKER, &[], &["--version"])?;
        let wanted = format!("kmm-worker {}\n", env!("CARGO_PKG_VERSION"));
        ensure!(
            said == wanted,
            "`kmm-worker --version` in its image says {said:?}"
        );
        let modprobe = ["--entrypoint", "/sbin/modprobe"];
        let said = self.run(WORKER, &modprobe, &["--version"])?;
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
        let said = self.run(WORKER, &["--user", "0:0", "-v", &volume], &copy)?;
        let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
        ensure!(last["reason"] == "Copied", "{last}");
        let out = Command::new(share.join("kmm-worker")).arg("--version").output()?;
        ensure!(out.status.success(), "the copy of the program does not run");
        self.runs_as(WORKER, "/usr/local/bin/kmm-worker")
    }

    /// It says nobody as its user, its program, and its version.
    fn runs_as(&self, image: &str, program: &str) -> Result<()> {
        let said = self.buildah(&["inspect", "--type", "image", image])?;
        let image: Value = serde_json::from_str(&said)?;
        let config = &image["OCIv1"]["config"];
        ensure!(config["User"] == "65532:65532", "{config}");
        ensure!(config["Entrypoint"] == json!([program]), "{config}");
        let labels = &config["Labels"];
        ensure!(
            labels["org.opencontainers.image.version"] == env!("CARGO_PKG_VERSION"),
            "{labels}"
        );
        Ok(())
    }

    /// Runs the program of an image in a container, as a pod would.
    fn run(&self, image: &str, options: &[&str], arguments: &[&str]) -> Result<String> {
        let mut line = vec!["run", "--rm", "--network", "none"];
        line.extend(POD);
        line.extend(podman::LIMITS);
        line.extend(options);
        line.push(image);
        line.extend(arguments);
        self.tool("podman", &["--runtime", "runc"], &line)
    }

    /// Writes an image into a file.
    fn archive(&self, image: &str, name: &str) -> Result<PathBuf> {
        let archive = self.folder.join(format!("kmm-{name}.oci.tar"));
        let to = format!("oci-archive:{}:{name}", archive.display());
        self.buildah(&["push", "--quiet", image, &to])?;
        Ok(archive)
    }

    /// The image is one layer with the files that were put into it: there is no base.
    fn holds_nothing_else(&self, archive: &Path, name: &str) -> Result<()> {
        let layout = self.folder.join("layout");
        let _ = fs::remove_dir_all(&layout);
        fs::create_dir(&layout)?;
        tar(&["-xf", &archive.to_string_lossy()], &layout)?;
        let read =
            |file: &str| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(layout.join(file))?)?) };
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().context("no digest")?;
            anyhow::Ok(format!("blobs/{}", digest.replace(':', "/")))
        };
        let manifest = read(&blob(&read("index.json")?["manifests"][0])?)?;
        let layers = manifest["layers"].as_array().context("no layers")?;
        ensure!(layers.len() == 1, "the image {name} has {} layers", layers.len());
        let listed = tar(&["-tf", &blob(&layers[0])?], &layout)?;
        let listed: BTreeSet<&str> = listed.lines().filter(|name| !name.ends_with('/')).collect();
        let put = tar(&["-cf", "put.tar", "-C", &format!("../{name}"), "."], &layout)
            .and_then(|_| tar(&["-tf", "put.tar"], &layout))?;
        let put: BTreeSet<&str> = put
            .lines()
            .filter(|name| !name.ends_with('/'))
            .map(|name| name.trim_start_matches("./"))
            .collect();
        ensure!(
            listed == put,
            "the image {name} holds {listed:?}, and not {put:?}"
        );
        println!("the image {name} is one layer with {listed:?}");
        Ok(())
    }
}

/// Runs tar in a folder; what it says.
fn tar(arguments: &[&str], folder: &Path) -> Result<String> {
    let out = Command::new("tar")
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("could not start `tar`")?;
    ensure!(
        out.status.success(),
        "`tar {}`: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&out.stderr)
    );
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(above) = to.parent() {
        fs::create_dir_all(above)?;
    }
    fs::copy(from, to).with_context(|| format!("could not copy `{}`", from.display()))?;
    Ok(())
}
