//! KMM1051: a `firmwarePath` that does not lead to the firmware.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::paths;

pub(super) const RULE: Rule = Rule {
    code: "KMM1051",
    name: "firmware-path",
    summary: "a `firmwarePath` that does not lead to the firmware",
    explanation: "\
What stands in `firmwarePath` of the image is copied onto each node, and removed from there when the module goes. The
path is put into a script without quotes, and everything below it counts: `/` or `/lib` would copy much more than
firmware, and files of the node that have the same name would be overwritten and then removed.

```yaml
firmwarePath: firmware/       # depends on the working folder of the image
firmwarePath: /firmware
```

Give the firmware a folder of its own in the image, and write its absolute path.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(modprobe) = fields::modprobe(subject).filter(|modprobe| !modprobe.firmware_path.is_empty())
    else {
        return;
    };
    let firmware = modprobe.firmware_path.as_str();
    let path = subject.container("modprobe.firmwarePath");
    let plain = firmware.trim_end_matches('/');
    let finding = if let Some(fault) = paths::fault(firmware) {
        let finding = RULE.finding(path, format!("`{firmware}` {fault}"));
        finding.with_help("write the absolute path of a folder of the image, such as `/firmware`")
    } else if matches!(
        plain,
        "" | "/lib" | "/usr" | "/usr/lib" | "/opt" | "/etc" | "/var"
    ) {
        let message =
            format!("all that is in `{firmware}` of the image is copied into the nodes' firmware folder");
        let finding = RULE.finding(path, message).as_severity(Severity::Warning);
        finding.with_help("give the firmware a folder of its own in the image")
    } else if matches!(plain, "/lib/firmware" | "/usr/lib/firmware") {
        let message =
            "this takes the firmware of the image's distribution along, and removes it from the nodes later";
        let finding = RULE.finding(path, message).as_severity(Severity::Note);
        finding.with_help("give your firmware a folder of its own, unless the image holds no other")
    } else if !firmware.starts_with('/') {
        let right = format!("/{}", plain.trim_start_matches("./"));
        RULE.finding(
            path.clone(),
            format!("`{firmware}` depends on the working folder of the image"),
        )
        .as_severity(Severity::Warning)
        .with_help(format!("write `{right}`"))
        .with_suggestion([Edit::SetString { path, value: right }])
    } else {
        return;
    };
    findings.push(finding);
}
