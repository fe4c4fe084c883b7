//! The value of a toleration has to fit its operator.

use crate::diag::Severity;
use crate::naming;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0206",
    name: "toleration-value",
    summary: "the value of a toleration cannot be that of a taint, or is given with `Exists`",
    explanation: r##"With the operator `Equal` (also when there is none) the value of a toleration is compared with that of the taint, which is a
label value: at most 63 letters, digits, `-`, `_` and `.`, between letters or digits, or nothing. With `Exists` nothing is
compared, so there must be no value.

```yaml
tolerations:
- {key: gpu, operator: Equal, value: "a b"}     # refused
- {key: gpu, operator: Exists, value: "true"}   # refused
```

What to do: copy the value from the taint, or remove it.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let tolerations = denial::module_spec(subject).map(|spec| &spec.tolerations);
    for (i, toleration) in tolerations.into_iter().flatten().enumerate() {
        let path = subject.spec("tolerations").index(i);

        let turn = Turn::new(Step::Tolerations, i, 3);
        match &toleration.operator[..] {
            "Equal" | "" => {
                let reasons = naming::label_value(&toleration.value);
                if reasons.is_empty() {
                    continue;
                }
                let text = format!(
                    "Toleration[{i}] invalid value '{}' for Equal operator {}",
                    toleration.value,
                    reasons.join("; ")
                );
                denials.deny(&RULE, turn, path.field("value"), text);
            }
            "Exists" if !toleration.value.is_empty() => {
                let text = format!("Toleration[{i}] value must be empty when operator is 'Exists'");
                let found = denials.deny(&RULE, turn, path.field("value"), text);
                found.help = Some("remove `value`, or write `operator: Equal`".to_owned());
            }
            _ => {}
        }
    }
}
