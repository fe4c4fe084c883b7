//! KMM2025: a stage name that is nearly that of another stage.

use crate::build::dockerfile::Base;
use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::spelling;

pub(super) const RULE: Rule = Rule {
    code: "KMM2025",
    name: "stage-misspelt",
    summary: "a stage name that is nearly that of another stage",
    explanation: "\
`FROM` and `COPY --from=` take the name of an earlier stage or, where there is none, of an image. A misspelt stage is
looked for in a registry.

```dockerfile
FROM registry.example/dtk AS builder
FROM registry.example/ubi
COPY --from=bulder /src/driver.ko /opt/lib/modules/${KERNEL_VERSION}/
```

Correct the name.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    let names = |before: usize| {
        file.stages
            .iter()
            .take(before)
            .filter_map(|stage| stage.name.as_deref())
    };
    let bases = file.stages.iter().enumerate();
    let bases = bases
        .filter(|(_, stage)| matches!(stage.base, Base::Image(_)))
        .map(|(index, stage)| (index, &stage.from));
    let copies = file
        .copies
        .iter()
        .filter_map(|copy| Some((copy.stage?, copy.from.as_ref()?)));
    for (before, word) in bases.chain(copies) {
        let image =
            word.text.contains(['/', ':', '@', '.', '$']) || word.text.bytes().all(|b| b.is_ascii_digit());
        if image || names(before).any(|name| name.eq_ignore_ascii_case(&word.text)) {
            continue;
        }
        let Some(near) = spelling::closest(&word.text, names(before)) else {
            continue;
        };
        let path = subject.facts.dockerfile_path();
        let finding = RULE.finding(
            path.clone(),
            format!("there is no stage `{}`, so this is an image", word.text),
        );
        let finding = finding
            .at(Part::Within(word.span.clone()))
            .with_help(format!("write `{near}`"));
        let range = word.span.clone();
        findings.push(finding.with_fix([Edit::ReplaceWithin {
            path,
            range,
            text: near.to_owned(),
        }]));
    }
}
