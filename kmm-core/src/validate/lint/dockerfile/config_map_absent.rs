//! KMM2001: a build ConfigMap that is not among the files.

use crate::diag::Severity;
use crate::document::Node;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::super::fields;
use super::super::spelling;

pub(super) const RULE: Rule = Rule {
    code: "KMM2001",
    name: "build-configmap-absent",
    summary: "a build ConfigMap that is not among the files",
    explanation: "\
`build.dockerfileConfigMap` names a ConfigMap of the Module's namespace with the Dockerfile under the key `dockerfile`. Where it
is missing, the build is never started: `failed to get dockerfile ConfigMap`. The checked files hold other ConfigMaps
but not this one. It may well be in the cluster, so this is only a note, unless a name is nearly the same, or the
namespace another one.

Add the ConfigMap, or correct the name.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let own = subject
        .node
        .get("metadata")
        .and_then(|node| node.get("namespace"))
        .and_then(Node::as_str);
    let maps = subject.neighbours.config_maps();
    if maps.is_empty() {
        return;
    }
    for build in fields::builds(subject) {
        let Some(name) = build
            .value
            .dockerfile_config_map
            .as_ref()
            .map(|map| map.name.as_str())
        else {
            continue;
        };
        let path = build.path.field("dockerfileConfigMap").field("name");
        let same = subject.neighbours.named("ConfigMap", name);
        if name.is_empty() {
            continue;
        }
        if !same.is_empty() {
            let namespace = |map: &Node| map.get("metadata")?.get("namespace")?.as_str().map(str::to_owned);
            let apart = |map: &&Node| {
                own.is_some() && namespace(map).is_some_and(|there| Some(there.as_str()) != own)
            };
            if same.iter().all(apart) {
                let message = format!(
                    "the ConfigMap `{name}` is in another namespace: only that of the Module is looked at"
                );
                findings.push(
                    RULE.finding(path, message)
                        .with_help("put it into the namespace of the Module"),
                );
            }
            continue;
        }
        let message = format!("no ConfigMap `{name}` is among these files");
        let finding = RULE.finding(path, message);
        findings.push(match spelling::closest(name, maps.iter().copied()) {
            Some(near) => finding.with_help(format!("write `{near}`, if that is meant")),
            None => finding
                .as_severity(Severity::Note)
                .with_help("add it, unless it is in the cluster already"),
        });
    }
}
