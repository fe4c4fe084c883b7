//! KMM3020: there is no `modules.dep`, or no `modules.dep.bin`.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::go_text::join_path;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3020",
        name: "modules-dep-missing",
        summary: "there is no `modules.dep`, or no `modules.dep.bin`",
        explanation: "\
`modprobe` finds modules by the index that `depmod` writes. kmod's `modprobe` reads `modules.dep.bin` and nothing else;
that of BusyBox reads the text, `modules.dep`. The worker does not write either. Without it, loading ends with
`modprobe: FATAL: Module … not found`, although the file of the module is there. `depmod` without a version indexes the
kernel of the machine that builds the image.

```dockerfile
RUN depmod -b /opt ${KERNEL_FULL_VERSION}
```

Run `depmod` with `-b` and the version, after the modules are in their place.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.folder.is_none() || context.modules.is_empty() {
        return;
    }
    let finding = if context.only_text {
        let path = format!("{}/modules.dep.bin", context.folder_path);
        RULE.finding(
            path,
            "it is not there, and kmod's modprobe does not read the text `modules.dep`",
        )
    } else if context.listed.is_none() {
        let path = format!("{}/modules.dep", context.folder_path);
        RULE.finding(path, "it is not there, and modprobe finds no module without it")
    } else {
        return;
    };
    let (base, kernel) = (&context.base, context.subject.kernel.matched());
    let right = format!("run `depmod -b {base} {kernel}` when the image is built");
    findings.push(match elsewhere(context) {
        Some(other) => finding.with_help(format!("{right}; there is one in `{other}`")),
        None => finding.with_help(right),
    });
}

/// Where `depmod` wrote it instead.
fn elsewhere(context: &Context<'_>) -> Option<String> {
    [context.base.as_str(), "/", "/usr"].iter().find_map(|base| {
        let modules = context.tree.find(&join_path(&[base, "lib/modules"])).ok()??;
        let mut kernels = modules.children().into_iter();
        let found = kernels.find(|kernel| kernel.child(b"modules.dep").is_some())?;
        Some(found.path())
    })
}
