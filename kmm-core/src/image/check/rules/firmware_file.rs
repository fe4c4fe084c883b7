//! KMM3051: firmware that a module names is not in `firmwarePath`.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::go_text::join_path;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::count;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3051",
        name: "firmware-missing",
        summary: "firmware that a module names is not in `firmwarePath`",
        explanation: "\
A module names the files that it asks the kernel for (`modinfo -F firmware`). With `firmwarePath` set they are meant to come
with the image. One that is not there may still be on the node, or be for a device that nobody has, so this is a warning.
The kernel also takes files that end in `.xz` and `.zst`.

```console,ignore
$ kmm modinfo -F firmware nic.ko
acme/nic-2.bin
```

Put `acme/nic-2.bin` below `firmwarePath`.
",
        severity: Severity::Warning,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let base = context.subject.modprobe.firmware_path.as_str();
    let folder = context.tree.find(base).ok().flatten();
    if base.is_empty() || folder.is_none() {
        return;
    }
    for (module, object) in context.objects().filter(|(module, _)| module.needed) {
        let names: Vec<String> = object.info.values("firmware").map(Into::into).collect();
        let missing: Vec<&String> = names
            .iter()
            .filter(|name| !is_there(context, base, name))
            .collect();
        if missing.is_empty() {
            continue;
        }
        let message = format!(
            "{} of {} that it names: {} is not in `{base}`",
            missing.len(),
            count(names.len(), "firmware file"),
            few(&missing)
        );
        findings.push(RULE.finding(&module.path, message));
    }
}

fn is_there(context: &Context<'_>, base: &str, name: &str) -> bool {
    ["", ".xz", ".zst"].iter().any(|end| {
        let path = join_path(&["/", base, &format!("{name}{end}")]);
        context.tree.find(&path).is_ok_and(|found| found.is_some())
    })
}
