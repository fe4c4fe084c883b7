//! KMM1023: a template that is not read as it looks.

use crate::diag::Part;
use crate::diag::Severity;
use crate::template::Template;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1023",
    name: "template-not-simple",
    summary: "a template that is not read as it looks",
    explanation: "\
Templates look like those of a shell and are not. `$NAME`, `${NAME}`, `${NAME:-text}` and `$$` do what one expects.
Everything else has results of its own: a default ends at the first `}`, so that `${A:-${B}}` is a default `${B` and
a `}`; `${A%x}`, `${A/x/y}` and `${A:0:2}` are just `$A`; `${ A }` is empty.

```yaml
containerImage: registry.example/driver:${TAG:-${KERNEL_XYZ}}
containerImage: registry.example/driver:${KERNEL_XYZ}
```

Keep to the four forms. `kmm template` shows what a template becomes.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (path, text, _) in fields::templates(subject) {
        let template = Template::parse(text);
        if template.error().is_some() {
            continue;
        }
        if let Some(range) = template.first_not_simple() {
            let written = text.get(range.clone()).unwrap_or_default();
            let message = format!("`{written}` is not read as a shell would read it");
            let finding = RULE.finding(path, message).at(Part::Within(range));
            findings.push(
                finding.with_help("use `$NAME`, `${NAME}`, `${NAME:-text}`, and `$$` for a dollar sign"),
            );
        }
    }
}
