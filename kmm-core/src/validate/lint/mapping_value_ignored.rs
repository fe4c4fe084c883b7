//! KMM1060: a setting of a mapping that the container overrules.

use crate::api::TlsOptions;
use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1060",
    name: "mapping-value-ignored",
    summary: "a setting of a mapping that the container overrules",
    explanation: "\
Where both the container and a mapping have `build`, the mapping adds or replaces `buildArgs`, `secrets` and
`dockerfileConfigMap` only: its `baseImageRegistryTLS`, `kanikoParams` and `selector` are not looked at, even where the
container sets none. In the same way `sign.unsignedImageRegistryTLS` of a mapping is not looked at beside a `sign` of
the container.

```yaml
container:
  build: {dockerfileConfigMap: {name: a}}
  kernelMappings:
    - build:
        dockerfileConfigMap: {name: b}
        kanikoParams: {tag: v1.23.2}        # no effect
```

Move the setting to the container, or take `build` from the container and give one to each mapping.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(container) = fields::container(subject) else {
        return;
    };
    let set = |tls: &TlsOptions| *tls != TlsOptions::default();
    let mut ignored = Vec::new();
    for (index, mapping) in container.kernel_mappings.iter().enumerate() {
        let path = subject.mapping(index);
        if let Some(build) = mapping.build.as_ref().filter(|_| container.build.is_some()) {
            let path = path.field("build");
            ignored.extend(set(&build.base_image_registry_tls).then(|| path.field("baseImageRegistryTLS")));
            let tag = build
                .kaniko_params
                .as_ref()
                .is_some_and(|params| !params.tag.is_empty());
            ignored.extend(tag.then(|| path.field("kanikoParams")));
            ignored.extend((!build.selector.is_empty()).then(|| path.field("selector")));
        }
        if let Some(sign) = mapping.sign.as_ref().filter(|_| container.sign.is_some()) {
            let path = path.field("sign");
            ignored.extend(
                set(&sign.unsigned_image_registry_tls).then(|| path.field("unsignedImageRegistryTLS")),
            );
        }
    }
    for path in ignored {
        let finding = RULE.finding(
            path.clone(),
            "this has no effect: only what the container says counts",
        );
        let finding = finding.with_help("move it to the container, or remove it");
        findings.push(finding.with_fix([Edit::Remove { path }]));
    }
}
