//! KMM2005: a Dockerfile that the builder refuses.

use crate::build::dockerfile::FaultKind;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM2005",
    name: "dockerfile-not-understood",
    summary: "a Dockerfile that the builder refuses",
    explanation: r"The builder reads the whole Dockerfile before it runs anything. An instruction that it does not know, a here-document
without its end, or no `FROM` at all ends the build at once. A frequent cause is a long line that was broken when it
was copied: the second half starts a line of its own.

```dockerfile
FROM registry.example/driver-toolkit:v4.13
 as builder                                   # Unknown instruction: as
```

Put the halves together, or end the first with `\`.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for fault in subject
        .facts
        .dockerfile()
        .into_iter()
        .flat_map(|file| &file.faults)
    {
        let path = subject.facts.dockerfile_path();
        let (severity, message, help) = match &fault.kind {
            FaultKind::TooLong => (
                Severity::Note,
                "this Dockerfile is too long to be looked at".to_owned(),
                "a ConfigMap holds at most 1 MiB",
            ),
            FaultKind::NoStage => (
                Severity::Error,
                "this Dockerfile has no `FROM`".to_owned(),
                "start it with `FROM <image>`",
            ),
            FaultKind::BeforeFrom(keyword) => (
                Severity::Error,
                format!("`{keyword}` stands above the first `FROM`"),
                "only `ARG` can stand there",
            ),
            FaultKind::UnknownInstruction(word) => (
                Severity::Error,
                format!("there is no instruction `{word}`"),
                "join this line with the one above, or end that one with `\\`",
            ),
            FaultKind::OpenHeredoc(name) => (
                Severity::Error,
                format!("the here-document that ends with `{name}` never ends"),
                "put the word on a line of its own",
            ),
            FaultKind::Incomplete(keyword) => (
                Severity::Error,
                format!("`{keyword}` lacks an argument"),
                "write what it needs",
            ),
        };
        let finding = RULE.finding(path, message).as_severity(severity).with_help(help);
        findings.push(if fault.span.is_empty() {
            finding
        } else {
            finding.at(Part::Within(fault.span.clone()))
        });
    }
}
