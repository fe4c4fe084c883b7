//! KMM1012: an image name that no registry can hold.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::reference::Reference;

pub(super) const RULE: Rule = Rule {
    code: "KMM1012",
    name: "image-not-a-reference",
    summary: "an image name that no registry can hold",
    explanation: "\
An image name is `[host[:port]/]path[:tag][@digest]`: the path in small letters, digits and `.`, `_`, `-`, `/`; the
tag up to 128 letters, digits, `.`, `_`, `-`. Anything else is refused by the container runtime with
`InvalidImageName`, and the pod that was to check the image waits for ever. A URL (`https://…`) is no image name.

```yaml
containerImage: https://registry.example/Driver:v1      # scheme, capital letter
containerImage: registry.example/driver:v1
```

Write the name as you would give it to `podman pull`.
",
    severity: Severity::Error,
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
    let templates = fields::kmod_images(subject).into_iter().chain(sources);
    let templates = templates.map(|(path, image)| (path, image, Reference::of_template(image)));
    let plain = fields::plain_containers(subject).into_iter();
    let plain = plain.map(|(path, container)| {
        let image = container.image.as_str();
        (path.field("image"), image, Reference::of_plain(image))
    });
    for (path, image, reference) in templates.chain(plain) {
        if let Some(fault) = reference.fault().filter(|_| !image.is_empty()) {
            let finding = RULE.finding(path, format!("this is no image name: {fault}"));
            findings.push(
                finding.with_help("write it as `host/path:tag`, as you would give it to `podman pull`"),
            );
        }
    }
}
