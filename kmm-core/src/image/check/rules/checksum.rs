//! KMM3013: symbols of the kernel are not what they were when the module was built.

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
        code: "KMM3013",
        name: "symbol-checksum",
        summary: "symbols of the kernel are not what they were when the module was built",
        explanation: "\
A kernel with module versions has a checksum for each symbol, made from the types that it uses. A module carries those of
the kernel that it was built against. Where one differs, the kernel writes `disagrees about version of symbol …` into its
log and refuses the module. Flavours of one release (`amd64`, `rt-amd64`, `cloud-amd64`) differ in most of them.

```console,ignore
$ kmm image check quay.io/acme/nic:6.1.0-9 -k 6.1.0-9-rt-amd64 --symvers Module.symvers
```

Build the module against the headers of this very kernel.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for module in &context.modules {
        if refusals(module).any(|refusal| *refusal == Refusal::NoChecksums) {
            let message = Refusal::NoChecksums.to_string();
            findings.push(RULE.finding(&module.path, message).if_needed(module.needed));
            continue;
        }
        let names: Vec<&str> = refusals(module)
            .filter_map(|refusal| match refusal {
                Refusal::Checksum { name, .. } => Some(name.as_str()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            continue;
        }
        let message = format!(
            "{} with another checksum in the kernel: {}",
            count(names.len(), "symbol"),
            few(&names)
        );
        let finding = RULE.finding(&module.path, message).if_needed(module.needed);
        let kernel = context.subject.kernel.raw();
        findings.push(finding.with_help(format!("build it against the headers of `{kernel}`")));
    }
}
