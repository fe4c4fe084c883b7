//! KMM2031: a build that asks which kernel is running.

use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM2031",
    name: "kernel-of-build-node",
    summary: "a build that asks which kernel is running",
    explanation: "\
`uname -r` in a `RUN` gives the kernel of the node on which the build happens to run, not the one that the image is
for. The image is then right only by chance.

```dockerfile
RUN make KVER=$(uname -r)
RUN make KVER=${KERNEL_FULL_VERSION}
```

Use the argument.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    let text = subject
        .node
        .at(&subject.facts.dockerfile_path())
        .and_then(|node| node.as_str())
        .unwrap_or_default();
    for (index, instruction) in file
        .instructions
        .iter()
        .enumerate()
        .filter(|(_, found)| found.keyword == "RUN")
    {
        let source = text.get(instruction.span.clone()).unwrap_or_default();
        let found = ["uname -r", "uname --kernel-release"]
            .iter()
            .find_map(|call| Some((source.find(call)?, call.len())));
        // A `depmod` that is told so has a rule of its own.
        let told = file.depmods.iter().any(|depmod| depmod.instruction == index);
        if let Some((at, length)) = found.filter(|_| !told) {
            let start = instruction.span.start + at;
            let finding = RULE.finding(
                subject.facts.dockerfile_path(),
                "this is the kernel of the node that builds",
            );
            let finding = finding.at(Part::Within(start..start + length));
            findings.push(
                finding
                    .with_help("use `${KERNEL_FULL_VERSION}`, with `ARG KERNEL_FULL_VERSION` in this stage"),
            );
        }
    }
}
