//! KMM3010: a file is no kernel module that can be read.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::DecompressError;
use crate::kmod::KmodError;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3010",
        name: "module-unreadable",
        summary: "a file is no kernel module that can be read",
        explanation: "\
A file whose name is that of a module, and which is none: it is cut off, empty, a text, or damaged. `modprobe` ends with
`Exec format error` or `Invalid module format`. Git LFS pointers and failed downloads look like this.

```console,ignore
$ file nic.ko
nic.ko: ELF 64-bit LSB relocatable, x86-64, version 1 (SYSV)
```

Build the module anew. Where a bound of this tool is named instead, nothing is known of the file.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for module in &context.modules {
        let finding = match &module.file {
            Err(unread) => RULE
                .finding(&module.path, format!("not looked at: {unread}"))
                .with_severity(Severity::Note)
                .in_doubt(),
            Ok(file) => match file.object() {
                Ok(_) => continue,
                Err(
                    error @ KmodError::Packed {
                        cause: DecompressError::Unsupported | DecompressError::TooLarge { .. },
                        ..
                    },
                ) => RULE
                    .finding(&module.path, format!("not looked at: {error}"))
                    .with_severity(Severity::Note)
                    .in_doubt(),
                Err(error) => RULE.finding(&module.path, error.to_string()),
            },
        };
        findings.push(finding.if_needed(module.needed));
    }
}
