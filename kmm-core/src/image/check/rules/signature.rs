//! KMM3061: the signature of a module is not one of the given certificates'.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::sign::Verification;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3061",
        name: "signature-invalid",
        summary: "the signature of a module is not one of the given certificates'",
        explanation: "\
With `--cert`, the signature of each module that is loaded is verified: it must name one of the certificates, and be made
with its key over the bytes of the module. A kernel does the same with the keys that it knows. A module that was stripped
or changed after it was signed has an invalid signature.

```console,ignore
$ kmm image check REF -k 6.1.0-9-amd64 -f module.yaml --cert signing.pem
```

Sign with the key whose certificate the nodes know, as the last step before compression.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    if !context.subject.wants_signature {
        return;
    }
    for (module, object) in context.objects().filter(|(module, _)| module.needed) {
        let (Some(signature), Ok(file)) = (&object.signature, &module.file) else {
            continue;
        };
        let signer = String::from_utf8_lossy(&signature.signer).into_owned();
        let finding = match file.verification() {
            Some(Verification::Valid { .. }) => continue,
            Some(Verification::UnknownKey) => {
                let serial: String = signature
                    .key_id
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                let message =
                    format!("signed by `{signer}` with key {serial}, which no given certificate is for");
                RULE.finding(&module.path, message)
            }
            Some(invalid @ Verification::Invalid { .. }) => {
                RULE.finding(&module.path, format!("the signature by `{signer}` is {invalid}"))
            }
            Some(other @ Verification::Unsupported { .. }) => RULE
                .finding(&module.path, format!("the signature by `{signer}` was {other}"))
                .with_severity(Severity::Note)
                .in_doubt(),
            None => RULE
                .finding(&module.path, "the signature was not verified")
                .with_severity(Severity::Note)
                .in_doubt(),
        };
        findings.push(finding);
    }
}
