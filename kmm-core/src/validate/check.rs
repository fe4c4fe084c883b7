//! Running rules on an object.

use std::cmp::Ordering;

use crate::diag::Diagnostic;
use crate::diag::Severity;
use crate::document::Node;
use crate::document::Value;
use crate::path::FieldPath;
use crate::path::Segment;

use super::Findings;
use super::Rule;
use super::Subject;
use super::admission;
use super::lint;

/// Everything that admission and the lints find, in the order in which it stands in the document.
///
/// One fault is one finding: where admission refuses a value and a lint says why it is wrong, the finding of admission
/// stays and takes the lint's help and fix.
///
/// # Example: check a Module
///
/// ```
/// use kmm_core::api::Module;
/// use kmm_core::document::Node;
/// use kmm_core::validate::{self, Cluster, Facts, Kind, Neighbours, Subject};
///
/// let json = serde_json::json!({"metadata": {"name": "nic", "namespace": "net"}, "spec": {
///     "selector": {},
///     "moduleLoader": {"container": {
///         "modprobe": {"moduleName": "nic.ko", "dirName": "/opt"},
///         "kernelMappings": [{"regexp": "^.+$", "containerImage": "registry.example/nic:${KERNEL_VERSON}"}],
///     }},
/// }});
/// let (node, module) = (Node::from(&json), serde_json::from_value::<Module>(json).unwrap());
/// let facts = Facts::of(Kind::Module, &node, Some(&module));
/// let found = validate::check(&Subject {
///     kind: Kind::Module,
///     node: &node,
///     module: Some(&module),
///     old: None,
///     neighbours: Neighbours::none(),
///     cluster: &Cluster::default(),
///     facts: &facts,
/// });
/// let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
/// assert!(texts.iter().any(|text| text.contains("there is no variable `KERNEL_VERSON`")), "{texts:?}");
/// assert!(texts.iter().any(|text| text.contains("`nic.ko` is the name of a file")), "{texts:?}");
/// ```
pub fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    in_order(subject.node, merged(find(subject)))
}

/// What every rule finds, as it comes.
pub(super) fn find(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    let rules = admission::rules()
        .iter()
        .chain(&lint::MODULE)
        .chain(&lint::DOCKERFILE);
    rules.for_each(|rule| (rule.check)(subject, &mut findings));
    findings.into_vec()
}

/// What `rules` find, in the order in which it stands in the document.
///
/// # Example: a rule of one's own
///
/// ```
/// use kmm_core::diag::Severity;
/// use kmm_core::document::Node;
/// use kmm_core::path::FieldPath;
/// use kmm_core::validate::{Cluster, Facts, Kind, Neighbours, Rule, Subject, check_with};
///
/// const TEAM: Rule = Rule {
///     code: "ACME0001",
///     name: "team-label",
///     summary: "a Module without the label `team`",
///     explanation: "Every Module names the team that looks after it.",
///     severity: Severity::Warning,
///     check: |subject, findings| {
///         let path = FieldPath::of("metadata.labels.team");
///         if subject.node.at(&path).is_none() {
///             findings.push(TEAM.finding(FieldPath::of("metadata"), "this Module has no label `team`"));
///         }
///     },
/// };
///
/// let node: Node = serde_json::from_str(r#"{"metadata": {"name": "nic"}}"#).unwrap();
/// let found = check_with(&Subject {
///     kind: Kind::Module,
///     node: &node,
///     module: None,
///     old: None,
///     neighbours: Neighbours::none(),
///     cluster: &Cluster::default(),
///     facts: Facts::none(),
/// }, &[TEAM]);
/// assert_eq!(found[0].to_string(), "warning[ACME0001]: metadata: this Module has no label `team`");
/// ```
pub fn check_with(subject: &Subject<'_>, rules: &[Rule]) -> Vec<Diagnostic> {
    let mut findings = Findings::default();
    rules.iter().for_each(|rule| (rule.check)(subject, &mut findings));
    in_order(subject.node, merged(findings.into_vec()))
}

/// Findings of one object, of admission and of lints each; what is found after that is left out. An object with more of
/// them is hostile, or made by a program.
const MOST_FINDINGS: usize = 1_000;

/// Takes lints away that say what a finding of the schema or of admission says already, and what is said twice; what stays
/// takes the lint's help and fix.
pub fn merged(found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let (mut kept, lints): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.admission);
    kept.truncate(MOST_FINDINGS);
    let lints = lints.into_iter().take(MOST_FINDINGS);
    for lint in lints {
        let same = kept
            .iter()
            .position(|refused| refused.path == lint.path && is_same(refused.code, lint.code));
        if let Some(refused) = same.and_then(|index| kept.get_mut(index)) {
            refused.help = lint.help.or_else(|| refused.help.take());
            refused.fix = refused.fix.take().or(lint.fix);
        } else if !kept.contains(&lint) {
            kept.push(lint);
        }
    }
    // A mapping that matches nothing is of no use wherever it stands.
    let never: Vec<FieldPath> = kept
        .iter()
        .filter(|found| matches!(found.code, "KMM1001" | "KMM1002") && found.severity == Severity::Error)
        .map(|found| found.path.clone())
        .collect();
    kept.retain(|found| found.code != "KMM1003" || !never.contains(&found.path));
    kept
}

/// Whether the rule `refused` of schema or webhook and the lint see the same fault.
fn is_same(refused: &str, lint: &str) -> bool {
    match lint {
        "KMM1010" | "KMM1012" => refused == "KMM0214",
        "KMM1043" | "KMM1044" => refused == "KMM0219",
        "KMM1070" | "KMM1072" | "KMM2004" => refused.starts_with("KMM01"),
        _ => false,
    }
}

/// Sorts by where the values stand in the document, then by code.
pub(super) fn in_order(root: &Node, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by(|a, b| {
        let places = place(root, &a.path).cmp(&place(root, &b.path));
        let within = || start(a).cmp(&start(b));
        places
            .then_with(within)
            .then_with(|| a.code.cmp(b.code))
            .then(Ordering::Equal)
    });
    found
}

fn start(found: &Diagnostic) -> usize {
    match &found.part {
        crate::diag::Part::Within(range) => range.start,
        crate::diag::Part::Value | crate::diag::Part::Key | crate::diag::Part::Source(_) => 0,
    }
}

/// The places of the steps of a path among their siblings; what is not there comes last.
fn place(root: &Node, path: &FieldPath) -> Vec<usize> {
    let mut node = Some(root);
    let step = |segment: &Segment| {
        let here = node?;
        let (index, next) = match (segment, &here.value) {
            (Segment::Index(index), Value::Sequence(items)) => (*index, items.get(*index)),
            (Segment::Field(name), Value::Mapping(mapping)) => {
                let index = mapping.entries.iter().rposition(|entry| entry.key == *name)?;
                (index, mapping.entries.get(index).map(|entry| &entry.value))
            }
            _ => return None,
        };
        node = next;
        Some(index)
    };
    path.segments()
        .iter()
        .map(step)
        .map(|index| index.unwrap_or(usize::MAX))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_matches_nothing_is_not_called_shadowed_too() {
        let at = |code, index| {
            let path = FieldPath::of("spec.moduleLoader.container.kernelMappings")
                .index(index)
                .field("literal");
            Diagnostic::new(code, Severity::Error, path, "x")
        };
        let found = merged(vec![at("KMM1001", 1), at("KMM1003", 1), at("KMM1003", 2)]);
        assert_eq!(found, [at("KMM1001", 1), at("KMM1003", 2)]);
    }
}
