//! `tolerationSeconds` needs the effect `NoExecute`.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0205",
    name: "toleration-seconds",
    summary: "`tolerationSeconds` with another effect than `NoExecute`",
    explanation: r##"`tolerationSeconds` says how long a pod stays on a node after a taint with the effect `NoExecute` appears. No other effect
removes pods, so it means nothing with them, nor without an effect.

```yaml
tolerations:
- key: example.com/maintenance
  operator: Exists
  tolerationSeconds: 60       # refused
  effect: NoExecute           # with this, fine
```

What to do: write `effect: NoExecute`, or remove `tolerationSeconds`.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let tolerations = denial::module_spec(subject).map(|spec| &spec.tolerations);
    for (i, toleration) in tolerations.into_iter().flatten().enumerate() {
        let path = subject.spec("tolerations").index(i);

        if toleration.toleration_seconds.is_some() && toleration.effect != "NoExecute" {
            let text = format!("Toleration[{i}] effect must be 'NoExecute' when tolerationSeconds is set");
            let turn = Turn::new(Step::Tolerations, i, 2);
            let found = denials.deny(&RULE, turn, path.field("tolerationSeconds"), text);
            found.help = Some("write `effect: NoExecute`, or remove `tolerationSeconds`".to_owned());
        }
    }
}
