//! KMM1040: a module name that modprobe cannot find.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM1040",
    name: "module-name-not-a-name",
    summary: "a module name that modprobe cannot find",
    explanation: "\
`moduleName` is what `modprobe` is given: the name of the module, not of its file. `modprobe driver.ko` and
`modprobe extra/driver` end with `Module … not found`, on every node.

```yaml
modprobe:
  moduleName: extra/my-driver.ko
  moduleName: my-driver
```

Leave folder and ending away. `-` and `_` are the same to modprobe.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject) else {
        return;
    };
    let name = modprobe.module_name.as_str();
    let Some(fault) = names::fault(name).filter(|_| !name.is_empty()) else {
        return;
    };
    let path = subject.container("modprobe.moduleName");
    let finding = RULE.finding(
        path.clone(),
        format!("`{name}` {fault}: modprobe does not find it"),
    );
    findings.push(match names::mended(name) {
        Some(mended) => {
            let mut edits = vec![Edit::SetString {
                path,
                value: mended.to_owned(),
            }];
            // The first entry of the loading order has to be the same name.
            let first = modprobe.modules_loading_order.iter().flatten().next();
            if first.is_some_and(|first| first == name) {
                let path = subject.container("modprobe.modulesLoadingOrder").index(0);
                edits.push(Edit::SetString {
                    path,
                    value: mended.to_owned(),
                });
            }
            finding
                .with_help(format!("write `{mended}`"))
                .with_suggestion(edits)
        }
        None => finding.with_help("write the name of one module, as `lsmod` shows it"),
    });
}
