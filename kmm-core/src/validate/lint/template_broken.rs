//! KMM1020: a template that cannot be expanded.

use crate::diag::Severity;
use crate::template::Template;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1020",
    name: "template-broken",
    summary: "a template that cannot be expanded",
    explanation: "\
A `${` needs its `}` before the end of the line. Where it is missing, resolving the Module fails for every kernel that
comes to this template: `closing brace expected`. One kind is worse: after a lone `_` inside of `${…}` the Go
operator never comes back, and with it stops the handling of every other Module.

```yaml
containerImage: registry.example/driver:${KERNEL_FULL_VERSION
containerImage: registry.example/driver:${KERNEL_FULL_VERSION}
```

Close the brace. A dollar sign that is meant as such is written `$$`.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (path, text, _) in fields::templates(subject) {
        if let Some(error) = Template::parse(text).error() {
            let finding = RULE.finding(path, format!("this template cannot be expanded: {error}"));
            findings.push(finding.with_help("write variables as `${NAME}`, and a dollar sign as `$$`"));
        }
    }
}
