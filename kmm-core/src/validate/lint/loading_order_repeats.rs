//! KMM1044: a module that stands in the loading order twice.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM1044",
    name: "loading-order-repeats",
    summary: "a module that stands in the loading order twice",
    explanation: "\
`-` and `_` are the same in names of modules. Admission refuses two entries that are equal, but not `dep-a` and
`dep_a`: the module then depends on itself, and modprobe ignores the loop as it finds it.

```yaml
modulesLoadingOrder: [driver, dep-a, dep_a]
```

Remove one of them. A first entry that spells `moduleName` otherwise is refused by admission.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let order = fields::modprobe(subject).and_then(|modprobe| modprobe.modules_loading_order.as_ref());
    let Some(order) = order else {
        return;
    };
    let folded: Vec<String> = order
        .iter()
        .map(|name| names::folded(names::mended(name).unwrap_or(name)))
        .collect();
    for (index, name) in folded.iter().enumerate() {
        let Some(first) = folded[..index].iter().position(|earlier| earlier == name) else {
            continue;
        };
        let path = subject.container("modprobe.modulesLoadingOrder").index(index);
        let message = format!("this is the same module as `{}` at [{first}]", order[first]);
        let finding = RULE.finding(path.clone(), message).with_help("remove it");
        // With fewer than two entries the list is refused.
        findings.push(if order.len() > 2 {
            finding.with_suggestion([Edit::Remove { path }])
        } else {
            finding
        });
    }
}
