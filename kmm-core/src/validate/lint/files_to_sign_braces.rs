//! KMM1032: a file to sign with a list in braces.

use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1032",
    name: "files-to-sign-braces",
    summary: "a file to sign with a list in braces",
    explanation: "\
Entries of `filesToSign` are expanded by BusyBox `ash`. It knows `*`, `?` and `[…]`, but not `{a,b}`: the entry is
taken as it stands, there is no such file, and the sign build fails.

```yaml
filesToSign:
  - /opt/lib/modules/${KERNEL_FULL_VERSION}/{a,b}.ko
  - /opt/lib/modules/${KERNEL_FULL_VERSION}/[ab].ko
```

Write one entry for each file, or a glob that `ash` knows.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for sign in fields::signs(subject) {
        let files = sign.path.field("filesToSign");
        for (index, file) in sign.value.files_to_sign.iter().enumerate() {
            let open = file
                .char_indices()
                .find(|&(at, c)| c == '{' && !file[..at].ends_with('$'));
            let Some((open, _)) = open else {
                continue;
            };
            let Some(length) = file[open..].find('}') else {
                continue;
            };
            let list = open..open + length + 1;
            if file[list.clone()].contains([',', '.']) {
                let message = "the shell that expands this entry knows no lists in braces";
                let finding = RULE.finding(files.index(index), message).at(Part::Within(list));
                findings.push(finding.with_help("write one entry for each file, or use `*`, `?` or `[…]`"));
            }
        }
    }
}
