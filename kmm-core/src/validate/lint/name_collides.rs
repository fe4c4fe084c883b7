//! KMM1091: a Module name that collides with names that KMM makes.

use crate::diag::Severity;
use crate::document::Node;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1091",
    name: "name-collides",
    summary: "a Module name that collides with names that KMM makes",
    explanation: "\
A preflight check of the Module `x` makes objects called `x-preflight`. A Module of that name in the same namespace
shares its image states and build pods with them. And the labels of ordered upgrades are split at dots: a Module with a
dot in its name and a `version` is taken for one of another name and namespace.

Give the Module a name without dots that does not end in `-preflight`.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(module) = subject.module else {
        return;
    };
    let (name, namespace) = (module.metadata.name.as_str(), module.metadata.namespace.as_str());
    let path = FieldPath::of("metadata.name");
    let versioned = fields::container(subject).is_some_and(|container| !container.version.is_empty());
    if name.contains('.') && versioned {
        let message = "with `version`, a name with dots is taken for one of another namespace";
        findings.push(
            RULE.finding(path.clone(), message)
                .with_help("use a name without dots"),
        );
    }
    if let Some(base) = name.strip_suffix("-preflight") {
        let there = subject.neighbours.named("Module", base).iter().any(|other| {
            let there = other
                .get("metadata")
                .and_then(|metadata| metadata.get("namespace"));
            there.and_then(Node::as_str).unwrap_or_default() == namespace
        });
        let severity = if there { Severity::Warning } else { Severity::Note };
        let message = format!("a preflight check of a Module `{base}` uses this name");
        findings.push(
            RULE.finding(path, message)
                .as_severity(severity)
                .with_help("use another name"),
        );
    }
}
