//! KMM2020: a `depmod` that is not told for which kernel.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM2020",
    name: "depmod-without-version",
    summary: "a `depmod` that is not told for which kernel",
    explanation: "\
Without a version, and with `$(uname -r)`, `depmod` takes the kernel of the node on which the build runs. That need
not be the kernel that the image is for: then `modules.dep` is missing from `lib/modules/<kernel>`, and modprobe on
the node finds no module.

```dockerfile
RUN depmod -b /opt
RUN depmod -b /opt ${KERNEL_FULL_VERSION}
```

Name the kernel.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    for depmod in &file.depmods {
        let node = depmod
            .version
            .as_ref()
            .is_some_and(|version| version.text.contains("uname"));
        if depmod.version.is_some() && !node {
            continue;
        }
        let path = subject.facts.dockerfile_path();
        let stage = file
            .instructions
            .get(depmod.instruction)
            .and_then(|instruction| instruction.stage);
        let declared = names::DEFAULT_ARGUMENTS[..2].iter().find(|name| {
            file.arguments.iter().any(|argument| {
                argument.name.text == **name
                    && argument.instruction < depmod.instruction
                    && matches!((stage, argument.stage), (Some(here), Some(there)) if file.descends(here, there))
            })
        });
        let finding = RULE.finding(
            path.clone(),
            "this `depmod` is for the kernel of the node that builds",
        );
        let finding = finding.at(Part::Within(depmod.span.clone()));
        let exec = file
            .instructions
            .get(depmod.instruction)
            .is_some_and(|instruction| instruction.exec);
        findings.push(match declared {
            Some(name) if !exec => {
                let (range, text) = match &depmod.version {
                    Some(version) => (version.span.clone(), format!("${{{name}}}")),
                    None => (depmod.span.end..depmod.span.end, format!(" ${{{name}}}")),
                };
                let fixed = finding.with_help(format!("add `${{{name}}}`"));
                if node {
                    fixed
                } else {
                    fixed.with_fix([Edit::ReplaceWithin { path, range, text }])
                }
            }
            Some(_) | None => {
                finding.with_help("add `${KERNEL_FULL_VERSION}`, and `ARG KERNEL_FULL_VERSION` above")
            }
        });
    }
}
