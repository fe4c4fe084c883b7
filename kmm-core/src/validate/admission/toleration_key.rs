//! The key of a toleration has to be a taint key.

use crate::diag::Severity;
use crate::naming;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0203",
    name: "toleration-key",
    summary: "the key of a toleration is no taint key",
    explanation: r##"Keys of taints are qualified names: an optional DNS subdomain and `/`, then up to 63 letters, digits, `-`, `_` and `.`.

```yaml
tolerations:
- key: "node role"                 # refused
- key: node-role.kubernetes.io/x   # fine
```

What to do: copy the key from the taint of the node (`kubectl describe node`).
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let tolerations = denial::module_spec(subject).map(|spec| &spec.tolerations);
    for (i, toleration) in tolerations.into_iter().flatten().enumerate() {
        let path = subject.spec("tolerations").index(i);

        let reasons = naming::qualified_name(&toleration.key);
        if toleration.key.is_empty() || reasons.is_empty() {
            continue;
        }
        let text = format!(
            "Toleration[{i}] invalid key '{}': {}",
            toleration.key,
            reasons.join("; ")
        );
        denials.deny(&RULE, Turn::new(Step::Tolerations, i, 0), path.field("key"), text);
    }
}
