//! KMM1071: a selector that no node can match.

use crate::diag::Part;
use crate::diag::Severity;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::labels;

pub(super) const RULE: Rule = Rule {
    code: "KMM1071",
    name: "selector-not-a-label",
    summary: "a selector that no node can match",
    explanation: "\
A node is selected when it has every label of the selector. Keys are `[prefix/]name`, the name and the value up to 63
letters, digits, `.`, `_` and `-`, with a letter or digit at both ends; the prefix is a DNS name. No node can have any
other label, so no node is ever selected. A value is one value: there is no list and no pattern.

```yaml
selector:
  kubernetes.io/arch: amd64,arm64
  kubernetes.io/arch: amd64
```

Write the label as `kubectl get nodes --show-labels` shows it.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for path in super::selectors(subject) {
        let Some(selector) = subject.node.at(&path).and_then(|node| node.as_mapping()) else {
            continue;
        };
        for entry in selector.effective() {
            let path: FieldPath = path.field(entry.key.as_str());
            if let Some(fault) = labels::key_fault(&entry.key) {
                let finding = RULE
                    .finding(path, format!("no node can have this label: its key {fault}"))
                    .at(Part::Key);
                findings
                    .push(finding.with_help("write the key as `kubectl get nodes --show-labels` shows it"));
            } else if let Some(fault) = entry.value.as_str().and_then(labels::value_fault) {
                let finding = RULE.finding(path, format!("no node can have this label: its value {fault}"));
                findings
                    .push(finding.with_help("write the value as `kubectl get nodes --show-labels` shows it"));
            }
        }
    }
}
