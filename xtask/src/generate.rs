//! Documents that are made from the program: the list of rules, manual pages, completions.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use kmm_core::reconcile::Cause;
use kmm_core::reconcile::Progress;
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
        (PathBuf::from("docs/guide/troubleshooting.md"), troubleshooting()),
    ];
    steps::run(&steps::cargo(), &["build", "--quiet", "--package", "kmm-cli"])?;
    for (file, arguments) in [("cluster.yaml", &["crds"][..]), ("hub.yaml", &["crds", "--hub"])] {
        documents.push((Path::new("kmm-kube/deploy/crds").join(file), kmm(arguments)?));
    }
    // A chart may hold no links.
    documents.push((
        PathBuf::from("kmm-kube/deploy/helm/kmm/crds/cluster.yaml"),
        kmm(&["crds"])?,
    ));
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

fn troubleshooting() -> String {
    let mut out = String::from(TROUBLESHOOTING);
    let groups = [
        (
            Progress::Stuck,
            "Stuck",
            "A person has to do something. Each of these is an event of the type `Warning`, too; what keeps single nodes out is one \
             event of the Module, `NodesLeftOut`.",
        ),
        (
            Progress::Waiting,
            "Waiting",
            "Somebody else has to do something first: a kubelet, a registry, another controller.",
        ),
        (
            Progress::Acting,
            "Next",
            "The operator does something, or is about to. If it stays so, look at the operator's log.",
        ),
        (Progress::Done, "Done", "As wanted."),
    ];
    for (progress, heading, means) in groups {
        let _ = writeln!(out, "\n### {heading}\n\n{means}\n");
        let mends = matches!(progress, Progress::Stuck | Progress::Waiting);
        out.push_str(if mends {
            "| reason | cause | what mends it |\n|---|---|---|\n"
        } else {
            "| reason | cause |\n|---|---|\n"
        });
        for help in Cause::HELP.iter().filter(|help| help.progress == progress) {
            let _ = write!(out, "| `{}` | {} |", help.code, help.means);
            if mends {
                let _ = write!(out, " {} |", help.mend);
            }
            out.push('\n');
        }
    }
    out
}

const TROUBLESHOOTING: &str = "\
# Troubleshooting

Why is a module not on a node? One command asks at every gate, and says what the operator makes of it now:

```text
kmm explain --cluster NAMESPACE/MODULE NODE
```

It needs rights to list what it explains: the ClusterRole `kmm-explain`. It writes nothing. Lines with `FAIL` are gates that are
shut ([what each of them asks](explain.md)), each with the change that opens it. The lines below them are the operator's reasons:
`STUCK` needs a person, `wait` somebody else, `next` the operator itself, `done` nobody. The operator is not asked: where it does not
run, `next` and `wait` stay as they are, and `kubectl -n kmm-operator-system get deployments,leases` shows it.

| where | says |
|---|---|
| `kubectl -n NAMESPACE get events` | reasons with the type `Warning`, of Modules; those of a node are in the namespace `default` |
| `kubectl get nodemodulesconfig NODE -o yaml` | `spec` what the node is to have, `status` what it has, with the boot on which it was loaded |
| `kubectl -n NAMESPACE get moduleimagesconfig MODULE -o yaml` | which images exist |
| `kubectl -n NAMESPACE describe pod kmm-worker-NODE-MODULE` | what the worker said last, as JSON: `reason`, `step`, `proof`, `mend` |
| `kubectl -n kmm-operator-system logs deployment/kmm-operator` | every write, with the object; `--log-level=debug` among the `args` of the Deployment adds every reason |
| `kmm decode` | what a message of the kernel or of modprobe means |

## It does not start

| the operator's log says | cause | what mends it |
|---|---|---|
| `... is no configuration: ...`, `... is empty`, an error with a line and a column | a key that nobody knows, a value of the wrong kind, or no YAML, in the ConfigMap | mend what is named ([all keys](install.md#configuration)), then `kubectl -n kmm-operator-system rollout restart deployment/kmm-operator` |
| `no image of the worker` | `RELATED_IMAGE_WORKER` is not set | set it in the Deployment, or `workerImage` of the chart |
| `no way to a cluster` | no service account token in the pod; outside of a pod, no kubeconfig, or no such context in it | look at the pod's service account; outside, give `--kubeconfig` and `--context` |
| `the API server ... gives no answer` | it cannot be reached from the pod, or has a certificate of another authority | look at the network policies of the namespace; the log has the address and the cause |
| `the API server ... does not know who asks` | the token is of a service account that was deleted, or of another cluster | apply the manifests again, then restart as above |
| `a watch broke and is taken up again`, `the Lease cannot be read or written`, with the code 403 | a role or its binding is missing or was changed, or `OPERATOR_NAMESPACE` names another namespace | apply the manifests again |
| `a watch broke and is taken up again`, with `the CRDs are not installed` | so it is | apply the manifests again, or `kmm crds \\| kubectl apply --server-side -f -`; the operator goes on by itself |
| `another one is the leader` | another operator, or the Go operator, holds the Lease | nothing, if it is to be so; otherwise stop the other one |
| `the Lease ... was lost: another operator may be the leader now` | the Lease could not be renewed in time; the operator ends, and Kubernetes starts it again | nothing; where it comes again and again, the API server is too slow, or cannot be reached |
| `could not serve ... at ...` | the address in the configuration is in use, or none of the pod's | correct the address in the ConfigMap, then restart as above |
| `no certificate to serve with`, of the webhooks | the Secret with the certificate is not there, holds none, or a key that is not its own | the log names the file; `kubectl -n kmm-operator-system describe pod` says what is missing; [install.md](install.md) how it is made |
| `the watch of ... ended`, `the watch of ... broke down`, `a write broke down` | a fault of the operator, which ends; Kubernetes starts it again | report it, with the log |
| `nothing is done while this cannot be read` | an object was written that the operator cannot read | mend or delete the object that is named |

## A Module cannot be made or changed

A webhook's denial holds every finding. One alone is told in the words of the Go operator; several have a line each, with code and
field. `kmm validate FILE` has the code of one alone, too, and the line in the file; `kmm validate --explain CODE` says more about
each, and [rules.md](rules.md) lists them. `failed calling webhook` means that no webhook answers: look at the Deployment `kmm-webhook` and its
certificate. Without webhooks the API server checks the schema alone, and `kmm validate` the rest.

## An object of the operator cannot be made

The event `NameTaken` of a Module names a pod or a DaemonSet that the operator cannot create, because there is one of this name that is
not its own. Delete that one, or rename the Module. It is tried again by itself, with a wait that grows to a minute.

## A Module does not go

It goes when no node may still have it loaded (`WaitingForNodes`). A module that is in use refuses to go: the worker says who holds it
(`InUse` in [reasons.md](reasons.md)).

Only the operator takes its finalizer off. Where it was removed before the Modules, install it again.

## A CRD does not go

`kubectl get crd NAME -o yaml` has the reason in the condition `Terminating`:

| it says | cause | what mends it |
|---|---|---|
| `InstanceDeletionInProgress`, `InstanceDeletionCheck` | Objects are left that have a finalizer: Modules, when the operator was removed before them. | Install the operator again, then delete the Modules first, as in [install.md](install.md#removal). |
| `InstanceDeletionFailed`: `storage is (re)initializing` | Seen with the API server of 1.36: nobody had listed the kind since the CRD was made or changed, so that its objects were not at hand at the first try. The second try can get lost; the next one is five minutes later. | Wait, or wake it with any change: `kubectl annotate crd NAME look=again`. Nothing is lost. |

## Reasons of the worker

Why loading or unloading failed on a node: [reasons.md](reasons.md), each with its cause and what mends it.

## Reasons of the operator

Written by `cargo xtask generate` from what the program itself prints. The names are stable.
";

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts of all files of Rust below a folder of the workspace.
    fn sources(folder: &Path, into: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn what_is_quoted_of_the_log_is_what_the_program_says() {
        let mut programs = String::new();
        for folder in ["kmm-cli/src/commands", "kmm-kube/src"] {
            sources(&steps::root().join(folder), &mut programs);
        }
        let (_, table) = TROUBLESHOOTING.split_once("## It does not start").unwrap();
        let (table, _) = table.split_once("\n## ").unwrap();
        let rows = table.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.map(|row| row.split('|').nth(1).unwrap());
        let quoted: Vec<&str> = cells
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .collect();
        assert!(quoted.len() > 10, "{quoted:?}");
        for quoted in quoted {
            for part in quoted.split("...").map(str::trim).filter(|part| part.len() > 1) {
                assert!(programs.contains(part), "nothing says `{part}`");
            }
        }
    }

    #[test]
    fn every_reason_is_in_its_guide_with_its_cause() {
        let (troubleshooting, reasons) = (troubleshooting(), reasons());
        for help in Cause::HELP {
            let row = format!("| `{}` | {} |", help.code, help.means);
            assert_eq!(troubleshooting.matches(&row).count(), 1, "{}", help.code);
            assert!(
                help.mend.is_empty() || troubleshooting.contains(help.mend),
                "{}",
                help.code
            );
        }
        for reason in Reason::ALL {
            let row = format!("| `{reason}` | {} | {} |", reason.cause(), reason.mend());
            assert_eq!(reasons.matches(&row).count(), 1, "{reason}");
        }
    }
}
