//! KMM1021: a template variable that does not exist.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::template::Form;
use crate::template::KERNEL_VARIABLES;
use crate::template::MODULE_VARIABLES;
use crate::template::Operator;
use crate::template::Template;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::spelling;

pub(super) const RULE: Rule = Rule {
    code: "KMM1021",
    name: "template-unknown-variable",
    summary: "a template variable that does not exist",
    explanation: "\
A template knows `KERNEL_FULL_VERSION`, `KERNEL_VERSION`, `KERNEL_XYZ`, `KERNEL_X`, `KERNEL_Y`, `KERNEL_Z`, and in
`containerImage` also `MOD_NAME` and `MOD_NAMESPACE`. Any other name is the empty string: nothing is refused, nothing is logged, the
image is just another one. The environment of the operator is not looked at.

```yaml
containerImage: registry.example/driver:${KERNEL_VERSON}    # registry.example/driver:
containerImage: registry.example/driver:$KERNEL_XYZ_v2      # the variable KERNEL_XYZ_v2
containerImage: registry.example/driver:${KERNEL_XYZ}_v2
```

Correct the name; put braces round it where letters, digits or `_` follow. A variable with a default is only noted: it
is always its default.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (path, text, _) in fields::templates(subject) {
        let template = Template::parse(text);
        for found in template.references() {
            // Odd names come from odd templates, which have a rule of their own.
            let odd = !found.name.chars().all(|c| c.is_alphanumeric() || c == '_');
            if odd || known().any(|name| name == found.name) {
                continue;
            }
            let part = Part::Within(found.span.clone());
            if matches!(
                found.form,
                Form::WithDefault(Operator::WhereEmpty | Operator::WhereUnset)
            ) {
                let message = format!(
                    "there is no variable `{}`, so this is always its default",
                    found.name
                );
                findings.push(
                    RULE.finding(path.clone(), message)
                        .as_severity(Severity::Note)
                        .at(part),
                );
                continue;
            }
            let message = format!("there is no variable `{}`, so this is empty", found.name);
            let finding = RULE.finding(path.clone(), message).at(part);
            let prefix = known()
                .filter(|name| found.form == Form::Bare && found.name.starts_with(&format!("{name}_")))
                .max_by_key(|name| name.len());
            let replace = |range, text| {
                [Edit::ReplaceWithin {
                    path: path.clone(),
                    range,
                    text,
                }]
            };
            findings.push(if let Some(name) = prefix {
                let braced = format!("{{{name}}}");
                let range = found.span.start..found.span.start + name.len();
                finding
                    .with_help(format!("put braces round the name: `${braced}`"))
                    .with_suggestion(replace(range, braced))
            } else if let Some(name) = spelling::closest(found.name, known()) {
                let help = format!("write `{name}`");
                finding
                    .with_help(help)
                    .with_suggestion(replace(found.span.clone(), name.to_owned()))
            } else {
                let names = known().collect::<Vec<_>>().join("`, `");
                finding.with_help(format!("use one of `{names}`; a dollar sign is written `$$`"))
            });
        }
    }
}

fn known() -> impl Iterator<Item = &'static str> {
    KERNEL_VARIABLES.iter().chain(MODULE_VARIABLES.iter()).copied()
}
