//! KMM2002: a build ConfigMap without the key `dockerfile`.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::document::Node;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

use super::references;

pub(super) const RULE: Rule = Rule {
    code: "KMM2002",
    name: "build-configmap-key",
    summary: "a build ConfigMap without the key `dockerfile`",
    explanation: "\
The Dockerfile stands under the key `dockerfile` of `data`, in small letters. Older documents spell it `Dockerfile`.
With any other key the build is never started: `invalid Dockerfile ConfigMap … format, dockerfile key is missing`.

```yaml
data:
  Dockerfile: |
    FROM …
data:
  dockerfile: |
    FROM …
```

Rename the key. For a ConfigMap to which no Module of the files refers, this is only a note.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    if subject.kind != Kind::ConfigMap
        || subject
            .node
            .get("data")
            .and_then(|data| data.get("dockerfile"))
            .is_some()
    {
        return;
    }
    let wanted = !references::builds(subject).is_empty();
    let data = subject.node.get("data");
    let entries = || {
        data.and_then(Node::as_mapping)
            .into_iter()
            .flat_map(|data| data.effective())
    };
    let is_dockerfile = |text: &str| {
        text.lines().any(|line| {
            line.split_whitespace()
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("FROM"))
        })
    };
    let near = entries().find(|entry| {
        entry.key.eq_ignore_ascii_case("dockerfile")
            && entry
                .value
                .as_str()
                .is_some_and(|text| wanted || is_dockerfile(text))
    });
    let severity = if wanted { Severity::Error } else { Severity::Note };
    if let Some(entry) = near {
        let path = FieldPath::of("data").field(entry.key.as_str());
        let key = "dockerfile".to_owned();
        let message = format!("KMM looks for the key `dockerfile`, not for `{}`", entry.key);
        let finding = RULE
            .finding(path.clone(), message)
            .as_severity(severity)
            .at(Part::Key);
        findings.push(
            finding
                .with_help("write `dockerfile`")
                .with_fix([Edit::RenameKey { path, key }]),
        );
    } else if wanted && subject.node.get("spec").is_none() {
        let path = if data.is_some() {
            FieldPath::of("data")
        } else {
            FieldPath::of("metadata.name")
        };
        let finding = RULE.finding(
            path,
            "a Module builds from this ConfigMap, but it has no key `dockerfile`",
        );
        findings.push(finding.with_help("put the Dockerfile under `data`, with the key `dockerfile`"));
    }
}
