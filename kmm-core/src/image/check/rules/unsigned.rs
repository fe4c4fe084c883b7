//! KMM3060: a module has no signature.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::image::ModuleFile;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::count;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3060",
        name: "signature-missing",
        summary: "a module has no signature",
        explanation: "\
A node with Secure Boot, or with `module.sig_enforce`, loads only modules that are signed with a key that it knows:
`Key was rejected by service`. Others load them and mark the kernel as tainted. With `--cert` every module that is loaded
must be signed, and this is an error; else it is worth knowing.

A signature must be inside of a compressed module. One that is appended to the compressed file, as signing with the
operator does to `.ko.xz`, is not looked for there.

```yaml
sign:
  filesToSign: [/opt/lib/modules/${KERNEL_FULL_VERSION}/*.ko]
```

Sign the modules before they are compressed.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let mut unsigned: Vec<&str> = Vec::new();
    for (module, object) in context.objects() {
        if object.signature.is_some() || !module.needed {
            continue;
        }
        let outside = module.file.is_ok_and(ModuleFile::is_signed_outside);
        if outside {
            let finding = RULE.finding(
                &module.path,
                "the signature was appended after the file was compressed, where nothing looks for it",
            );
            let worst = if context.subject.wants_signature {
                Severity::Error
            } else {
                Severity::Warning
            };
            findings.push(
                finding
                    .with_severity(worst)
                    .with_help("sign the module first, then compress it"),
            );
        } else if context.subject.wants_signature {
            findings.push(RULE.finding(&module.path, "it is not signed"));
        } else {
            unsigned.push(&module.relative);
        }
    }
    if !unsigned.is_empty() {
        let message = format!(
            "{} without a signature: {}",
            count(unsigned.len(), "module"),
            few(&unsigned)
        );
        findings.push(
            RULE.finding(&context.folder_path, message)
                .with_severity(Severity::Note),
        );
    }
}
