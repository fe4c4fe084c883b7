//! KMM1063: a reference to an object without a name.

use crate::api::LocalObjectReference;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1063",
    name: "reference-without-name",
    summary: "a reference to an object without a name",
    explanation: "\
The CRD wants `dockerfileConfigMap`, `keySecret` and `certSecret` to be there, but takes an empty name. In a mapping
that empty name replaces the container's good one: the reference is taken as a whole.

```yaml
kernelMappings:
  - build:
      dockerfileConfigMap: {}        # replaces the container's ConfigMap by none
```

Write the name, also where it is the container's again.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mut references = Vec::new();
    let nameless =
        |secret: &Option<LocalObjectReference>| secret.as_ref().is_some_and(|secret| secret.name.is_empty());
    for build in fields::builds(subject) {
        references.push((
            build.path.field("dockerfileConfigMap"),
            nameless(&build.value.dockerfile_config_map),
        ));
        let secrets = build.path.field("secrets");
        for (index, secret) in build.value.secrets.iter().enumerate() {
            references.push((secrets.index(index), secret.name.is_empty()));
        }
    }
    for sign in fields::signs(subject) {
        references.push((sign.path.field("keySecret"), nameless(&sign.value.key_secret)));
        references.push((sign.path.field("certSecret"), nameless(&sign.value.cert_secret)));
    }
    let repo = subject
        .module
        .map(|module| nameless(&module.spec.image_repo_secret));
    references.push((subject.spec("imageRepoSecret"), repo.unwrap_or_default()));
    for (path, nameless) in references {
        if nameless {
            let finding = RULE.finding(path, "this reference has no name, so it leads nowhere");
            findings.push(finding.with_help("write the name of the object"));
        }
    }
}
