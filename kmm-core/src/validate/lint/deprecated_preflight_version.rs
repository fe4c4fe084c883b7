//! KMM1081: the deprecated version of PreflightValidation.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::document::Node;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM1081",
    name: "deprecated-preflight-version",
    summary: "the deprecated version of PreflightValidation",
    explanation: "\
`PreflightValidation` of `kmm.sigs.x-k8s.io/v1beta1` is deprecated. `v1beta2` takes the same `spec`; its status is a list, in
which modules of the same name in two namespaces stay apart.

```yaml
apiVersion: kmm.sigs.x-k8s.io/v1beta1
apiVersion: kmm.sigs.x-k8s.io/v1beta2
```

Change the version.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let version = subject.node.get("apiVersion").and_then(Node::as_str);
    if subject.kind == Kind::PreflightValidation && version == Some("kmm.sigs.x-k8s.io/v1beta1") {
        let path = FieldPath::of("apiVersion");
        let value = "kmm.sigs.x-k8s.io/v1beta2".to_owned();
        let finding = RULE.finding(path.clone(), "v1beta1 of PreflightValidation is deprecated");
        findings.push(
            finding
                .with_help(format!("write `{value}`"))
                .with_fix([Edit::SetString { path, value }]),
        );
    }
}
