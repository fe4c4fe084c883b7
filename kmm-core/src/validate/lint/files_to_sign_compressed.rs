//! KMM1031: a compressed file to sign.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1031",
    name: "files-to-sign-compressed",
    summary: "a compressed file to sign",
    explanation: "\
`sign-file` signs the bytes that it is given. A compressed module (`.ko.xz`, `.ko.gz`, `.ko.zst`) gets the signature
behind the compressed data; what the kernel checks is the decompressed module, which has none. With Secure Boot the
module is refused on the node, though the sign build succeeded.

```yaml
filesToSign:
  - /opt/lib/modules/${KERNEL_FULL_VERSION}/driver.ko.xz
  - /opt/lib/modules/${KERNEL_FULL_VERSION}/driver.ko
```

Leave the module uncompressed in the image.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for sign in fields::signs(subject) {
        let files = sign.path.field("filesToSign");
        for (index, file) in sign.value.files_to_sign.iter().enumerate() {
            if [".ko.xz", ".ko.gz", ".ko.zst", ".ko.*", ".ko.?z"]
                .iter()
                .any(|end| file.ends_with(end))
            {
                let message = "a signature behind compressed data is not seen by the kernel";
                let finding = RULE.finding(files.index(index), message);
                findings
                    .push(finding.with_help("keep the module uncompressed in the image, and sign the `.ko`"));
            }
        }
    }
}
