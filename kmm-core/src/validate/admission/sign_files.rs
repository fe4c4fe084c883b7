//! Signing needs files to sign.

use crate::api::Sign;
use crate::diag::Severity;
use crate::path::FieldPath;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0220",
    name: "sign-files",
    summary: "`sign` without `filesToSign`",
    explanation: r##"Signing an image means signing certain files in it. The CRD does not require them, the operator does.

```yaml
sign:
  keySecret: {name: key}
  certSecret: {name: cert}
  filesToSign:               # refused without these
  - /opt/lib/modules/${KERNEL_FULL_VERSION}/driver.ko
```

What to do: list the files; templates and shell globs work.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    for Place {
        item,
        prefix,
        path,
        sign,
    } in places(subject)
    {
        if sign.files_to_sign.is_empty() {
            let text = format!("{prefix}filesToSign is required when Sign is set");
            let found = denials.deny(&RULE, Turn::new(Step::FilesToSign, item, 0), path, text);
            found.help = Some("add `filesToSign`".to_owned());
        }
    }
}

/// Signing settings, and where they stand.
pub(super) struct Place<'a> {
    pub(super) item: usize,
    pub(super) prefix: String,
    pub(super) path: FieldPath,
    pub(super) sign: &'a Sign,
}

/// Every signing settings of `subject` in the order of the operator's checks: the container's, then the mappings'.
pub(super) fn places<'a>(subject: &Subject<'a>) -> Vec<Place<'a>> {
    let Some(container) = denial::container(subject) else {
        return Vec::new();
    };
    let global = container.sign.as_ref().map(|sign| Place {
        item: 0,
        prefix: "global Sign: ".to_owned(),
        path: subject.container("sign"),
        sign,
    });
    let of_mapping = |(i, mapping): (usize, &'a crate::api::KernelMapping)| {
        Some(Place {
            item: i + 1,
            prefix: format!("kernelMappings[{i}].Sign: "),
            path: subject.mapping(i).field("sign"),
            sign: mapping.sign.as_ref()?,
        })
    };
    let mappings = container
        .kernel_mappings
        .iter()
        .enumerate()
        .filter_map(of_mapping);
    global.into_iter().chain(mappings).collect()
}
