//! KMM2004: a ConfigMap of another API than `v1`.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::document::Node;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM2004",
    name: "build-configmap-version",
    summary: "a ConfigMap of another API than `v1`",
    explanation: "\
ConfigMaps belong to Kubernetes itself: their `apiVersion` is `v1`. With the group of KMM the API server knows no such
kind and refuses the object.

```yaml
apiVersion: kmm.sigs.x-k8s.io/v1beta1
kind: ConfigMap
```

Write `apiVersion: v1`.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let version = subject
        .node
        .get("apiVersion")
        .and_then(Node::as_str)
        .unwrap_or("v1");
    if subject.kind == Kind::ConfigMap && version != "v1" {
        let path = FieldPath::of("apiVersion");
        let value = "v1".to_owned();
        let finding = RULE.finding(path.clone(), format!("there is no ConfigMap in `{version}`"));
        findings.push(
            finding
                .with_help("write `v1`")
                .with_fix([Edit::SetString { path, value }]),
        );
    }
}
