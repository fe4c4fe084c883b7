//! KMM1050: a `dirName` that does not lead to the modules.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::paths;

pub(super) const RULE: Rule = Rule {
    code: "KMM1050",
    name: "dir-name",
    summary: "a `dirName` that does not lead to the modules",
    explanation: "\
`dirName` is the folder of the image that holds `lib/modules/<kernel>`. A script copies
`<dirName>/lib/modules/<kernel>` to `/tmp/<dirName>/lib/modules`, and `modprobe -d /tmp/<dirName>` looks there.
The name is joined and cleaned as a path and put into the script without quotes, so:

- `../x` leaves `/tmp`: modprobe is sent to `/x`;
- `/opt/` makes admission refuse every entry of `filesToSign`, for they do not start with `/opt//`;
- `opt` depends on the working folder of the image;
- `/opt/lib/modules` looks for `/opt/lib/modules/lib/modules`;
- blanks and signs of the shell break the script.

```yaml
dirName: /opt/lib/modules
dirName: /opt
```

Write an absolute folder without `..` and without a slash at its end. The default is `/opt`.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject) else {
        return;
    };
    let name = modprobe.dir_name.as_str();
    let path = subject.container("modprobe.dirName");
    let fix = |value: &str| {
        let value = value.to_owned();
        [Edit::SetString {
            path: subject.container("modprobe.dirName"),
            value,
        }]
    };
    if name.is_empty() || name == "/" {
        return;
    }
    if let Some(fault) = paths::fault(name) {
        let finding = RULE.finding(path, format!("`{name}` {fault}"));
        findings.push(finding.with_help("write an absolute folder without `..`, such as `/opt`"));
    } else if let Some(base) = name.trim_end_matches('/').strip_suffix("/lib/modules") {
        let base = if base.is_empty() { "/" } else { base };
        let message = format!(
            "modules are looked for in `{}/lib/modules/<kernel>`",
            name.trim_end_matches('/')
        );
        let finding = RULE.finding(path, message).as_severity(Severity::Warning);
        findings.push(finding.with_help(format!("write `{base}`, if they are in `{base}/lib/modules`")));
    } else if !name.starts_with('/') {
        let finding = RULE.finding(
            path,
            format!("`{name}` depends on the working folder of the image"),
        );
        let right = format!("/{}", name.trim_start_matches("./").trim_end_matches('/'));
        let finding = finding
            .as_severity(Severity::Warning)
            .with_help(format!("write `{right}`"));
        findings.push(finding.with_suggestion(fix(&right)));
    } else if name.ends_with('/') {
        let right = name.trim_end_matches('/');
        let finding = RULE.finding(
            path,
            "with a slash at its end, no entry of `filesToSign` can be below it",
        );
        let severity = if fields::signs(subject).is_empty() {
            Severity::Note
        } else {
            Severity::Error
        };
        let finding = finding
            .as_severity(severity)
            .with_help(format!("write `{right}`"));
        findings.push(finding.with_suggestion(fix(right)));
    }
}
