//! KMM2022: a Dockerfile that never runs `depmod`.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM2022",
    name: "depmod-missing",
    summary: "a Dockerfile that never runs `depmod`",
    explanation: "\
The worker loads with `modprobe`, which finds modules by `modules.dep`; the worker does not make that file. Where the
image has none, loading ends with `modprobe: FATAL: Module … not found`. A script or a base image may do it, so this is a note.

```dockerfile
RUN depmod -b /opt ${KERNEL_FULL_VERSION}
```

Run `depmod` after the modules are in their place.
",
    severity: Severity::Note,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile().filter(|file| !file.stages.is_empty()) else {
        return;
    };
    let hints = ["depmod", "modules_install", "dkms"];
    let may = file
        .instructions
        .iter()
        .any(|instruction| hints.iter().any(|hint| instruction.text.contains(hint)));
    if !may {
        let finding = RULE.finding(
            subject.facts.dockerfile_path(),
            "nothing here makes `modules.dep`, which modprobe needs",
        );
        findings.push(finding.with_help("add `RUN depmod -b /opt ${KERNEL_FULL_VERSION}` to the last stage"));
    }
}
