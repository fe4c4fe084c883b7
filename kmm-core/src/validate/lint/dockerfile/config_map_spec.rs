//! KMM2003: a ConfigMap with its data below `spec`.

use crate::diag::Part;
use crate::diag::Severity;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM2003",
    name: "build-configmap-data-in-spec",
    summary: "a ConfigMap with its data below `spec`",
    explanation: "\
A ConfigMap has `data` at its top and no `spec`. What stands below `spec` is dropped by the API server, or refused, so
the Dockerfile is not there when the build looks for it.

```yaml
kind: ConfigMap
spec:
  data:
    dockerfile: …
```
```yaml
kind: ConfigMap
data:
  dockerfile: …
```

Remove the line `spec:` and move what is below it to the left.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    if subject.kind == Kind::ConfigMap && subject.node.get("spec").is_some() {
        let finding = RULE.finding(
            FieldPath::of("spec"),
            "a ConfigMap has no `spec`: what is in it is lost",
        );
        findings.push(finding.at(Part::Key).with_help("move `data` to the top level"));
    }
}
