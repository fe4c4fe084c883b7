//! KMM1090: two objects of one kind, name and namespace.

use crate::diag::Severity;
use crate::document::Node;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

pub(super) const RULE: Rule = Rule {
    code: "KMM1090",
    name: "object-twice",
    summary: "two objects of one kind, name and namespace",
    explanation: "\
`kubectl apply` goes through the documents in order: of two objects with the same kind, name and namespace the second
replaces the first, and for a moment the cluster has the first.

Give one of them another name, or remove it.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(own) = identity(subject.node) else {
        return;
    };
    let (kind, _, name, _) = own;
    let same = |other: &&Node| !std::ptr::eq(*other, subject.node) && identity(other) == Some(own);
    if subject.neighbours.named(kind, name).iter().any(same) {
        let path = FieldPath::of("metadata.name");
        let message = format!("another {} in these files has this name", own.0);
        findings.push(
            RULE.finding(path, message)
                .with_help("give one of them another name, or remove it"),
        );
    }
}

fn identity(node: &Node) -> Option<(&str, &str, &str, &str)> {
    let metadata = node.get("metadata")?;
    let group = node.get("apiVersion").and_then(Node::as_str).unwrap_or_default();
    let group = group.split_once('/').map_or("", |(group, _)| group);
    Some((
        node.get("kind")?.as_str()?,
        group,
        metadata.get("name")?.as_str()?,
        metadata
            .get("namespace")
            .and_then(Node::as_str)
            .unwrap_or_default(),
    ))
}
