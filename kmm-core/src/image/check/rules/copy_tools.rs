//! KMM3070: the image lacks `sh`, `mkdir` or `cp`, which the Go operator runs in it.

use crate::diag::RuleText;
use crate::diag::Severity;
use crate::go_text::join_path;
use crate::image::FileKind;

use super::super::context::Context;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3070",
        name: "copy-tools",
        summary: "the image lacks `sh`, `mkdir` or `cp`, which the Go operator runs in it",
        explanation: "\
The Go operator starts the image as an init container with `/bin/sh -c`, and copies the modules with `mkdir` and `cp`. An
image from `scratch`, or a distroless one, has none of them: the pod ends with `no such file or directory`. An operator that
unpacks the image itself does not need them, so this is a note.

```dockerfile
FROM alpine
COPY --from=builder /src/nic.ko /opt/lib/modules/${KERNEL_FULL_VERSION}/
```

Use a base image that has a shell, such as Alpine, or BusyBox.
",
        severity: Severity::Note,
    },
    check,
};

const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn check(context: &Context<'_>, findings: &mut Findings) {
    let search = context.image.search_path.as_deref().unwrap_or(SEARCH_PATH);
    let mut missing: Vec<&str> = Vec::new();
    if !is_program(context, "/bin/sh") {
        missing.push("/bin/sh");
    }
    for name in ["mkdir", "cp"] {
        let mut folders = search.split(':');
        if !folders.any(|folder| is_program(context, &join_path(&[folder, name]))) {
            missing.push(name);
        }
    }
    if !missing.is_empty() {
        let finding = RULE.finding("/", format!("the image has no {}", few(&missing)));
        findings
            .push(finding.with_help(
                "the Go operator copies the modules with them: use a base image that has a shell",
            ));
    }
}

fn is_program(context: &Context<'_>, path: &str) -> bool {
    let found = context.tree.find(path).ok().flatten();
    found.is_some_and(|file| file.kind() == FileKind::File && file.mode() & 0o111 != 0)
}
