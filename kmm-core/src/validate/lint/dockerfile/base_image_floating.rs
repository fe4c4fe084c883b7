//! KMM2032: a base image without a fixed version.

use crate::build::dockerfile::Base;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::reference::Reference;

pub(super) const RULE: Rule = Rule {
    code: "KMM2032",
    name: "base-image-floating",
    summary: "a base image without a fixed version",
    explanation: "\
A base image without a tag, or with `latest`, changes under the build. Modules are built by the compiler of the base
image: kernels are picky about it, and a build that worked yesterday may give another module today.

```dockerfile
FROM ubuntu
FROM ubuntu:22.04
```

Use a tag of a version, or a digest.
",
    severity: Severity::Note,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for stage in subject
        .facts
        .dockerfile()
        .into_iter()
        .flat_map(|file| &file.stages)
    {
        let Base::Image(image) = &stage.base else {
            continue;
        };
        let reference = Reference::of_plain(image);
        let floating = reference.tag.as_deref().is_none_or(|tag| tag == "latest");
        if floating && reference.digest.is_none() && !image.contains('$') {
            let finding = RULE.finding(
                subject.facts.dockerfile_path(),
                format!("`{image}` changes under the build"),
            );
            let finding = finding.at(Part::Within(stage.from.span.clone()));
            findings.push(finding.with_help("use a tag of a version, or a digest"));
        }
    }
}
