//! KMM3015: a module may not use symbols because of its licence.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::abi::Refusal;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::first_refusals;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3015",
        name: "symbol-licence",
        summary: "a module may not use symbols because of its licence",
        explanation: "\
Symbols that are exported with `EXPORT_SYMBOL_GPL` are found only by modules whose `MODULE_LICENSE` is compatible with the
GPL. For others they do not exist: the kernel's log says `Unknown symbol`, although the kernel has it. A module that uses
such symbols may not use those of a proprietary module either.

```c
MODULE_LICENSE(\"Dual MIT/GPL\");
```

Change the licence if that is yours to do, or do without the symbol.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let is = |refusal: &Refusal| {
        matches!(
            refusal,
            Refusal::GplOnly { .. } | Refusal::ProprietaryOwner { .. }
        )
    };
    first_refusals(&RULE, context, is, "more symbol", findings);
}
