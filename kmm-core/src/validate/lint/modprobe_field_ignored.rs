//! KMM1046: a modprobe setting that `rawArgs` makes useless.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1046",
    name: "modprobe-field-ignored",
    summary: "a modprobe setting that `rawArgs` makes useless",
    explanation: r#"With `rawArgs` the worker runs `modprobe` with exactly these arguments and nothing else. `args`, `parameters` and
`modulesLoadingOrder` are accepted beside it and have no effect.

```yaml
modprobe:
  rawArgs: {load: ["-vd", /tmp/opt, driver], unload: ["-rvd", /tmp/opt, driver]}
  parameters: [debug=1]            # not passed on
```

Write what is meant into `rawArgs`, or use `moduleName` with these fields and no `rawArgs`.
"#,
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject).filter(|modprobe| modprobe.raw_args.is_some()) else {
        return;
    };
    let ignored = [
        ("args", modprobe.args.is_some()),
        ("parameters", !modprobe.parameters.is_empty()),
        ("modulesLoadingOrder", modprobe.modules_loading_order.is_some()),
    ];
    for (field, set) in ignored {
        if set {
            let path = subject.container("modprobe").field(field);
            let finding = RULE.finding(path.clone(), "this has no effect beside `rawArgs`");
            let finding = finding.with_help("write it into `rawArgs`, or remove it");
            findings.push(finding.with_fix([Edit::Remove { path }]));
        }
    }
}
