//! KMM1043: an entry of the loading order that modprobe cannot find.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM1043",
    name: "loading-order-not-a-name",
    summary: "an entry of the loading order that modprobe cannot find",
    explanation: "\
The entries of `modulesLoadingOrder` become lines `softdep <module> pre: <module>` and arguments of `modprobe -r`. They are names of
modules, without folder and without `.ko`. With any other text the dependency is skipped without a word at loading,
and unloading fails.

```yaml
modulesLoadingOrder: [driver, helper.ko]
modulesLoadingOrder: [driver, helper]
```

Write the names as `lsmod` shows them.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject) else {
        return;
    };
    let list = subject.container("modprobe.modulesLoadingOrder");
    for (index, name) in modprobe.modules_loading_order.iter().flatten().enumerate() {
        // The first entry is the module name, which has a rule of its own.
        if index == 0 && *name == modprobe.module_name {
            continue;
        }
        let Some(fault) = names::fault(name) else {
            continue;
        };
        let path = list.index(index);
        let finding = RULE.finding(
            path.clone(),
            format!("`{name}` {fault}: modprobe does not find it"),
        );
        findings.push(match names::mended(name) {
            Some(mended) => {
                finding
                    .with_help(format!("write `{mended}`"))
                    .with_suggestion([Edit::SetString {
                        path,
                        value: mended.to_owned(),
                    }])
            }
            None => finding.with_help("write the name of one module, as `lsmod` shows it"),
        });
    }
}
