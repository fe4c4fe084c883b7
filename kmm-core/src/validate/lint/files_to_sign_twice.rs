//! KMM1033: a file that is signed twice.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1033",
    name: "files-to-sign-twice",
    summary: "a file that is signed twice",
    explanation: "\
The files of a mapping are signed after those of the container: the lists are joined, not replaced. A file that
stands in both is signed twice and ends in two signatures. The kernel looks at the last one and takes the first for a
part of the module, so what was signed is no longer what was built.

```yaml
container:
  sign: {filesToSign: [/opt/lib/modules/${KERNEL_FULL_VERSION}/a.ko], …}
  kernelMappings:
    - sign: {filesToSign: [/opt/lib/modules/${KERNEL_FULL_VERSION}/a.ko], …}
```

Remove one of the two.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let signs = fields::signs(subject);
    let common = signs.iter().find(|sign| sign.mapping.is_none());
    for sign in &signs {
        let files = &sign.value.files_to_sign;
        for (index, file) in files.iter().enumerate() {
            let here = files[..index].contains(file);
            let above = sign.mapping.is_some()
                && common.is_some_and(|common| common.value.files_to_sign.contains(file));
            if !here && !above {
                continue;
            }
            let path = sign.path.field("filesToSign").index(index);
            let message = if here {
                format!("`{file}` stands in this list already: it is signed twice")
            } else {
                format!("`{file}` stands in the container's list already: it is signed twice")
            };
            let finding = RULE.finding(path.clone(), message).with_help("remove it");
            // The webhook wants the list of a mapping to hold something.
            let removable = files.iter().any(|other| other != file);
            findings.push(if removable || here {
                finding.with_fix([Edit::Remove { path }])
            } else {
                finding
            });
        }
    }
}
