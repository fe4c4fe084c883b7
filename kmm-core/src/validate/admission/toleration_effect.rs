//! The effect of a toleration has to be one of three.

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
    code: "KMM0208",
    name: "toleration-effect",
    summary: "the effect of a toleration is none of the three there are",
    explanation: r##"Taints have one of three effects: `NoSchedule`, `PreferNoSchedule` and `NoExecute`. A toleration names one of them, or none
to tolerate all three. Upper and lower case matter.

```yaml
tolerations:
- {key: gpu, operator: Exists, effect: Noschedule}   # refused
- {key: gpu, operator: Exists, effect: NoSchedule}
```

What to do: write one of the three, or remove `effect`.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

const ALLOWED: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let tolerations = denial::module_spec(subject).map(|spec| &spec.tolerations);
    for (i, toleration) in tolerations.into_iter().flatten().enumerate() {
        let path = subject.spec("tolerations").index(i);

        if toleration.effect.is_empty() || ALLOWED.contains(&&toleration.effect[..]) {
            continue;
        }
        let text = format!(
            "Toleration[{i}] invalid effect '{}', allowed values are ['NoSchedule', 'PreferNoSchedule', 'NoExecute']",
            toleration.effect
        );
        let found = denials.deny(
            &RULE,
            Turn::new(Step::Tolerations, i, 5),
            path.field("effect"),
            text,
        );

        let near = ALLOWED
            .iter()
            .find(|allowed| allowed.eq_ignore_ascii_case(toleration.effect.trim()));
        if let Some(near) = near {
            found.help = Some(format!("write `{near}`"));
            found.fix = Some(Fix {
                edits: vec![Edit::SetString {
                    path: path.field("effect"),
                    value: (*near).to_owned(),
                }],
                safe: true,
            });
        }
    }
}
