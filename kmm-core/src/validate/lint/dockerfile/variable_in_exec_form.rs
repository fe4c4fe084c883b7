//! KMM2014: a variable in the exec form of `RUN`.

use crate::build::dockerfile::Form;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM2014",
    name: "variable-in-exec-form",
    summary: "a variable in the exec form of `RUN`",
    explanation: r#"`RUN ["make", "KVER=${KERNEL_VERSION}"]` starts the program without a shell, so nothing expands the variable: make is
given these very characters.

```dockerfile
RUN ["make", "KVER=${KERNEL_VERSION}"]
RUN make KVER=${KERNEL_VERSION}
```

Use the shell form.
"#,
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    for found in file
        .uses
        .iter()
        .filter(|found| matches!(found.form, Form::Bare | Form::Braced))
    {
        let argument = names::DEFAULT_ARGUMENTS.contains(&found.name.as_str())
            || file
                .arguments
                .iter()
                .any(|argument| argument.name.text == found.name);
        let exec = file
            .instructions
            .get(found.instruction)
            .is_some_and(|instruction| {
                let shell = instruction
                    .text
                    .split(',')
                    .next()
                    .is_some_and(|first| first.contains("sh\""));
                instruction.keyword == "RUN" && instruction.exec && !shell
            });
        if argument && exec {
            let finding = RULE.finding(
                subject.facts.dockerfile_path(),
                format!("nothing expands `{}` in the exec form", found.name),
            );
            let finding = finding.at(Part::Within(found.span.clone()));
            findings.push(finding.with_help("use the shell form: `RUN` without brackets, commas and quotes"));
        }
    }
}
