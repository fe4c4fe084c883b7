//! Documents that are made from the program: the list of rules, manual pages, completions.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::validate;
use kmm_core::worker::Kind;
use kmm_core::worker::Reason;

use crate::steps;

/// What to do with the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Write them.
    Write,
    /// See whether they are as they would be written.
    Check,
}

/// Writes or checks every generated document.
///
/// # Errors
///
/// When one is out of date, in [`Mode::Check`], or cannot be made.
pub(crate) fn run(mode: Mode) -> Result<()> {
    let mut stale = Vec::new();
    for (path, text) in documents()? {
        let file = steps::root().join(&path);
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        match mode {
            Mode::Check => stale.push(path.display().to_string()),
            Mode::Write => {
                let folder = file.parent().unwrap_or(Path::new("."));
                fs::create_dir_all(folder)?;
                fs::write(&file, text).with_context(|| format!("could not write `{}`", file.display()))?;
                println!("{}", path.display());
            }
        }
    }
    if !stale.is_empty() {
        bail!(
            "out of date, `cargo xtask generate` writes them anew: {}",
            stale.join(", ")
        );
    }
    Ok(())
}

fn documents() -> Result<Vec<(PathBuf, String)>> {
    let mut documents = vec![
        (PathBuf::from("docs/guide/rules.md"), rules()),
        (PathBuf::from("docs/guide/reasons.md"), reasons()),
    ];
    steps::run(&steps::cargo(), &["build", "--quiet", "--package", "kmm-cli"])?;
    for (file, arguments) in [("cluster.yaml", &["crds"][..]), ("hub.yaml", &["crds", "--hub"])] {
        documents.push((Path::new("kmm-kube/deploy/crds").join(file), kmm(arguments)?));
    }
    let pages = steps::cache()?.join("man");
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    kmm(&[
        "man",
        "--dir",
        pages.to_str().context("the cache folder is not UTF-8")?,
    ])?;
    for page in fs::read_dir(&pages)? {
        let page = page?;
        documents.push((
            Path::new("docs/man").join(page.file_name()),
            fs::read_to_string(page.path())?,
        ));
    }
    for (shell, file) in [("bash", "kmm.bash"), ("zsh", "_kmm"), ("fish", "kmm.fish")] {
        documents.push((
            Path::new("docs/completions").join(file),
            kmm(&["completions", shell])?,
        ));
    }
    Ok(documents)
}

fn kmm(arguments: &[&str]) -> Result<String> {
    let program = target_folder().join("debug/kmm");
    let output = Command::new(&program).args(arguments).output()?;
    if !output.status.success() {
        bail!(
            "`kmm {}`: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| steps::root().join("target"), PathBuf::from)
}

fn rules() -> String {
    let mut out = String::from(
        "# Rules\n\nWhat `kmm validate` and the check of images find. `kmm validate --explain CODE` prints the same. Written by `cargo xtask generate`.\n",
    );
    let groups = [
        ("KMM00", "Reading files"),
        ("KMM01", "Schema: what the API server refuses, or drops"),
        (
            "KMM02",
            "Webhook: what the Go operator's admission webhook refuses",
        ),
        ("KMM1", "Modules"),
        ("KMM2", "Dockerfiles, and the ConfigMaps that hold them"),
        ("KMM3", "Images: whether they fit a kernel"),
    ];
    for (prefix, heading) in groups {
        let _ = writeln!(
            out,
            "\n## {heading}\n\n| code | name | at worst | finds |\n|---|---|---|---|"
        );
        for text in validate::texts().filter(|text| text.code.starts_with(prefix)) {
            let summary = text.summary.replace('|', "\\|");
            let anchor = format!("{}-{}", text.code.to_lowercase(), text.name);
            let _ = writeln!(
                out,
                "| [{}](#{anchor}) | {} | {} | {summary} |",
                text.code, text.name, text.severity
            );
        }
    }
    for text in validate::texts() {
        let _ = writeln!(
            out,
            "\n### {} {}\n\n{}",
            text.code,
            text.name,
            text.explanation.trim()
        );
    }
    out
}

fn reasons() -> String {
    let mut out = String::from(
        "# Reasons\n\nWhy `kmm-worker` ended as it did: `reason` of its [result](worker.md#the-result), and what `kmm decode` finds in a \
         message of kernel or modprobe. The names are stable. Written by `cargo xtask generate`.\n",
    );
    let groups = [
        (Kind::Done, "Done", "what was asked for is so; exit code 0"),
        (
            Kind::Stopped,
            "Stopped",
            "the worker was told to stop; exit code 2",
        ),
        (Kind::Failed, "Failed", "exit code 1"),
    ];
    for (kind, heading, means) in groups {
        let _ = writeln!(
            out,
            "\n## {heading}\n\nThat is, {means}.\n\n| reason | cause | what mends it |\n|---|---|---|"
        );
        for reason in Reason::ALL.iter().filter(|reason| reason.kind() == kind) {
            let _ = writeln!(out, "| `{reason}` | {} | {} |", reason.cause(), reason.mend());
        }
    }
    out
}
