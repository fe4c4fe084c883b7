//! KMM1011: an image with the tag `latest`.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::reference::Reference;

pub(super) const RULE: Rule = Rule {
    code: "KMM1011",
    name: "image-latest",
    summary: "an image with the tag `latest`",
    explanation: "\
`latest` names whatever was pushed last, for whatever kernel. KMM takes an image that can be pulled as final: it does
not build it again, and a node that pulled it before may keep its own copy (`imagePullPolicy: IfNotPresent`). So nodes
drift apart, and no one can tell from the manifest what is loaded.

```yaml
containerImage: registry.example/driver:latest
containerImage: registry.example/driver:1.4-${KERNEL_FULL_VERSION}
```

Use a tag that names a version and the kernel, or a digest. For device plugins and DRA drivers this is only a note.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let sources = fields::signs(subject).into_iter();
    let sources = sources.map(|sign| {
        (
            sign.path.field("unsignedImage"),
            sign.value.unsigned_image.as_str(),
        )
    });
    for (path, image) in fields::kmod_images(subject).into_iter().chain(sources) {
        let reference = Reference::of_template(image);
        if reference.tag.as_deref() == Some("latest") && reference.digest.is_none() {
            let finding = RULE.finding(path, "`latest` is whatever was pushed last, for whatever kernel");
            findings.push(finding.with_help("use a tag that names a version and the kernel, or a digest"));
        }
    }
    for (path, container) in fields::plain_containers(subject) {
        let reference = Reference::of_plain(&container.image);
        if reference.tag.as_deref() == Some("latest") && reference.digest.is_none() {
            let finding = RULE.finding(path.field("image"), "`latest` is whatever was pushed last");
            findings.push(
                finding
                    .as_severity(Severity::Note)
                    .with_help("use the tag of a version, or a digest"),
            );
        }
    }
}
