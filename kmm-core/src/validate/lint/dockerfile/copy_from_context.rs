//! KMM2024: a `COPY` from a build context that holds nothing.

use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::references;

pub(super) const RULE: Rule = Rule {
    code: "KMM2024",
    name: "copy-from-empty-context",
    summary: "a `COPY` from a build context that holds nothing",
    explanation: "\
A build in the cluster has no source folder: its context holds the Dockerfile and nothing else. `COPY` and `ADD` without
`--from` find nothing there, and the build fails.

```dockerfile
COPY . /src
RUN git clone https://git.example/driver.git /src
```

Fetch the sources in the build (`git clone`, `curl`, `ADD` with a URL), or copy them from an image with `--from`.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    for copy in file.copies.iter().filter(|copy| copy.from.is_none()) {
        let elsewhere = |text: &str| {
            text.contains("://")
                || text.starts_with("git@")
                || text.contains('$')
                || text.ends_with("Dockerfile")
        };
        let Some(source) = copy.sources.iter().find(|source| !elsewhere(&source.text)) else {
            continue;
        };
        let severity = if references::builds(subject).is_empty() {
            Severity::Warning
        } else {
            Severity::Error
        };
        let message = format!(
            "there is no `{}`: the build context holds the Dockerfile only",
            source.text
        );
        let finding = RULE
            .finding(subject.facts.dockerfile_path(), message)
            .as_severity(severity);
        let finding = finding.at(Part::Within(source.span.clone()));
        findings.push(finding.with_help("fetch it in a `RUN`, or copy it from an image with `--from`"));
    }
}
