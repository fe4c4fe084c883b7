//! KMM3005: the module has no parameter of this name.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::modprobe::fold_name;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3005",
        name: "parameter-unknown",
        summary: "the module has no parameter of this name",
        explanation: "\
Parameters are passed to `modprobe` after the name of the module. The kernel loads a module in spite of a parameter that
it does not have: it writes `unknown parameter … ignored` into its log, and the setting has no effect.

```yaml
modprobe:
  moduleName: acme_nic
  parameters: [debug=1]      # `modinfo acme_nic` shows `parm: debug`
```

Write a name that the module has. The message lists them.
",
        severity: Severity::Warning,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let asked = context.asked();
    let module = asked.modules.first().and_then(|name| context.module(name));
    let Some((module, object)) = module.and_then(|module| Some((module, module.object()?))) else {
        return;
    };
    let known: Vec<String> = object
        .info
        .parameters()
        .into_iter()
        .map(|known| known.name)
        .collect();
    let unknown: Vec<&str> = asked
        .parameters
        .iter()
        .map(|given| given.split('=').next().unwrap_or(given))
        // The loader's own, and those of the tracing of every module.
        .filter(|name| !matches!(*name, "dyndbg" | "async_probe") && !name.is_empty())
        .filter(|name| !known.iter().any(|known| fold_name(known) == fold_name(name)))
        .collect();
    if unknown.is_empty() {
        return;
    }
    let finding = RULE.finding(&module.path, format!("it has no parameter {}", few(&unknown)));
    findings.push(if known.is_empty() {
        finding.with_help("it has no parameters at all")
    } else {
        finding.with_help(format!("it has {}", few(&known)))
    });
}
