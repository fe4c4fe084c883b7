//! KMM3020: there is no `modules.dep`.

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
        summary: "there is no `modules.dep`",
        explanation: "\
`modprobe` finds modules by the index that `depmod` writes: `modules.dep` or `modules.dep.bin`. The worker does not write
it. Without it, loading ends with `modprobe: FATAL: Module … not found`, although the file is there. `depmod` without a
version indexes the kernel of the machine that builds the image.

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
    if context.folder.is_none() || context.modules.is_empty() || context.listed.is_some() {
        return;
    }
    let path = format!("{}/modules.dep", context.folder_path);
    let finding = RULE.finding(path, "it is not there, and modprobe finds no module without it");
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
