//! KMM3050: `firmwarePath` is not in the image.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::go_text::join_path;
use crate::image::FileKind;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3050",
        name: "firmware-folder-missing",
        summary: "`firmwarePath` is not in the image",
        explanation: "\
The worker copies all that is in `firmwarePath` to the firmware folder of the node, before it loads the module. Where the
image has no such folder, or nothing is in it, the copy fails, and the module is not loaded.

```dockerfile
COPY firmware/ /firmware/
```

Put the files there, or leave `firmwarePath` out.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let path = context.subject.modprobe.firmware_path.as_str();
    if path.is_empty() {
        return;
    }
    let path = join_path(&["/", path]);
    let message = match context.tree.find(&path) {
        Err(error) => error.to_string(),
        Ok(None) => "there is no such folder".to_owned(),
        Ok(Some(found)) if found.kind() != FileKind::Directory => "it is no folder".to_owned(),
        Ok(Some(found))
            if found
                .children()
                .iter()
                .all(|child| child.name().starts_with(b".")) =>
        {
            "there is nothing in it".to_owned()
        }
        Ok(Some(_)) => return,
    };
    let finding = RULE.finding(path, message);
    findings.push(finding.with_help("put the firmware there, or leave `firmwarePath` out"));
}
