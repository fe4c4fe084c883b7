//! KMM2010: a build argument used in a stage that does not declare it.

use std::collections::HashSet;

use crate::build::dockerfile::Form;
use crate::build::dockerfile::Visibility;
use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::names;
use super::references;

pub(super) const RULE: Rule = Rule {
    code: "KMM2010",
    name: "argument-not-declared",
    summary: "a build argument used in a stage that does not declare it",
    explanation: "\
An `ARG` is seen in its own stage only, below its line. Every `FROM` starts anew; an `ARG` above the first `FROM` is
seen by `FROM` lines only. Where it is not declared the variable is empty: `/opt/lib/modules/${KERNEL_VERSION}/` becomes
`/opt/lib/modules//`, the build succeeds, and the worker finds no folder for its kernel.

```dockerfile
FROM registry.example/dtk AS builder
ARG KERNEL_VERSION
RUN make KVER=${KERNEL_VERSION}

FROM registry.example/ubi-minimal
ARG KERNEL_VERSION                  # without this line it is empty below
COPY --from=builder /src/*.ko /opt/lib/modules/${KERNEL_VERSION}/
```

Repeat the `ARG` in each stage. Reported for the arguments that KMM or the Module passes, and for those that the
Dockerfile declares elsewhere.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    let passed: HashSet<String> = references::builds(subject)
        .into_iter()
        .flat_map(|build| build.arguments)
        .collect();
    let mut seen = HashSet::new();
    for found in &file.uses {
        let Some(instruction) = file.instructions.get(found.instruction) else {
            continue;
        };
        // At run time there are no build arguments, and `ARG` may well be without a value.
        let built = !matches!(
            instruction.keyword.as_str(),
            "CMD" | "ENTRYPOINT" | "HEALTHCHECK" | "ARG"
        );
        let plain = matches!(found.form, Form::Bare | Form::Braced | Form::Spaced);
        let argument = names::DEFAULT_ARGUMENTS.contains(&found.name.as_str())
            || passed.contains(&found.name)
            || file
                .arguments
                .iter()
                .any(|argument| argument.name.text == found.name);
        let visibility = file.visibility(found);
        let hidden = matches!(visibility, Visibility::Undeclared | Visibility::Later);
        if !built || !plain || !argument || !hidden || instruction.exec && instruction.keyword == "RUN" {
            continue;
        }
        if !seen.insert((
            found.name.as_str(),
            instruction.stage,
            instruction.keyword == "FROM",
        )) {
            continue;
        }
        let path = subject.facts.dockerfile_path();
        let name = &found.name;
        let finding = RULE.finding(
            path.clone(),
            match visibility {
                Visibility::Later => format!("`{name}` is declared further down, so it is empty here"),
                _ => format!("this stage does not declare `{name}`, so it is empty"),
            },
        );
        let finding = finding.at(Part::Within(found.span.clone()));
        let stage = instruction.stage.and_then(|stage| file.stages.get(stage));
        let from = stage.and_then(|stage| file.instructions.get(stage.instruction));
        findings.push(match from {
            Some(from) if instruction.keyword != "FROM" => {
                let end = from.span.end;
                let edit = Edit::ReplaceWithin {
                    path,
                    range: end..end,
                    text: format!("\nARG {name}"),
                };
                finding
                    .with_help(format!("write `ARG {name}` below the `FROM` of this stage"))
                    .with_fix([edit])
            }
            Some(_) | None => finding.with_help(format!("write `ARG {name}` above the first `FROM`")),
        });
    }
}
