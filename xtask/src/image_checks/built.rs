//! The built `kmm` on images that umoci makes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::image::Fit;
use kmm_core::image::rules;
use serde_json::Value;
use serde_json::json;

use super::Case;
use crate::generate;
use crate::kmods;
use crate::layers;
use crate::steps;

/// Verdict, and codes of the errors and warnings.
type Told = (Fit, BTreeSet<String>);

/// The program, and the kernel that everything is checked for.
pub(super) struct Binary {
    program: PathBuf,
    symvers: String,
    headers: PathBuf,
    release: String,
    folder: PathBuf,
    /// The codes that it has shown.
    seen: RefCell<BTreeSet<String>>,
}

impl Binary {
    pub(super) fn new(headers: &Path, release: &str) -> Result<Self> {
        layers::install()?;
        steps::run(&steps::cargo(), &["build", "--quiet", "--package", "kmm-cli"])?;
        Ok(Self {
            program: generate::target_folder().join("debug/kmm"),
            symvers: headers.join("Module.symvers").display().to_string(),
            headers: headers.to_owned(),
            release: release.to_owned(),
            folder: steps::cache()?.join("kmods/layout"),
            seen: RefCell::default(),
        })
    }

    /// Checks a tree as an OCI image, for a Module that loads what the case loads.
    pub(super) fn check(&self, case: &Case, tree: &Path) -> Result<Told> {
        let image = self.layout(tree)?;
        let (name, parameters) = case.load;
        let module = json!({
            "apiVersion": "kmm.sigs.x-k8s.io/v1beta1", "kind": "Module",
            "metadata": {"name": "case", "namespace": "drivers"},
            "spec": {"selector": {"a": "b"}, "moduleLoader": {"container": {
                "modprobe": {"moduleName": name, "parameters": parameters},
                "kernelMappings": [{"literal": self.release, "containerImage": "registry.example.com/case:1"}],
            }}},
        });
        let manifest = self.folder.join("module.json");
        fs::write(&manifest, module.to_string())?;
        let manifest = manifest.display().to_string();
        self.told(&self.run(&image, &["-f", &manifest])?)
    }

    /// Signatures by the kernel's own tool: with its certificate, with another one, and over a module that was changed.
    pub(super) fn signatures(&self, tree: &Path, built: &Path) -> Result<()> {
        let folder = tree.join("opt/lib/modules").join(&self.release);
        for name in ["kmm_base.ko", "kmm_user.ko"] {
            fs::copy(built.join("signed").join(name), folder.join(name))?;
        }
        let (own, other) = (kmods::key("kmm")?, kmods::key("unknown")?);
        let path = |path: &Path| path.display().to_string();
        let image = self.layout(tree)?;
        let load = ["-m", "kmm_user"];
        let with = |certificate: &Path| {
            let output = self.run(&image, &[&load[..], &["--cert", &path(certificate)]].concat())?;
            self.told(&output)
        };
        self.expect("signed, PEM", &with(&own.certificate)?, Fit::Fits, &[])?;
        self.expect("signed, DER", &with(&own.der)?, Fit::Fits, &[])?;
        self.expect(
            "signed, another certificate",
            &with(&other.certificate)?,
            Fit::DoesNotFit,
            &["KMM3061"],
        )?;
        let module = folder.join("kmm_user.ko");
        let mut bytes = fs::read(&module)?;
        let text = b"first word of the message";
        let at = bytes.windows(text.len()).position(|window| window == text);
        bytes[at.context("the module has lost its description")?] ^= 0x20;
        fs::write(&module, bytes)?;
        let image = self.layout(tree)?;
        let certificate = path(&own.certificate);
        let output = self.run(&image, &[&load[..], &["--cert", &certificate]].concat())?;
        self.expect(
            "changed after signing",
            &self.told(&output)?,
            Fit::DoesNotFit,
            &["KMM3061"],
        )?;
        // Signed anew, it is as it was.
        kmods::sign(&self.headers, &own, &module)?;
        let image = self.layout(tree)?;
        let output = self.run(&image, &[&load[..], &["--cert", &certificate]].concat())?;
        self.expect("signed anew", &self.told(&output)?, Fit::Fits, &[])
    }

    /// A blob with one wrong byte is neither yes nor no.
    pub(super) fn damage(&self, tree: &Path) -> Result<()> {
        let image = self.layout(tree)?;
        let blobs = self.folder.join("layout/blobs/sha256");
        let largest = fs::read_dir(&blobs)?
            .filter_map(std::result::Result::ok)
            .max_by_key(|entry| entry.metadata().map_or(0, |data| data.len()));
        let blob = largest.context("the layout has no blobs")?.path();
        let mut bytes = fs::read(&blob)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&blob, bytes)?;
        let told = self.told(&self.run(&image, &["-m", "kmm_user"])?)?;
        self.expect("a layer that was changed", &told, Fit::Unknown, &["KMM3091"])?;
        let told = self.told(&self.run(&image.replace(":v1", ":v2"), &["-m", "kmm_user"])?)?;
        self.expect("a tag that is not there", &told, Fit::DoesNotFit, &["KMM3090"])
    }

    /// Every rule has an image that fails: here, or among those of the tests of `kmm-core`.
    pub(super) fn counted(&self) -> Result<()> {
        let seen = self.seen.borrow();
        let tests = fs::read_to_string(steps::root().join("kmm-core/tests/image/rules.rs"))?;
        let all: BTreeSet<&str> = rules().map(|rule| rule.text.code).collect();
        let here = all.iter().filter(|code| seen.contains(**code)).count();
        let missing: Vec<&&str> = all
            .iter()
            .filter(|code| !seen.contains(**code) && !tests.contains(&format!("\"{code}\"")))
            .collect();
        if !missing.is_empty() {
            bail!("rules without an image that fails: {missing:?}");
        }
        println!(
            "  {} rules: {here} fail on images of real modules here, all fail in the tests of kmm-core",
            all.len()
        );
        Ok(())
    }

    pub(super) fn expect(&self, what: &str, told: &Told, fit: Fit, codes: &[&str]) -> Result<()> {
        println!(
            "  {what:<32}{:<14}{}",
            told.0.name(),
            told.1.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
        );
        if told.0 != fit || told.1 != codes.iter().map(|code| (*code).to_owned()).collect() {
            bail!("{what}: expected {} {codes:?}", fit.name());
        }
        Ok(())
    }

    /// The tree as the one layer of an OCI layout.
    pub(super) fn layout(&self, tree: &Path) -> Result<String> {
        let _ = fs::remove_dir_all(&self.folder);
        fs::create_dir_all(&self.folder)?;
        let layout = self.folder.join("layout").display().to_string();
        let (image, source) = (format!("{layout}:v1"), tree.join("opt").display().to_string());
        for arguments in [
            &["init", "--layout", &layout][..],
            &["new", "--image", &image],
            &[
                "config",
                "--image",
                &image,
                "--architecture",
                "amd64",
                "--os",
                "linux",
            ],
            &["insert", "--image", &image, &source, "/opt"],
        ] {
            let output = Command::new("umoci").args(arguments).output().context("umoci")?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                bail!("`umoci {}`: {}", arguments.join(" "), said.trim_end());
            }
        }
        Ok(format!("oci:{image}"))
    }

    fn run(&self, image: &str, more: &[&str]) -> Result<Output> {
        let output = self.command(image, more).output();
        output.with_context(|| self.program.display().to_string())
    }

    /// The check of an image for the kernel. What this machine keeps for its own user is not asked.
    pub(super) fn command(&self, image: &str, more: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["image", "check", image, "-o", "json", "-k"])
            .args([&self.release, "--symvers", &self.symvers])
            .args(more)
            .env_remove("REGISTRY_AUTH_FILE")
            .env("HOME", "/nonexistent");
        command
    }

    /// The names of the modules that `kmm image inspect` lists.
    pub(super) fn inspect(&self, image: &str, more: &[String]) -> Result<Vec<String>> {
        let output = Command::new(&self.program)
            .args(["image", "inspect", image, "-o", "json"])
            .args(more)
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("kmm image inspect {image}: {said}");
        }
        let answer: Value = serde_json::from_slice(&output.stdout)?;
        let modules = answer.pointer("/images/0/folders/0/modules");
        let modules = modules.and_then(Value::as_array).into_iter().flatten();
        let names = modules.filter_map(|module| module["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Reads the document, and holds the exit code to it.
    pub(super) fn told(&self, output: &Output) -> Result<Told> {
        let answer: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let result = &answer["results"][0];
        let verdict = result["verdict"].as_str().unwrap_or_default();
        let (fit, code) = match verdict {
            "fits" => (Fit::Fits, 0),
            "does-not-fit" => (Fit::DoesNotFit, 1),
            _ => (Fit::Unknown, 2),
        };
        if output.status.code() != Some(code) {
            bail!("`{verdict}` with {}", output.status);
        }
        let found = result["diagnostics"].as_array().into_iter().flatten();
        let found: Vec<(&str, &str)> = found
            .filter_map(|found| Some((found["code"].as_str()?, found["severity"].as_str()?)))
            .collect();
        let every = found.iter().map(|(code, _)| (*code).to_owned());
        self.seen.borrow_mut().extend(every);
        let grave = found.iter().filter(|(_, severity)| *severity != "note");
        Ok((fit, grave.map(|(code, _)| (*code).to_owned()).collect()))
    }
}
