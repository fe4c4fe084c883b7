//! KMM3004: a module that is to be removed before is none of the kernel's.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::modprobe::Presence;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3004",
        name: "in-tree-module-unknown",
        summary: "a module that is to be removed before is none of the kernel's",
        explanation: "\
`inTreeModulesToRemove` names modules of the node's kernel. The worker passes over names for which it finds no file in
`/lib/modules`, so a misspelt one leaves the wrong driver in place. A module that is built into the kernel can never be
removed. This is only looked at where the modules of the kernel are given (`--kernel-tree`).

```yaml
inTreeModulesToRemove: [ice]
```

Write the name as `lsmod` on the node shows it.
",
        severity: Severity::Warning,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let Some(in_tree) = context.subject.in_tree else {
        return;
    };
    for name in context.subject.in_tree_to_remove {
        let message = match in_tree.presence(name) {
            Presence::Loadable => continue,
            Presence::BuiltIn => format!("`{name}` is built into the kernel, and cannot be removed before"),
            Presence::Absent => format!("the kernel has no module `{name}` that could be removed before"),
        };
        let finding = RULE.finding(&context.folder_path, message);
        findings.push(finding.with_help("correct `inTreeModulesToRemove`, or leave the name out"));
    }
}
