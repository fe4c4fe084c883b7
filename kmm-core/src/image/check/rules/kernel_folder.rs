//! KMM3001: the image has no folder of modules for this kernel.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::go_text::join_path;
use crate::image::Entry;
use crate::image::FileKind;
use crate::image::Tree;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::few;

pub(in super::super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3001",
        name: "kernel-folder-missing",
        summary: "the image has no folder of modules for this kernel",
        explanation: "\
The worker copies `<dirName>/lib/modules/<kernel>` out of the image, and `modprobe` looks nowhere else. `dirName` is
`/opt` where the Module does not say otherwise. Where the folder is not there, the pod that copies it fails on the node.

The usual reasons: the image was built for another kernel, the modules lie in `/lib/modules` of the image instead of
`/opt/lib/modules`, or the folder is a symbolic link, which the worker copies as a link, without what is behind it.

```dockerfile
COPY --from=builder /src/nic.ko /opt/lib/modules/${KERNEL_FULL_VERSION}/
```

Build the image for this kernel, or put the modules into the folder that the message names.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.folder.is_some() {
        return;
    }
    let path = context.folder_path.as_str();
    let message = match context.tree.find_link(path) {
        Err(error) => error.to_string(),
        Ok(None) => "there is no such folder".to_owned(),
        Ok(Some(found)) => match found.kind() {
            FileKind::Symlink => {
                let target = String::from_utf8_lossy(found.target().unwrap_or_default()).into_owned();
                format!("it is a link to `{target}`: the worker copies the link, not what is behind it")
            }
            FileKind::File | FileKind::Device | FileKind::Directory => "it is no folder".to_owned(),
        },
    };
    let finding = RULE.finding(path, message);
    findings.push(match near_miss(context) {
        Some(help) => finding.with_help(help),
        None => finding.with_help("build the image for this kernel: no folder of it holds modules"),
    });
}

/// Where modules do lie.
fn near_miss(context: &Context<'_>) -> Option<String> {
    let kernel = context.subject.kernel.matched();
    let usual = ["/opt", "/", "/usr", "/opt/usr", "/host"];
    let others = usual.iter().filter(|base| **base != context.base);
    for base in others {
        let path = join_path(&[base, "lib/modules", kernel]);
        if holds_modules(context.tree, &path) {
            return Some(format!(
                "the modules of this kernel are in `{path}`: set `dirName: {base}`, or move them to `{}`",
                context.folder_path
            ));
        }
    }
    for base in std::iter::once(context.base.as_str()).chain(usual) {
        let path = join_path(&[base, "lib/modules"]);
        let folder = context.tree.find(&path).ok().flatten();
        let kernels: Vec<String> = folder
            .iter()
            .flat_map(Entry::children)
            .filter(|child| holds_modules(context.tree, &format!("{path}/{}", child.shown_name())))
            .map(|child| child.shown_name())
            .collect();
        if !kernels.is_empty() {
            let what = if kernels.len() == 1 { "kernel" } else { "kernels" };
            return Some(format!("`{path}` is for {what} {}", few(&kernels)));
        }
    }
    let stray = context.tree.walk().find(Entry::is_module)?;
    Some(format!(
        "the image has modules elsewhere, such as `{}`",
        stray.path()
    ))
}

fn holds_modules(tree: &Tree, path: &str) -> bool {
    let folder = tree.find(path).ok().flatten();
    let folder = folder.filter(|folder| folder.kind() == FileKind::Directory);
    folder.is_some_and(|folder| folder.walk().any(|file| file.is_module()))
}
