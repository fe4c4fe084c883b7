//! KMM3021: `modules.dep` does not list a module.

use crate::diag::RuleText;
use crate::diag::Severity;

use super::super::context::Context;
use super::super::context::Listed;
use super::super::finding::Findings;
use super::super::finding::Rule;
use super::super::finding::count;
use super::super::finding::few;

pub(super) const RULE: Rule = Rule {
    text: RuleText {
        code: "KMM3021",
        name: "modules-dep-incomplete",
        summary: "`modules.dep` does not list a module",
        explanation: "\
`modprobe` looks for a module in `modules.dep`, not among the files. One that was copied into the image after `depmod` ran
is not in it: `modprobe: FATAL: Module … not found`.

```dockerfile
COPY extra.ko /opt/lib/modules/${KERNEL_FULL_VERSION}/
RUN depmod -b /opt ${KERNEL_FULL_VERSION}     # after the last COPY
```

Run `depmod` after the last module was put into the folder.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let lines = match &context.listed {
        None => return,
        Some(Listed::Unread(reason)) => {
            let path = context.index_path();
            let finding = RULE.finding(path, format!("not looked at: {reason}"));
            findings.push(finding.with_severity(Severity::Note).in_doubt());
            return;
        }
        Some(Listed::Text(lines)) => lines,
    };
    let Ok(expected) = &context.expected else {
        return;
    };
    let (mut needed, mut others) = (Vec::new(), Vec::new());
    for module in &context.modules {
        if expected.contains_key(&module.relative) && !lines.contains_key(&module.relative) {
            if module.needed { &mut needed } else { &mut others }.push(module.relative.as_str());
        }
    }
    for (names, is_needed) in [(needed, true), (others, false)] {
        if names.is_empty() {
            continue;
        }
        let message = format!(
            "it does not list {}: {}",
            count(names.len(), "module"),
            few(&names)
        );
        let finding = RULE.finding(context.index_path(), message);
        let (base, kernel) = (&context.base, context.subject.kernel.matched());
        let help = format!("run `depmod -b {base} {kernel}` after the last module was copied");
        findings.push(finding.with_help(help).if_needed(is_needed));
    }
}
