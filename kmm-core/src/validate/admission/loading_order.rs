//! A loading order begins with the module and names each once.

use crate::diag::Severity;
use crate::go_text::quote;
use crate::validate::Rule;
use crate::validate::Subject;
use std::collections::BTreeSet;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0219",
    name: "loading-order",
    summary: "`modulesLoadingOrder` is too short, has duplicates, or does not begin with the module",
    explanation: r##"`modulesLoadingOrder` tells modprobe of dependencies that the modules themselves do not state. The first is `moduleName`, and
each needs the one behind it, so the last is loaded first. One alone says nothing, and none may come twice. An empty list
counts as given.

```yaml
modprobe:
  moduleName: nic
  modulesLoadingOrder: [nic-core, nic]   # refused: the first is to be nic
  modulesLoadingOrder: [nic, nic-core]   # nic-core is loaded first
```

What to do: begin with `moduleName`, then what it needs.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(modprobe) = denial::container(subject).map(|container| &container.modprobe) else {
        return;
    };
    let Some(order) = &modprobe.modules_loading_order else {
        return;
    };
    let turn = |check| Turn::new(Step::Modprobe, 1, check);
    let path = || subject.container("modprobe.modulesLoadingOrder");
    if order.len() < 2 {
        let text = "if a loading order is defined, at least two values must be defined";
        denials.deny(&RULE, turn(0), path(), text).help =
            Some("remove it, or name what the module needs".to_owned());
    }
    if modprobe.module_name.is_empty() {
        let text = "if a loading order is defined, moduleName must be set";
        denials.deny(&RULE, turn(1), path(), text);
    } else if order.first().is_some_and(|first| *first != modprobe.module_name) {
        let text = "if a loading order is defined, the first element must be moduleName";
        let found = denials.deny(&RULE, turn(2), path().index(0), text);
        found.help = Some(format!("begin with `{}`", modprobe.module_name));
    }
    let mut seen = BTreeSet::new();
    for (i, name) in order.iter().enumerate() {
        if !seen.insert(name) {
            let text = format!("{}: duplicate value in the loading order list", quote(name));
            denials.deny(&RULE, turn(3 + i), path().index(i), text);
        }
    }
}
