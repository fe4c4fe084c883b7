//! KMM1061: a tag of the builder image that is none.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1061",
    name: "kaniko-tag",
    summary: "a tag of the builder image that is none",
    explanation: "\
`kanikoParams.tag` is put behind the name of the operator's builder image. That name is cut at its first `:` or `@`,
so with a builder from a registry with a port (`registry.example:5000/kaniko`) nothing but the host is left of it.
The setting does not reach the pods that sign.

```yaml
kanikoParams:
  tag: gcr.io/kaniko-project/executor:v1.23.2
  tag: v1.23.2
```

Write a tag, not an image. Where the builder comes from a registry with a port, leave it out.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for build in fields::builds(subject) {
        let tag = build
            .value
            .kaniko_params
            .as_ref()
            .map_or("", |params| params.tag.as_str());
        let path = build.path.field("kanikoParams").field("tag");
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let legal =
            tag.starts_with(word) && tag.len() <= 128 && tag.chars().all(|c| word(c) || c == '.' || c == '-');
        if tag.is_empty() {
            continue;
        }
        if !legal {
            let finding = RULE.finding(path, format!("`{tag}` is no tag of an image"));
            findings.push(finding.with_help("write the tag only, such as `v1.23.2`"));
        } else {
            let message = "a builder image from a registry with a port loses its name by this";
            let finding = RULE.finding(path, message).as_severity(Severity::Note);
            findings.push(
                finding.with_help("leave it out where the operator's builder image has a registry port"),
            );
        }
    }
}
