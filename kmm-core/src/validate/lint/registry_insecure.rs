//! KMM1014: a registry that is talked to without checking who it is.

use crate::api::TlsOptions;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1014",
    name: "registry-insecure",
    summary: "a registry that is talked to without checking who it is",
    explanation: "\
`insecure` allows plain HTTP, `insecureSkipTLSVerify` takes any certificate. Whoever stands between the cluster and
the registry can then put code of their own into the kernel of every node. The settings also reach less far than they
seem to: they become flags of the builder, while nodes pull with their own configuration.

```yaml
registryTLS:
  insecureSkipTLSVerify: true
```

Give the nodes and the builder the registry's CA instead. Fine for a registry inside a test cluster.
",
    severity: Severity::Note,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mut options: Vec<(_, &TlsOptions)> = Vec::new();
    options.extend(
        fields::container(subject)
            .map(|container| (subject.container("registryTLS"), &container.registry_tls)),
    );
    for (index, mapping) in fields::mappings(subject).iter().enumerate() {
        options.extend(
            mapping
                .registry_tls
                .iter()
                .map(|tls| (subject.mapping(index).field("registryTLS"), tls)),
        );
    }
    for build in fields::builds(subject) {
        options.push((
            build.path.field("baseImageRegistryTLS"),
            &build.value.base_image_registry_tls,
        ));
    }
    for sign in fields::signs(subject) {
        options.push((
            sign.path.field("unsignedImageRegistryTLS"),
            &sign.value.unsigned_image_registry_tls,
        ));
    }
    for (path, tls) in options {
        let field = match (tls.insecure, tls.insecure_skip_tls_verify) {
            (true, _) => "insecure",
            (false, true) => "insecureSkipTLSVerify",
            (false, false) => continue,
        };
        let finding = RULE.finding(
            path.field(field),
            "nobody checks that this is the registry that it says it is",
        );
        findings.push(finding.with_help("give the nodes and the builder the registry's CA instead"));
    }
}
