//! KMM1070: a selector value that YAML reads as something else than a string.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::document::Value;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM1070",
    name: "selector-value-not-a-string",
    summary: "a selector value that YAML reads as something else than a string",
    explanation: r#"Labels are strings. YAML reads `true`, `yes`, `5`, `1.10` and nothing at all as other things, and the API server
refuses the object.

```yaml
selector:
  kmm-ci: true
  kmm-ci: "true"
```

Put quotes round the value.
"#,
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for path in super::selectors(subject) {
        let Some(selector) = subject.node.at(&path).and_then(|node| node.as_mapping()) else {
            continue;
        };
        for entry in selector.effective() {
            let path: FieldPath = path.field(entry.key.as_str());
            let (what, written) = match &entry.value.value {
                Value::Bool(value) => ("a truth value", value.to_string()),
                Value::Number(value) => ("a number", value.to_string()),
                Value::Null => {
                    let finding = RULE.finding(path.clone(), "this value is nothing, not the empty string");
                    let edit = Edit::SetString {
                        path,
                        value: String::new(),
                    };
                    findings.push(finding.with_help("write `\"\"`").with_fix([edit]));
                    continue;
                }
                Value::Sequence(_) | Value::Mapping(_) => {
                    let finding = RULE.finding(path, "the value of a label is a string");
                    findings.push(
                        finding.with_help("write one string; a node has to have every label of the selector"),
                    );
                    continue;
                }
                Value::String(_) => continue,
            };
            let finding = RULE.finding(
                path.clone(),
                format!("`{written}` is {what}, but the value of a label is a string"),
            );
            findings.push(
                finding
                    .with_help("put quotes round it")
                    .with_fix([Edit::QuoteScalar { path }]),
            );
        }
    }
}
