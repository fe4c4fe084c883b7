//! KMM3017: the kernel refuses a module for another reason.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::abi::Refusal;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::first_refusals;

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
    let is = |refusal: &Refusal| {
        matches!(
            refusal,
            Refusal::StructSize { .. } | Refusal::DuplicateExport { .. }
        )
    };
    first_refusals(&RULE, context, is, "more of the kind", findings);
}
