//! KMM3018: too little is known of the kernel to tell whether it loads a module.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::abi::Doubt;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::count;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3018",
        name: "kernel-not-known",
        summary: "too little is known of the kernel to tell whether it loads a module",
        explanation: "\
Whether a kernel loads a module is decided by the checksums of its symbols and by its version magic. Neither is in the
image: they are in `Module.symvers`, which the package of the kernel's headers has, and in the modules that came with the
kernel. Without them the answer is `unknown` at the best.

```console
$ kmm image check REF -k 6.1.0-9-amd64 --symvers /usr/src/linux-headers-6.1.0-9-amd64/Module.symvers
$ kmm image check REF -k 6.1.0-9-amd64 --kernel-tree /lib/modules/6.1.0-9-amd64
```

Give one of both, or both: `Module.symvers` knows every symbol, the modules know the version magic.
",
        severity: Severity::Note,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for module in context.modules.iter().filter(|module| module.needed) {
        // Where it is certain that it does not load, nothing is open.
        if module
            .verdict
            .as_ref()
            .is_some_and(|verdict| !verdict.refusals.is_empty())
        {
            continue;
        }
        let doubts = module.verdict.iter().flat_map(|verdict| &verdict.doubts);
        let mut symbols: Vec<&str> = Vec::new();
        let mut magic = false;
        for doubt in doubts {
            match doubt {
                Doubt::Symbol { name } => symbols.push(name),
                Doubt::Vermagic { .. } => magic = true,
                _ => {}
            }
        }
        let message = match (symbols.len(), magic) {
            (0, false) => continue,
            (0, true) => "nothing shows the version magic of the kernel".to_owned(),
            (number, false) => format!(
                "nothing shows whether the kernel exports {}: {}",
                count(number, "symbol"),
                few(&symbols)
            ),
            (number, true) => format!(
                "nothing shows the version magic of the kernel, nor whether it exports {}: {}",
                count(number, "symbol"),
                few(&symbols)
            ),
        };
        let finding = RULE.finding(&module.path, message).in_doubt();
        findings.push(
            finding.with_help(
                "give `--symvers Module.symvers` of the kernel, or `--kernel-tree` with its modules",
            ),
        );
    }
}
