//! KMM2030: a last stage without a shell.

use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM2030",
    name: "image-without-shell",
    summary: "a last stage without a shell",
    explanation: "\
The modules are copied out of the image by a script that runs in it: it needs `/bin/sh`, `mkdir` and `cp`. An image
from `scratch`, or a distroless one, has none of them; the worker pod fails on every node.

```dockerfile
FROM scratch
FROM registry.example/ubi-minimal
```

Start the last stage from a small image with a shell, such as Alpine, BusyBox or UBI minimal.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    let Some(stage) = file.last_stage() else {
        return;
    };
    let image = file.root_image(stage);
    let bare = image == "scratch" || image.contains("/distroless/") || image.ends_with("ubi-micro");
    let bare = bare && !image.contains("debug");
    // Something may put a shell there.
    let filled = file.copies.iter().any(|copy| {
        let sources = || copy.sources.iter().map(|source| source.text.as_str());
        let whole = |text: &str| {
            matches!(text.trim_end_matches('/'), "" | "/bin" | "/usr") || text.contains("busybox")
        };
        copy.stage == Some(stage) && (sources().any(whole) || copy.destination.text.starts_with("/bin"))
    });
    if let Some(from) = file.stages.get(stage).filter(|_| bare && !filled) {
        let message = format!("`{image}` has no shell, with which the modules are copied to the node");
        let finding = RULE
            .finding(subject.facts.dockerfile_path(), message)
            .at(Part::Within(from.from.span.clone()));
        findings.push(finding.with_help("use a small image with `/bin/sh`, `mkdir` and `cp`"));
    }
}
