//! KMM3003: a module of `modulesLoadingOrder` is not in the folder of the kernel.

use crate::diag::RuleText;
use crate::diag::Severity;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3003",
        name: "loading-order-missing",
        summary: "a module of `modulesLoadingOrder` is not in the folder of the kernel",
        explanation: "\
`modulesLoadingOrder` becomes soft dependencies: loading the first module loads the others before it. `modprobe` passes
over a soft dependency that it does not find, without a word. The first module is then loaded without it.

```yaml
modulesLoadingOrder: [acme_nic, acme_core]   # both must be in the image
```

Put the module into the image, or correct the name.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    if context.folder.is_none() {
        return;
    }
    let first = context.asked().modules;
    let others = context.wanted().into_iter().filter(|name| !first.contains(name));
    let missing: Vec<&str> = others
        .filter(|name| context.module(name).is_none() && !context.is_on_node(name))
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "`modulesLoadingOrder` names {}, which is not in it",
            few(&missing)
        );
        let finding = RULE.finding(&context.folder_path, message);
        findings.push(finding.with_help("modprobe leaves it out without a word: put it into the image"));
    }
}
