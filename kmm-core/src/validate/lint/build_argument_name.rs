//! KMM1065: a build argument that is set twice, or whose name no `ARG` can have.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1065",
    name: "build-argument-name",
    summary: "a build argument that is set twice, or whose name no `ARG` can have",
    explanation: "\
A build argument reaches the `ARG` of its name. A name with a blank, a `=` or a `-` reaches none. In one list the last
value of a name counts for some builders and the first for others.

```yaml
buildArgs:
  - {name: my-arg, value: a}
  - {name: MY_ARG, value: a}
```

Use letters, digits and `_`, and set each name once. A mapping may set a name of the container again: it replaces it.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for build in fields::builds(subject) {
        let list = build.path.field("buildArgs");
        for (index, argument) in build.value.build_args.iter().enumerate() {
            let name = argument.name.as_str();
            let path = list.index(index).field("name");
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if name.is_empty() || !plain || name.starts_with(|c: char| c.is_ascii_digit()) {
                let finding = RULE.finding(path, format!("no `ARG` can have the name `{name}`"));
                findings.push(finding.with_help("use letters, digits and `_`"));
            } else if build.value.build_args[..index]
                .iter()
                .any(|earlier| earlier.name == name)
            {
                let finding = RULE.finding(path, format!("`{name}` is set further up already"));
                findings.push(finding.with_help("set it once"));
            }
        }
    }
}
