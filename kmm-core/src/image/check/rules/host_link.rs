//! KMM3031: a link in the folder does not lead to the modules of the node.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::go_text::join_path;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3031",
        name: "host-link",
        summary: "a link in the folder does not lead to the modules of the node",
        explanation: "\
Only the folder of the kernel is copied out of the image, with its links as links. A link that leads out of it leads into
the file system of the worker, where nothing of the image is but that folder, and of the node only `/lib/modules`. A link
to another kernel's folder, to `/usr/lib/modules`, or to another place of the image leads nowhere there.

```dockerfile
RUN ln -s /lib/modules/${KERNEL_FULL_VERSION} /opt/lib/modules/${KERNEL_FULL_VERSION}/host
```

Write the link as here. `build` and `source`, which `modprobe` does not look at, may lead anywhere.
",
        severity: Severity::Warning,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let kernel = context.subject.kernel.matched();
    let right = format!("/lib/modules/{kernel}");
    for link in &context.links {
        if matches!(link.relative.as_str(), "build" | "source") {
            continue;
        }
        let target = join_path(&[link.target.as_str()]);
        if target == right || target.starts_with(&format!("{right}/")) {
            continue;
        }
        let message = match target.strip_prefix("/lib/modules/") {
            Some(other) => format!(
                "it leads to the modules of kernel `{}`",
                other.split('/').next().unwrap_or(other)
            ),
            None if target.starts_with("/usr/lib/modules") => {
                format!("it leads to `{target}`, where the worker has nothing of the node")
            }
            None => format!("it leads to `{target}`, which is not copied with the folder"),
        };
        let finding = RULE.finding(&link.path, message);
        findings.push(finding.with_help(format!("for the modules of the node, write a link to `{right}`")));
    }
}
