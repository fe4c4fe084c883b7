//! The operator of a toleration has to be one of two.

use crate::diag::Edit;
use crate::diag::Fix;
use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0207",
    name: "toleration-operator",
    summary: "the operator of a toleration is neither `Equal` nor `Exists`",
    explanation: r##"Tolerations know two operators: `Equal` compares key and value, `Exists` the key alone. Upper and lower case matter, and the
operators of selectors (`In`, `NotIn`, ...) do not work here.

```yaml
tolerations:
- {key: gpu, operator: exists}   # refused
- {key: gpu, operator: Exists}
```

What to do: write `Equal` or `Exists`.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

const ALLOWED: [&str; 2] = ["Equal", "Exists"];

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let tolerations = denial::module_spec(subject).map(|spec| &spec.tolerations);
    for (i, toleration) in tolerations.into_iter().flatten().enumerate() {
        let path = subject.spec("tolerations").index(i);

        if toleration.operator.is_empty() || ALLOWED.contains(&&toleration.operator[..]) {
            continue;
        }
        let text = format!(
            "Toleration[{i}] invalid operator '{}', allowed values are ['Equal', 'Exists']",
            toleration.operator
        );
        let found = denials.deny(
            &RULE,
            Turn::new(Step::Tolerations, i, 4),
            path.field("operator"),
            text,
        );

        let near = ALLOWED
            .iter()
            .find(|allowed| allowed.eq_ignore_ascii_case(toleration.operator.trim()));
        if let Some(near) = near {
            found.help = Some(format!("write `{near}`"));
            found.fix = Some(Fix {
                edits: vec![Edit::SetString {
                    path: path.field("operator"),
                    value: (*near).to_owned(),
                }],
                safe: true,
            });
        }
    }
}
