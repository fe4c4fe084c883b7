//! KMM2021: a `depmod` for another folder than `dirName`.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::references;

pub(super) const RULE: Rule = Rule {
    code: "KMM2021",
    name: "depmod-other-base",
    summary: "a `depmod` for another folder than `dirName`",
    explanation: "\
On the node `modprobe -d` is given `dirName` of the Module, and needs `<dirName>/lib/modules/<kernel>/modules.dep`. A
`depmod` without `-b`, or with another folder, writes that file elsewhere.

```dockerfile
RUN depmod ${KERNEL_FULL_VERSION}               # writes to /lib/modules
RUN depmod -b /opt ${KERNEL_FULL_VERSION}       # for dirName: /opt
```

Give `-b` the value of `dirName`. Where no Module of the files refers to this Dockerfile, `/opt` is taken and this is only
a note.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    let folders = references::folders(subject);
    let shell = |text: &str| text.contains(['$', '`']);
    // A tree that is copied elsewhere afterwards cannot be judged; the last stage can.
    let last = file.last_stage();
    for depmod in &file.depmods {
        let instruction = file.instructions.get(depmod.instruction);
        if instruction.and_then(|instruction| instruction.stage) != last {
            continue;
        }
        let base = depmod.base.as_ref().map_or("/", |base| base.text.as_str());
        let plain = |text: &str| format!("/{}", text.trim_matches('/'));
        if shell(base) || folders.names.iter().any(|folder| plain(folder) == plain(base)) {
            continue;
        }
        // The files may be moved, or be linked to.
        let moved = instruction.is_some_and(|instruction| {
            folders
                .names
                .iter()
                .any(|folder| plain(folder) != "/" && instruction.text.contains(plain(folder).as_str()))
        });
        let severity = if folders.known && !moved {
            Severity::Warning
        } else {
            Severity::Note
        };
        let wanted = folders.names.first().map_or("/opt", String::as_str);
        let path = subject.facts.dockerfile_path();
        let finding = RULE.finding(
            path.clone(),
            format!("this writes to `{base}`, but `dirName` is `{wanted}`"),
        );
        let finding = finding
            .as_severity(severity)
            .with_help(format!("write `depmod -b {wanted}`"));
        let one = folders.names.len() == 1 && folders.known;
        findings.push(match &depmod.base {
            Some(base) => {
                let range = base.span.clone();
                let finding = finding.at(Part::Within(range.clone()));
                let exec = instruction.is_some_and(|instruction| instruction.exec);
                let text = wanted.to_owned();
                if one && !exec {
                    finding.with_fix([Edit::ReplaceWithin { path, range, text }])
                } else {
                    finding
                }
            }
            None => finding.at(Part::Within(depmod.span.clone())),
        });
    }
}
