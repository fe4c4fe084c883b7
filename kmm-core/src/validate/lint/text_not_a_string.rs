//! KMM1072: a text that YAML reads as a number or a truth value.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::document::Node;
use crate::document::Value;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM1072",
    name: "text-not-a-string",
    summary: "a text that YAML reads as a number or a truth value",
    explanation: r#"YAML reads `5.10` as the number 5.1, `1e3` as 1000 and `no` as false. The fields of a Module that hold versions, names
and values are strings; the API server refuses anything else. In templates that are filled by other tools the number
may have lost digits before.

```yaml
- literal: 5.10
- literal: "5.10"
version: 1.0
version: "1.0"
```

Put quotes round the value.
"#,
    severity: Severity::Error,
    check,
};

const STRINGS: [&str; 19] = [
    "containerImage",
    "dirName",
    "driverName",
    "firmwarePath",
    "image",
    "imagePullPolicy",
    "inTreeModuleToRemove",
    "kernelVersion",
    "literal",
    "moduleName",
    "name",
    "namespace",
    "regexp",
    "serviceAccountName",
    "spokeNamespace",
    "tag",
    "unsignedImage",
    "value",
    "version",
];

const LISTS: [&str; 7] = [
    "args",
    "command",
    "filesToSign",
    "inTreeModulesToRemove",
    "load",
    "modulesLoadingOrder",
    "parameters",
];

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    if !matches!(subject.kind, crate::validate::Kind::ConfigMap) {
        for field in ["metadata", "spec"] {
            if let Some(node) = subject.node.get(field) {
                look(&FieldPath::root().field(field), node, findings, 0);
            }
        }
    }
}

fn look(path: &FieldPath, node: &Node, findings: &mut Findings, depth: usize) {
    // No Module is nested deeper; what volumes and resources hold is not ours.
    if depth > 12 {
        return;
    }
    match &node.value {
        Value::Mapping(mapping) => {
            for entry in mapping.effective() {
                let path = path.field(entry.key.as_str());
                match entry.key.as_str() {
                    "volumes" | "resources" | "deviceClasses" | "annotations" | "selector" => {}
                    "labels" => look_at_all(&path, &entry.value, findings),
                    key if STRINGS.contains(&key) => found(path, &entry.value, findings),
                    key if LISTS.contains(&key) && entry.value.as_sequence().is_some() => {
                        for (index, item) in entry.value.as_sequence().unwrap_or_default().iter().enumerate()
                        {
                            found(path.index(index), item, findings);
                        }
                    }
                    _ => look(&path, &entry.value, findings, depth + 1),
                }
            }
        }
        Value::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                look(&path.index(index), item, findings, depth + 1);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn look_at_all(path: &FieldPath, node: &Node, findings: &mut Findings) {
    for entry in node
        .as_mapping()
        .into_iter()
        .flat_map(|mapping| mapping.effective())
    {
        found(path.field(entry.key.as_str()), &entry.value, findings);
    }
}

fn found(path: FieldPath, node: &Node, findings: &mut Findings) {
    let what = match &node.value {
        Value::Bool(value) => format!("the truth value `{value}`"),
        Value::Number(value) => format!("the number {value}"),
        Value::Null | Value::String(_) | Value::Sequence(_) | Value::Mapping(_) => return,
    };
    let finding = RULE.finding(
        path.clone(),
        format!("this reads as {what}, but the field is a string"),
    );
    findings.push(
        finding
            .with_help("put quotes round it")
            .with_fix([Edit::QuoteScalar { path }]),
    );
}
