//! A toleration without a key needs the operator `Exists`.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0204",
    name: "toleration-empty-key",
    summary: "a toleration without a key has another operator than `Exists`",
    explanation: r##"A toleration without a key tolerates every taint, and says so with `operator: Exists`. `Equal`, which is also what an absent
operator means, compares a value, and there is nothing to compare without a key.

```yaml
tolerations:
- effect: NoSchedule      # refused: the operator is Equal
- operator: Exists        # fine: every taint
  effect: NoSchedule
```

What to do: name the key, or write `operator: Exists`.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let tolerations = denial::module_spec(subject).map(|spec| &spec.tolerations);
    for (i, toleration) in tolerations.into_iter().flatten().enumerate() {
        let path = subject.spec("tolerations").index(i);

        if toleration.key.is_empty() && toleration.operator != "Exists" {
            let text = format!("Toleration[{i}] operator must be 'Exists' when key is empty");
            let field = if toleration.operator.is_empty() {
                path
            } else {
                path.field("operator")
            };
            let found = denials.deny(&RULE, Turn::new(Step::Tolerations, i, 1), field, text);
            found.help =
                Some("name the `key`, or write `operator: Exists` to tolerate every taint".to_owned());
        }
    }
}
