//! KMM3022: `modules.dep` is not what `depmod` would write.

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
        code: "KMM3022",
        name: "modules-dep-stale",
        summary: "`modules.dep` is not what `depmod` would write",
        explanation: "\
`modules.dep` says which modules each one needs. Where it was made from other files than those that are there, `modprobe`
looks for files that do not exist, or loads a module without what it needs: `Unknown symbol`.

kmod reads `modules.dep.bin`, BusyBox `modules.dep`: both must say the same. The lines of the image are compared with those
that follow from the symbols of its modules. Lines of modules of the node's kernel, behind a link such as `host`, are not.

```dockerfile
RUN depmod -b /opt ${KERNEL_FULL_VERSION}
```

Run `depmod` after the last change of the folder. Modules that need each other have no index at all: one must be changed.
",
        severity: Severity::Error,
    },
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings) {
    let path = context.index_path();
    let expected = match &context.expected {
        Ok(expected) => expected,
        Err(error) => {
            findings.push(RULE.finding(&path, error.to_string()));
            return;
        }
    };
    let Some(Listed::Text(lines)) = &context.listed else {
        return;
    };
    let (base, kernel) = (&context.base, context.subject.kernel.matched());
    let help = format!("run `depmod -b {base} {kernel}` after the last change of the folder");
    let absolute = |listed: &&String| listed.starts_with('/');
    let gone: Vec<&String> = lines
        .keys()
        .filter(|listed| !absolute(listed) && !context.is_outside(listed) && !expected.contains_key(*listed))
        .filter(|listed| !context.modules.iter().any(|module| module.relative == **listed))
        .collect();
    if !gone.is_empty() {
        let message = format!(
            "it lists {} that are not there: {}",
            count(gone.len(), "file"),
            few(&gone)
        );
        findings.push(
            RULE.finding(&path, message)
                .with_severity(Severity::Warning)
                .with_help(&help),
        );
    }
    if let Some(text) = context.text.as_ref().filter(|text| *text != lines) {
        let paths = text
            .keys()
            .chain(lines.keys().filter(|path| !text.contains_key(*path)));
        let differ: Vec<&String> = paths.filter(|path| text.get(*path) != lines.get(*path)).collect();
        let message = format!("`modules.dep` says something else of {}", few(&differ));
        let finding = RULE.finding(&path, message).with_severity(Severity::Warning);
        findings.push(finding.with_help(&help));
    }
    for module in &context.modules {
        let (Some(should), Some(is)) = (expected.get(&module.relative), lines.get(&module.relative)) else {
            continue;
        };
        let missing: Vec<&String> = should.iter().filter(|needed| !is.contains(needed)).collect();
        if !missing.is_empty() {
            let message = format!(
                "its line for `{}` lacks {}, whose symbols it uses",
                module.relative,
                few(&missing)
            );
            findings.push(
                RULE.finding(&path, message)
                    .with_help(&help)
                    .if_needed(module.needed),
            );
        }
    }
}
