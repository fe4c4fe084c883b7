//! The real `helm` and `kubectl`: built once from pinned versions, and what they make of the manifests.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use kmm_core::document;
use serde_json::Value;

use crate::steps;

/// Where everything is installed.
pub(crate) const NAMESPACE: &str = "kmm-operator-system";

/// What the programs say they are: without it helm takes the cluster for 1.20, and kubectl calls itself `v0.0.0-master`.
const STAMP: &str = "-s -w \
    -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36 \
    -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=36 \
    -X k8s.io/component-base/version.gitVersion=v1.37.0 -X k8s.io/client-go/pkg/version.gitVersion=v1.37.0";

/// Folders of overlays, and the values with which the chart makes the same.
const SAME: [(&str, &[&str]); 5] = [
    ("base", &[]),
    ("overlays/webhook-cert-manager", &["--set=webhook.enabled=true"]),
    (
        "overlays/webhook-given-secret",
        &[
            "--set=webhook.enabled=true",
            "--set=webhook.certificate.certManager=false",
        ],
    ),
    ("overlays/registry-check", &["--set=config.images.check=registry"]),
    (
        "overlays/secure-metrics",
        &[
            "--set=config.metrics.enableAuthnAuthz=true",
            "--set=config.metrics.secureServing=true",
        ],
    ),
];

/// Values that the schema of the chart has to refuse, and what it says.
const WRONG: [(&str, &str); 4] = [
    ("config.worker.runAsUsr=0", "runAsUsr"),
    ("webhook.enabled=perhaps", "webhook"),
    ("operator.replicas=-1", "replicas"),
    ("workerimage=x", "workerimage"),
];

/// The programs.
#[derive(Debug)]
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Takes them from the cache, or builds them with Go.
    ///
    /// # Errors
    ///
    /// When there is no Go, or the build fails.
    pub(crate) fn set_up() -> Result<Self> {
        let source = steps::root().join("xtask/deploy-tools");
        let folder = steps::cache()?.join(format!("deploy-tools-{}", steps::pinned(&source)?));
        if !folder.is_dir() {
            build(&source, &folder)?;
        }
        Ok(Self { folder })
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs one of them in the checkout; its standard output.
    pub(crate) fn run(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let (code, out, said) = self.try_run(name, arguments)?;
        if code != Some(0) {
            bail!("`{name} {}` ended with {code:?}: {said}", arguments.join(" "));
        }
        Ok(out)
    }

    /// The same, whatever its exit code.
    pub(crate) fn try_run(&self, name: &str, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
        let out = Command::new(self.folder.join(name))
            .args(arguments)
            .current_dir(steps::root())
            .output()
            .with_context(|| format!("could not start `{name}`"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((out.status.code(), text(&out.stdout), text(&out.stderr)))
    }
}

fn build(source: &Path, folder: &Path) -> Result<()> {
    println!("building helm and kubectl: this takes some minutes, once");
    let half = folder.with_extension(format!("building-{}", std::process::id()));
    let mut out = half.clone().into_os_string();
    // With the slash at its end, `go build` makes the folder and puts every program into it.
    out.push("/");
    let status = Command::new("go")
        .args(["build", "-trimpath", "-ldflags", STAMP, "-o"])
        .arg(out)
        .args(["helm.sh/helm/v3/cmd/helm", "./kubectl"])
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .status()
        .context("could not start `go build`: install Go 1.26 or newer and put `go` on the PATH")?;
    if !status.success() {
        bail!("`go build` of helm and kubectl ended with {status}");
    }
    // Whoever else built it at the same time made the same.
    if std::fs::rename(&half, folder).is_err() && !folder.is_dir() {
        bail!("could not move the programs to `{}`", folder.display());
    }
    Ok(())
}

/// Objects by kind, namespace and name.
type Objects = BTreeMap<String, Value>;

/// Renders the manifests and the chart, and sees that they are the same objects.
pub(crate) fn same_objects(tools: &Tools) -> Result<()> {
    tools.run("helm", &["lint", "--strict", "kmm-kube/deploy/helm/kmm"])?;
    for (overlay, values) in SAME {
        let mut kustomize = kustomize(tools, overlay)?;
        // Helm makes the namespace itself, when it is asked to.
        let namespace = kustomize.remove(&format!("Namespace  {NAMESPACE}"));
        ensure!(namespace.is_some(), "{overlay} has no namespace");
        let helm = chart(tools, values)?;
        let count = compare(&kustomize, &helm).with_context(|| format!("{overlay} and the chart"))?;
        println!("{overlay}: {count} objects, the same from the chart with {values:?}");
    }
    for (value, named) in WRONG {
        let set = format!("--set={value}");
        let (code, _, said) =
            tools.try_run("helm", &["template", "kmm", "kmm-kube/deploy/helm/kmm", &set])?;
        ensure!(
            code != Some(0) && said.contains("schema") && said.contains(named),
            "the value {value} was taken, or refused for something else: {said}"
        );
    }
    println!(
        "{} wrong values were refused by the schema of the chart",
        WRONG.len()
    );
    Ok(())
}

/// What `kubectl kustomize` makes of an overlay.
pub(crate) fn kustomize(tools: &Tools, overlay: &str) -> Result<Objects> {
    let folder = format!("kmm-kube/deploy/{overlay}");
    objects(&tools.run("kubectl", &["kustomize", &folder])?)
}

fn chart(tools: &Tools, values: &[&str]) -> Result<Objects> {
    let mut arguments = vec!["template", "kmm", "kmm-kube/deploy/helm/kmm", "--include-crds"];
    arguments.extend(["--namespace", NAMESPACE]);
    arguments.extend(values);
    objects(&tools.run("helm", &arguments)?)
}

/// The objects of a stream of YAML documents.
fn objects(text: &str) -> Result<Objects> {
    let limits = document::Limits {
        bytes: text.len(),
        ..document::Limits::default()
    };
    let stream = document::read(text, &limits);
    ensure!(stream.findings.is_empty(), "{:?}", stream.findings);
    let mut all = Objects::new();
    for document in &stream.documents {
        let mut object = document.root.to_json();
        if object.is_null() {
            continue;
        }
        // The text of the configuration is compared by what it says.
        if let Some(text) = object.pointer("/data/config.yaml").and_then(Value::as_str) {
            let config = document::read(text, &document::Limits::default());
            let config = config.documents.first().context("an empty configuration")?;
            object["data"]["config.yaml"] = config.root.to_json();
        }
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
        let kind = object["kind"].as_str().context("a document without a kind")?;
        let key = format!("{kind} {} {}", text("namespace"), text("name"));
        ensure!(all.insert(key.clone(), object).is_none(), "{key} is there twice");
    }
    Ok(all)
}

fn compare(one: &Objects, other: &Objects) -> Result<usize> {
    let names = |all: &Objects| all.keys().cloned().collect::<Vec<_>>();
    ensure!(
        names(one) == names(other),
        "{:?}\nand {:?}",
        names(one),
        names(other)
    );
    for (key, object) in one {
        ensure!(
            Some(object) == other.get(key),
            "{key}: {object}\nand {:?}",
            other.get(key)
        );
    }
    Ok(one.len())
}
