//! KMM1042: a module parameter that is set twice.

use std::collections::HashSet;

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM1042",
    name: "parameter-twice",
    summary: "a module parameter that is set twice",
    explanation: "\
The kernel takes the parameters one after the other; of two with the same key the last one counts. Some modules
collect values instead, so this is only a note. `-` and `_` in keys are the same.

```yaml
parameters: [max_dev=5, max-dev=8]
```

Keep the one that is meant.
",
    severity: Severity::Note,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject) else {
        return;
    };
    let key =
        |parameter: &str| names::folded(parameter.split_once('=').map_or(parameter, |(key, _)| key).trim());
    let keys: Vec<String> = modprobe
        .parameters
        .iter()
        .map(|parameter| key(parameter))
        .collect();
    let mut seen = HashSet::new();
    for (index, name) in keys.iter().enumerate() {
        if !name.is_empty() && !seen.insert(name) {
            let path = subject.container("modprobe.parameters").index(index);
            let finding = RULE.finding(
                path,
                format!("`{name}` is set further up already; as a rule the last one counts"),
            );
            findings.push(finding.with_help("keep the one that is meant"));
        }
    }
}
