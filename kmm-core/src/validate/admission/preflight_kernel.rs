//! A kernel version has three parts.

use crate::diag::Severity;
use crate::document::Node;
use crate::path::FieldPath;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0222",
    name: "preflight-kernel",
    summary: "the `kernelVersion` of a PreflightValidation is no kernel version",
    explanation: r##"A PreflightValidation asks whether every Module has its image for a kernel to come. The operator takes that kernel's version
apart, so it needs at least three parts between `.`, `,` and `-`, as `uname -r` prints them.

```yaml
spec:
  kernelVersion: "6.1"              # refused
  kernelVersion: 6.1.0-18-amd64
```

What to do: write the version as `uname -r` prints it on such a kernel.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    match subject.kind {
        Kind::PreflightValidation => {}
        Kind::Module | Kind::ManagedClusterModule | Kind::ConfigMap => return,
    }
    let path = FieldPath::of("spec.kernelVersion");
    let version = subject.node.at(&path).and_then(Node::as_str).unwrap_or_default();
    let turn = Turn::new(Step::Preflight, 0, 0);
    if version.is_empty() {
        denials.deny(&RULE, turn, path, "kernelVersion cannot be empty");
    } else if version.split(['.', ',', '-']).count() < 3 {
        let found = denials.deny(&RULE, turn, path, format!("invalid kernelVersion {version}"));
        found.help = Some("write it as `uname -r` prints it".to_owned());
    }
}
