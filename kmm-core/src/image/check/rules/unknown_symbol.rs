//! KMM3014: a module needs symbols that nothing exports.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::abi::Refusal;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::count;
use super::super::finding::few;
use super::refusals;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3014",
        name: "symbol-unknown",
        summary: "a module needs symbols that nothing exports",
        explanation: "\
Every symbol that a module imports must be exported by the kernel or by a module that is loaded before. One that is not
ends with `Unknown symbol …` in the kernel's log. It was removed from the kernel or is no longer exported, a module that
exports it is missing from the image, or the kernel was built without the option that brings it.

```console,ignore
$ kmm depmod -n -e -E Module.symvers -b /opt 6.1.0-9-amd64
```

Put the module that exports it into the image, or build against this kernel.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for module in &context.modules {
        let names: Vec<&str> = refusals(module)
            .filter_map(|refusal| match refusal {
                Refusal::UnknownSymbol { name } => Some(name.as_str()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            continue;
        }
        let message = format!(
            "{} that neither the kernel nor a module of the image exports: {}",
            count(names.len(), "symbol"),
            few(&names)
        );
        findings.push(RULE.finding(&module.path, message).if_needed(module.needed));
    }
}
