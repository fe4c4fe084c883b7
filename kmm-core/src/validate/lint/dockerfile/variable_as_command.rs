//! KMM2013: a build argument in parentheses instead of braces.

use crate::build::dockerfile::Form;
use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::names;

pub(super) const RULE: Rule = Rule {
    code: "KMM2013",
    name: "variable-as-command",
    summary: "a build argument in parentheses instead of braces",
    explanation: "\
`$(KERNEL_VERSION)` is the output of a command of that name; there is none, so it is empty. Make writes its variables
like that, Dockerfiles and shells write `${KERNEL_VERSION}`.

```dockerfile
RUN make KVER=$(KERNEL_VERSION)
RUN make KVER=${KERNEL_VERSION}
```

Use braces. Within single quotes, for make to see, it is right.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(file) = subject.facts.dockerfile() else {
        return;
    };
    for found in file.uses.iter().filter(|found| found.form == Form::Parenthesised) {
        let argument = names::DEFAULT_ARGUMENTS.contains(&found.name.as_str())
            || file
                .arguments
                .iter()
                .any(|argument| argument.name.text == found.name);
        if argument {
            let path = subject.facts.dockerfile_path();
            let text = format!("${{{}}}", found.name);
            let finding = RULE.finding(path.clone(), format!("this runs a command `{}`", found.name));
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
}
