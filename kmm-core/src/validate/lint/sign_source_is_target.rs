//! KMM1035: signing an image into itself.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1035",
    name: "sign-source-is-target",
    summary: "signing an image into itself",
    explanation: "\
KMM signs only when `containerImage` cannot be pulled: an image that exists is taken as final. Where `unsignedImage`
is the same name, the image exists, so it is used as it is, unsigned; with Secure Boot the node refuses the module.

```yaml
containerImage: registry.example/driver:${KERNEL_FULL_VERSION}
sign:
  unsignedImage: registry.example/driver:${KERNEL_FULL_VERSION}
```

Give the signed image a name of its own.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let common = fields::container(subject).and_then(|container| container.sign.as_ref());
    let mut reported = false;
    for merged in fields::merged(subject)
        .into_iter()
        .filter(|merged| !merged.builds)
    {
        let own = merged
            .mapping
            .sign
            .as_ref()
            .filter(|sign| !sign.unsigned_image.is_empty());
        let (path, sign) = match (own, common) {
            (Some(sign), _) => (merged.path.field("sign"), sign),
            (None, Some(sign)) if merged.signs => (subject.container("sign"), sign),
            (None, _) => continue,
        };
        if sign.unsigned_image.is_empty() || sign.unsigned_image != merged.image.1 {
            continue;
        }
        if own.is_none() && std::mem::replace(&mut reported, true) {
            continue;
        }
        let message = "this is the name of the signed image too: it exists, so nothing is ever signed";
        let finding = RULE.finding(path.field("unsignedImage"), message);
        findings.push(finding.with_help("give `containerImage` another name or tag"));
    }
}
