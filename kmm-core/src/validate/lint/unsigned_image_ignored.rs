//! KMM1036: an unsigned image that is never used.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1036",
    name: "unsigned-image-ignored",
    summary: "an unsigned image that is never used",
    explanation: "\
Where a mapping builds an image, that image is signed, and `unsignedImage` is not looked at.

```yaml
build: {dockerfileConfigMap: {name: driver-dockerfile}}
sign:
  unsignedImage: registry.example/driver-unsigned:v1     # never used
```

Remove it, or remove `build`.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let merged = fields::merged(subject);
    for sign in fields::signs(subject) {
        if sign.value.unsigned_image.is_empty() {
            continue;
        }
        let ignored = match sign.mapping {
            Some(index) => merged.get(index).is_some_and(|merged| merged.builds),
            None => !merged.is_empty() && merged.iter().all(|merged| merged.builds),
        };
        if ignored {
            let path = sign.path.field("unsignedImage");
            let finding = RULE.finding(
                path.clone(),
                "this is not used: the image that `build` makes is signed",
            );
            findings.push(
                finding
                    .with_help("remove it, or remove `build`")
                    .with_fix([Edit::Remove { path }]),
            );
        }
    }
}
