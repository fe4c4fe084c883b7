//! KMM1013: an image pull policy that Kubernetes does not know.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1013",
    name: "image-pull-policy-unknown",
    summary: "an image pull policy that Kubernetes does not know",
    explanation: "\
`imagePullPolicy` is `Always`, `IfNotPresent` or `Never`, spelt so. The CRD takes any string, but the pods made from
it are refused by the API server, so no node gets the module and only the operator's log says why.

```yaml
imagePullPolicy: always
imagePullPolicy: Always
```

Use one of the three, or leave the field out.
",
    severity: Severity::Error,
    check,
};

const POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let loader = fields::container(subject).map(|container| {
        (
            subject.container("imagePullPolicy"),
            container.image_pull_policy.as_str(),
        )
    });
    let plain = fields::plain_containers(subject).into_iter();
    let plain = plain.map(|(path, container)| {
        (
            path.field("imagePullPolicy"),
            container.image_pull_policy.as_str(),
        )
    });
    for (path, policy) in loader.into_iter().chain(plain) {
        if policy.is_empty() || POLICIES.contains(&policy) {
            continue;
        }
        let message = format!("`{policy}` is no pull policy: pods with it are refused");
        let finding = RULE.finding(path.clone(), message);
        let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', ' '], "");
        let meant = POLICIES.into_iter().find(|known| plain(known) == plain(policy));
        findings.push(match meant {
            Some(known) => finding
                .with_help(format!("write `{known}`"))
                .with_suggestion([Edit::SetString {
                    path,
                    value: known.to_owned(),
                }]),
            None => finding.with_help("write `Always`, `IfNotPresent` or `Never`, or leave it out"),
        });
    }
}
