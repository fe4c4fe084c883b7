//! A module name, or the whole command line.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0218",
    name: "modprobe-args",
    summary: "`moduleName` together with `rawArgs`, or neither of them complete",
    explanation: r##"There are two ways to say what modprobe is to do. With `moduleName`, the operator builds the command line, from `args`,
`parameters` and `dirName` too. With `rawArgs`, the manifest has the whole command line, for loading and for unloading, and
there is no `moduleName`.

```yaml
modprobe:
  moduleName: nic
  rawArgs:                     # refused: one of the two ways
    load: ["-d", "/opt", "nic"]
    unload: ["-r", "-d", "/opt", "nic"]
```

What to do: choose one. Additional options belong in `args`, parameters of the module in `parameters`.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(modprobe) = denial::container(subject).map(|container| &container.modprobe) else {
        return;
    };
    let raw = modprobe.raw_args.as_ref();
    let loads = raw.is_some_and(|raw| !raw.load.is_empty());
    let unloads = raw.is_some_and(|raw| !raw.unload.is_empty());
    let turn = Turn::new(Step::Modprobe, 0, 0);
    if modprobe.module_name.is_empty() {
        if !loads || !unloads {
            let text = "load and unload rawArgs must be set when moduleName is unset";
            let found = denials.deny(&RULE, turn, subject.container("modprobe"), text);
            found.help = Some("add `moduleName`".to_owned());
        }
    } else if loads || unloads {
        let text = "rawArgs cannot be set when moduleName is set";
        let found = denials.deny(&RULE, turn, subject.container("modprobe.rawArgs"), text);
        found.help =
            Some("use `args` and `parameters` beside `moduleName`, or remove `moduleName`".to_owned());
    }
}
