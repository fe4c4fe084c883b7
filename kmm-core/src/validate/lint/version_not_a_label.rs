//! KMM1052: a version that cannot be the value of a label.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::labels;

pub(super) const RULE: Rule = Rule {
    code: "KMM1052",
    name: "version-not-a-label",
    summary: "a version that cannot be the value of a label",
    explanation: r#"`version` turns on ordered upgrades: only nodes whose label `kmm.node.kubernetes.io/version-module.<ns>.<name>` has
this very value get the module. A value that labels cannot have can be set on no node, so no node ever gets it.

```yaml
version: 1.0+build 7
version: "1.0-build7"
```

Use up to 63 letters, digits, `.`, `_` and `-`, with a letter or digit at both ends.
"#,
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(container) = fields::container(subject).filter(|container| !container.version.is_empty()) else {
        return;
    };
    if let Some(fault) = labels::value_fault(&container.version) {
        let message = format!("no node can have the label that this version asks for: it {fault}");
        let finding = RULE.finding(subject.container("version"), message);
        findings.push(
            finding.with_help("use letters, digits, `.`, `_` and `-`, with a letter or digit at both ends"),
        );
    }
}
