//! KMM1010: an image without tag or digest.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::reference::Reference;

pub(super) const RULE: Rule = Rule {
    code: "KMM1010",
    name: "image-without-tag",
    summary: "an image without tag or digest",
    explanation: "\
Without tag or digest an image is `latest`: whatever was pushed last. Nodes that pull at different times run different
modules, and nothing says so. The admission webhook refuses an image without any `:` or `@`; the `:` of a registry port
is enough for it, so `registry.example:5000/driver` passes and still has no tag.

```yaml
containerImage: registry.example:5000/driver                        # latest
containerImage: registry.example:5000/driver:${KERNEL_FULL_VERSION}
```

Add a tag that names the kernel, or a digest. For device plugins and DRA drivers, whose pods are no kernel modules,
this is only a note.
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
        if image.is_empty() || reference.tag.is_some() || reference.digest.is_some() || !reference.certain {
            continue;
        }
        let message = if reference.port {
            "this image has a registry port but neither tag nor digest, so it is `latest`"
        } else {
            "this image has neither tag nor digest"
        };
        let finding = RULE.finding(path, message);
        findings.push(finding.with_help(format!("add a tag: `{image}:${{KERNEL_FULL_VERSION}}`")));
    }
    for (path, container) in fields::plain_containers(subject) {
        let reference = Reference::of_plain(&container.image);
        if !container.image.is_empty() && reference.tag.is_none() && reference.digest.is_none() {
            let finding = RULE.finding(
                path.field("image"),
                "this image has neither tag nor digest, so it is `latest`",
            );
            findings.push(
                finding
                    .as_severity(Severity::Note)
                    .with_help("add a tag or a digest"),
            );
        }
    }
}
