//! KMM1048: raw arguments with the folder of the image, not of the worker.

use crate::api::ModprobeArgs;
use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1048",
    name: "raw-args-folder",
    summary: "raw arguments with the folder of the image, not of the worker",
    explanation: r#"The worker finds the modules below `/tmp`: what is `/opt/lib/modules/<kernel>` in the image is
`/tmp/opt/lib/modules/<kernel>` there. With `moduleName` KMM adds that itself; in `rawArgs` it is written out. With
`-d /opt` modprobe finds nothing. Without `-d` it takes the modules of the node, which may well be meant.

```yaml
rawArgs:
  load: ["-vd", "/opt", "driver"]
  load: ["-vd", "/tmp/opt", "driver"]
```

Write `/tmp` before the folder.
"#,
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject) else {
        return;
    };
    let Some(ModprobeArgs { load, unload }) = &modprobe.raw_args else {
        return;
    };
    for (action, list) in [("load", load), ("unload", unload)] {
        let path = subject.container("modprobe.rawArgs").field(action);
        match folder(list) {
            Some((index, folder, prefix)) if !(folder == "/tmp" || folder.starts_with("/tmp/")) => {
                let right = format!("/tmp/{}", folder.trim_start_matches('/'));
                let message =
                    format!("the worker has no `{folder}`: the files of the image are below `/tmp`");
                let value = format!("{prefix}{right}");
                let edit = Edit::SetString {
                    path: path.index(index),
                    value,
                };
                let finding = RULE.finding(path.index(index), message);
                findings.push(
                    finding
                        .with_help(format!("write `{right}`"))
                        .with_suggestion([edit]),
                );
            }
            Some(_) => {}
            None if list.is_empty() || action == "unload" || list.iter().any(|word| word.contains(' ')) => {}
            None => {
                let message = "without `-d` modprobe looks at the modules of the node, not of the image";
                let finding = RULE.finding(path, message).as_severity(Severity::Note);
                let folder = fields::dir_name(subject);
                findings.push(
                    finding.with_help(format!("add `-d` and `/tmp{folder}`, if the image's are meant")),
                );
            }
        }
    }
}

/// The value of `-d`: in which entry, the folder, and what stands before it in that entry.
fn folder(list: &[String]) -> Option<(usize, &str, &str)> {
    for (index, word) in list.iter().enumerate() {
        if word == "--" {
            return None;
        }
        if word == "--dirname" {
            return list.get(index + 1).map(|folder| (index + 1, folder.as_str(), ""));
        }
        if let Some(folder) = word.strip_prefix("--dirname=") {
            return Some((index, folder, "--dirname="));
        }
        let Some(options) = word.strip_prefix('-').filter(|options| !options.starts_with('-')) else {
            continue;
        };
        // `-C` and `-S` take a value of their own.
        match options.find(['d', 'C', 'S']) {
            Some(at) if options[at..].starts_with('d') => {
                let end = at + 2;
                return if end < word.len() {
                    Some((index, &word[end..], &word[..end]))
                } else {
                    list.get(index + 1).map(|folder| (index + 1, folder.as_str(), ""))
                };
            }
            Some(_) | None => {}
        }
    }
    None
}
