//! KMM3017: the kernel refuses a module for another reason.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::abi::Refusal;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::count;
use super::refusals;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3017",
        name: "module-refused",
        summary: "the kernel refuses a module for another reason",
        explanation: "\
Reasons that are rare: the kernel's `struct module` has another size than when the module was built (compared since 6.4),
or the module exports a symbol that the kernel exports itself. The kernel's log says `exports duplicate symbol …` or
`.gnu.linkonce.this_module section size must match …`.

```console,ignore
$ kmm modinfo -o json nic.ko
```

Build the module against the headers of this kernel. A driver that was taken into the kernel since need not be in the image.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for module in &context.modules {
        let mut found = refusals(module).filter(|refusal| {
            matches!(
                refusal,
                Refusal::StructSize { .. } | Refusal::DuplicateExport { .. }
            )
        });
        let Some(first) = found.next() else {
            continue;
        };
        let message = match found.count() {
            0 => first.to_string(),
            more => format!("{first}; and {}", count(more, "more of the kind")),
        };
        findings.push(RULE.finding(&module.path, message).if_needed(module.needed));
    }
}
