//! KMM3011: a module is for another architecture than the image or the kernel.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::kmod::abi::Refusal;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::refusals;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3011",
        name: "architecture",
        summary: "a module is for another architecture than the image or the kernel",
        explanation: "\
The manifest of an image names an architecture, and nodes pull the one of theirs. A module of another architecture in it
was put together on the wrong machine, or without a cross compiler. The kernel refuses it: `Exec format error`.

```console,ignore
$ docker buildx build --platform linux/arm64 …
```

Build the module for the architecture of the nodes.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    for (module, object) in context.objects() {
        let own = object.machine.oci(!object.layout.big_endian);
        let by_kernel = refusals(module).find(|refusal| matches!(refusal, Refusal::Machine { .. }));
        let message = if let Some(refusal) = by_kernel {
            refusal.to_string()
        } else {
            match (own, context.image.architecture.as_deref()) {
                (Some(own), Some(image)) if own != image => {
                    format!("it is for {own}, the manifest of the image says {image}")
                }
                _ => continue,
            }
        };
        let finding = RULE.finding(&module.path, message).if_needed(module.needed);
        findings.push(finding.with_help("build it for the architecture of the nodes"));
    }
}
