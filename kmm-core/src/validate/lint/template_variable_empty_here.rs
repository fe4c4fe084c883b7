//! KMM1022: a template variable that is empty in this field.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::template::Form;
use crate::template::MODULE_VARIABLES;
use crate::template::Template;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::fields::Scope;

pub(super) const RULE: Rule = Rule {
    code: "KMM1022",
    name: "template-variable-empty-here",
    summary: "a template variable that is empty in this field",
    explanation: "\
`MOD_NAME` and `MOD_NAMESPACE` are known in `containerImage` only. In `sign.unsignedImage` and `sign.filesToSign` they
are the empty string, so an image or a file of another name is looked for, and the sign build fails.

```yaml
sign:
  unsignedImage: registry.example/${MOD_NAME}:v1     # registry.example/:v1
  unsignedImage: registry.example/my-driver:v1
```

Write the name out.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (path, text, scope) in fields::templates(subject) {
        if scope == Scope::Image {
            continue;
        }
        let template = Template::parse(text);
        for found in template
            .references()
            .filter(|found| MODULE_VARIABLES.contains(&found.name))
        {
            let message = format!("`{}` is empty here: only `containerImage` knows it", found.name);
            let finding = RULE
                .finding(path.clone(), message)
                .at(Part::Within(found.span.clone()));
            let metadata = subject.module.map(|module| &module.metadata);
            let value = metadata.map(|metadata| match found.name {
                "MOD_NAME" => metadata.name.as_str(),
                _ => metadata.namespace.as_str(),
            });
            let value = value.filter(|value| !value.is_empty() && template.is_simple());
            findings.push(match value {
                Some(value) if matches!(found.form, Form::Bare | Form::Braced) => {
                    let edit = Edit::ReplaceWithin {
                        path: path.clone(),
                        range: found.piece.clone(),
                        text: value.to_owned(),
                    };
                    finding
                        .with_help(format!("write `{value}`"))
                        .with_suggestion([edit])
                }
                Some(_) | None => finding.with_help("write the name out"),
            });
        }
    }
}
