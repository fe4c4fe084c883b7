//! KMM2012: a variable with a blank after its dollar sign.

use crate::build::dockerfile::Form;
use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM2012",
    name: "variable-torn",
    summary: "a variable with a blank after its dollar sign",
    explanation: "\
`$ {KERNEL_VERSION}` is no variable: it is a dollar sign, a blank and a word in braces. In `COPY` it makes another
source and another destination of what was one path. It comes from a line that was broken when it was copied.

```dockerfile
COPY --from=builder /src/*.ko /opt/lib/modules/$ {KERNEL_VERSION}/
COPY --from=builder /src/*.ko /opt/lib/modules/${KERNEL_VERSION}/
```

Remove the blank.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let uses = subject.facts.dockerfile().into_iter().flat_map(|file| &file.uses);
    for found in uses.filter(|found| found.form == Form::Spaced) {
        let path = subject.facts.dockerfile_path();
        let text = format!("${{{}}}", found.name);
        let finding = RULE.finding(path.clone(), "a blank after the `$` makes this no variable");
        let finding = finding
            .at(Part::Within(found.span.clone()))
            .with_help(format!("write `{text}`"));
        findings.push(finding.with_fix([Edit::ReplaceWithin {
            path,
            range: found.span.clone(),
            text,
        }]));
    }
}
