//! KMM1030: a file to sign that exists for one kernel only, under a mapping for many.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1030",
    name: "files-to-sign-one-kernel",
    summary: "a file to sign that exists for one kernel only, under a mapping for many",
    explanation: r"`filesToSign` names files in the image of each kernel. Where the mapping takes many kernels and the path names one of
them, signing works for that one; for every other kernel the file is not there, and the whole sign build fails.

```yaml
- regexp: '^5\.14\.0-.*$'
  sign:
    filesToSign:
      - /opt/lib/modules/5.14.0-427.el9.x86_64/driver.ko
      - /opt/lib/modules/${KERNEL_FULL_VERSION}/driver.ko     # right for each kernel
```

Put `${KERNEL_FULL_VERSION}` in the place of the version.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mappings = fields::mappings(subject);
    for sign in fields::signs(subject) {
        let many = match sign.mapping {
            Some(index) => mappings
                .get(index)
                .is_some_and(|mapping| !fields::for_one_kernel(mapping)),
            None => mappings.len() > 1 || mappings.iter().any(|mapping| !fields::for_one_kernel(mapping)),
        };
        let files = sign.path.field("filesToSign");
        for (index, file) in sign.value.files_to_sign.iter().enumerate().filter(|_| many) {
            let Some(range) = fixed_kernel(file) else {
                continue;
            };
            let path = files.index(index);
            let message = format!(
                "`{}` is the folder of one kernel, but many come here",
                &file[range.clone()]
            );
            let edit = Edit::ReplaceWithin {
                path: path.clone(),
                range: range.clone(),
                text: "${KERNEL_FULL_VERSION}".to_owned(),
            };
            let finding = RULE.finding(path, message).at(Part::Within(range));
            findings.push(
                finding
                    .with_help("write `${KERNEL_FULL_VERSION}` instead")
                    .with_suggestion([edit]),
            );
        }
    }
}

/// The folder below `lib/modules/`, where it is neither a template nor a glob.
fn fixed_kernel(file: &str) -> Option<std::ops::Range<usize>> {
    let start = file.find("/lib/modules/")? + "/lib/modules/".len();
    let end = start + file[start..].find('/')?;
    let folder = &file[start..end];
    let version = folder.starts_with(|c: char| c.is_ascii_digit()) && folder.contains('.');
    (version && !folder.contains(['$', '*', '?', '['])).then_some(start..end)
}
