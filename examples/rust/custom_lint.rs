//! A rule of one's own beside those of the library: every Module names the team that looks after it.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use kmm_core::diag::Diagnostic;
use kmm_core::diag::Severity;
use kmm_core::document::Limits;
use kmm_core::document::read;
use kmm_core::path::FieldPath;
use kmm_core::validate::Cluster;
use kmm_core::validate::Facts;
use kmm_core::validate::Kind;
use kmm_core::validate::Neighbours;
use kmm_core::validate::Rule;
use kmm_core::validate::Subject;
use kmm_core::validate::check_with;

const TEAM_LABEL: Rule = Rule {
    code: "ACME0001",
    name: "team-label",
    summary: "a Module without the label `team`",
    explanation: "Every Module names the team that looks after it, so that alerts find somebody.",
    severity: Severity::Warning,
    check: |subject, findings| {
        let label = FieldPath::of("metadata.labels.team");
        if subject.kind == Kind::Module && subject.node.at(&label).is_none() {
            let found = TEAM_LABEL.finding(
                FieldPath::of("metadata"),
                "no label says which team looks after it",
            );
            findings.push(found.with_help("add the label `team`"));
        }
    },
};

const MANIFEST: &str = "
apiVersion: kmm.sigs.x-k8s.io/v1beta1
kind: Module
metadata:
  name: acme-nic
  namespace: drivers
spec:
  selector: {}
";

fn findings(text: &str) -> Vec<Diagnostic> {
    let stream = read(text, &Limits::default());
    let objects = stream.objects().filter(|object| object.kind == "Module");
    objects
        .flat_map(|object| {
            let subject = Subject {
                kind: Kind::Module,
                node: object.node,
                module: None,
                old: None,
                neighbours: Neighbours::none(),
                cluster: &Cluster::default(),
                facts: Facts::none(),
            };
            check_with(&subject, &[TEAM_LABEL])
        })
        .collect()
}

fn main() {
    for found in findings(MANIFEST) {
        println!("{found}");
    }
}

#[test]
fn the_rule_finds_what_it_looks_for() {
    assert_eq!(findings(MANIFEST)[0].code, "ACME0001");
    let labelled = MANIFEST.replace("metadata:\n", "metadata:\n  labels: {team: network}\n");
    assert!(findings(&labelled).is_empty());
}
