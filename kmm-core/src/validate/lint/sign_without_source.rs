//! KMM1034: signing without an image to sign.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1034",
    name: "sign-without-source",
    summary: "signing without an image to sign",
    explanation: "\
What is signed is what `build` made, or the image that `unsignedImage` names. Where a mapping ends up with `sign` but
with neither of them, the sign build starts from an image without a name and fails.

```yaml
sign:
  keySecret: {name: key}
  certSecret: {name: cert}
  filesToSign: [/opt/lib/modules/${KERNEL_FULL_VERSION}/driver.ko]
  unsignedImage: registry.example/driver-unsigned:${KERNEL_FULL_VERSION}    # without `build`
```

Name the unsigned image, or build it in the cluster.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let common = fields::container(subject).and_then(|container| container.sign.as_ref());
    let mut reported = false;
    for merged in fields::merged(subject) {
        let own = merged.mapping.sign.as_ref();
        let named = own
            .into_iter()
            .chain(common)
            .any(|sign| !sign.unsigned_image.is_empty());
        if !merged.signs || merged.builds || named {
            continue;
        }
        let path = if own.is_some() {
            merged.path.field("sign")
        } else {
            subject.container("sign")
        };
        if own.is_none() && std::mem::replace(&mut reported, true) {
            continue;
        }
        let message = format!(
            "kernelMappings[{}] neither builds an image nor names an unsigned one",
            merged.index
        );
        findings.push(
            RULE.finding(path, message)
                .with_help("set `unsignedImage`, or `build`"),
        );
    }
}
