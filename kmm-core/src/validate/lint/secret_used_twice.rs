//! KMM1062: a Secret that one build or sign pod would mount twice.

use crate::api::LocalObjectReference;
use crate::diag::Edit;
use crate::diag::Severity;
use crate::path::FieldPath;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1062",
    name: "secret-used-twice",
    summary: "a Secret that one build or sign pod would mount twice",
    explanation: "\
Each Secret of a build or sign pod becomes a volume that is named after it. The same Secret twice (in
`build.secrets`, there and as `imageRepoSecret`, or as key and certificate) gives two volumes of one name; the API server
refuses the pod, and nothing is built.

```yaml
imageRepoSecret: {name: registry}
…
build:
  secrets: [{name: registry}]        # the builder has it already, as its registry login
```

Name each Secret once. For key and certificate use two Secrets, with the data keys `key` and `cert`.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let repo = subject
        .module
        .and_then(|module| module.spec.image_repo_secret.as_ref());
    let repo = repo.map_or("", |secret| secret.name.as_str());
    let builds = fields::builds(subject);
    let common = builds.iter().find(|build| build.mapping.is_none());
    for build in &builds {
        let secrets = &build.value.secrets;
        for (index, LocalObjectReference { name }) in secrets
            .iter()
            .enumerate()
            .filter(|(_, secret)| !secret.name.is_empty())
        {
            let same = |secret: &LocalObjectReference| secret.name == *name;
            let above =
                build.mapping.is_some() && common.is_some_and(|common| common.value.secrets.iter().any(same));
            let other = if secrets[..index].iter().any(same) {
                "in this list"
            } else if above {
                "in the container's list"
            } else if name == repo {
                "as `imageRepoSecret`"
            } else {
                continue;
            };
            let path = build.path.field("secrets").index(index);
            let message = format!("`{name}` stands {other} already: the pod would mount it twice");
            let finding = RULE
                .finding(path.field("name"), message)
                .with_help("remove it here");
            findings.push(finding.with_fix([Edit::Remove { path }]));
        }
    }
    for sign in fields::signs(subject) {
        let name = |secret: &Option<LocalObjectReference>| {
            secret
                .as_ref()
                .map_or(String::new(), |secret| secret.name.clone())
        };
        let (key, cert) = (name(&sign.value.key_secret), name(&sign.value.cert_secret));
        let at = |field: &str| -> FieldPath { sign.path.field(field).field("name") };
        if !cert.is_empty() && cert == key {
            let message = format!("`{cert}` is the `keySecret` too: the pod would mount it twice");
            let finding = RULE.finding(at("certSecret"), message);
            findings.push(finding.with_help("put key and certificate into two Secrets"));
        } else if !repo.is_empty() && (cert == repo || key == repo) {
            let field = if key == repo { "keySecret" } else { "certSecret" };
            let message = format!("`{repo}` is the `imageRepoSecret` too: the pod would mount it twice");
            findings.push(
                RULE.finding(at(field), message)
                    .with_help("use a Secret of its own"),
            );
        }
    }
}
