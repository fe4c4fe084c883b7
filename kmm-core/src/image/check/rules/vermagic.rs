//! KMM3012: a module was built for another kernel.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::Versions;
use crate::kmod::abi::Refusal;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::refusals;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3012",
        name: "vermagic",
        summary: "a module was built for another kernel",
        explanation: "\
Every module says which kernel it was built for: its version magic. Without module versions the kernel compares the whole
string; with them, only what follows the release (`SMP`, `preempt`, …), and then the checksum of each symbol. A mismatch
ends with `version magic … should be …` in the kernel's log and `Invalid module format`.

```console,ignore
$ kmm modinfo -F vermagic nic.ko
6.1.0-9-amd64 SMP preempt mod_unload modversions
```

Build the module against the headers of the kernel whose folder it lies in.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let kernel = context.subject.kernel.raw();
    for (module, object) in context.objects() {
        let refused = refusals(module)
            .find(|refusal| matches!(refusal, Refusal::Vermagic { .. } | Refusal::NoVermagic));
        let release = object.info.vermagic().map(|magic| magic.release().to_owned());
        let finding = if let Some(refusal) = refused {
            RULE.finding(&module.path, refusal.to_string())
        } else {
            match release.filter(|release| release != kernel) {
                None => continue,
                Some(release) if object.versions == Versions::None => RULE.finding(
                    &module.path,
                    format!("it was built for `{release}`, the kernel is `{kernel}`"),
                ),
                // With checksums the release does not count, and a stable kernel keeps them for long.
                Some(release) => RULE
                    .finding(
                        &module.path,
                        format!("it was built for `{release}`: only the checksums of its symbols tell"),
                    )
                    .with_severity(Severity::Note),
            }
        };
        let finding = finding.if_needed(module.needed);
        findings.push(finding.with_help(format!("build it against the headers of `{kernel}`")));
    }
}
