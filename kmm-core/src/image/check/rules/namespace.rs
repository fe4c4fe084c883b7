//! KMM3016: a module does not import the namespace of symbols that it uses.

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
        code: "KMM3016",
        name: "symbol-namespace",
        summary: "a module does not import the namespace of symbols that it uses",
        explanation: "\
Symbols can be exported into a namespace, which a module must import to use them. The kernel refuses a module that does
not (unless it was built to allow it): `module uses symbol … from namespace …, but does not import it`.

```c
MODULE_IMPORT_NS(\"USB_STORAGE\");   /* before 6.13: without the quotes */
```

Add the import to the source of the module.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for module in &context.modules {
        let mut spaces: Vec<&str> = Vec::new();
        let mut symbols = 0;
        for refusal in refusals(module) {
            if let Refusal::Namespace { namespace, .. } = refusal {
                symbols += 1;
                if !spaces.contains(&namespace.as_str()) {
                    spaces.push(namespace);
                }
            }
        }
        if spaces.is_empty() {
            continue;
        }
        let message = format!(
            "it uses {} of namespaces that it does not import: {}",
            count(symbols, "symbol"),
            few(&spaces)
        );
        let finding = RULE.finding(&module.path, message).if_needed(module.needed);
        findings.push(finding.with_help("add `MODULE_IMPORT_NS` to its source"));
    }
}
