//! Dynamic Resource Allocation needs a new enough Kubernetes.

use crate::diag::Severity;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0209",
    name: "dra-kubernetes-version",
    summary: "`dra` on a cluster older than Kubernetes 1.34",
    explanation: r##"Dynamic Resource Allocation is stable (`resource.k8s.io/v1`) from Kubernetes 1.34 on, and the operator uses no older form of it.
The rule is checked only where the version of the cluster is known, and never on a hub.

```yaml
spec:
  dra:                     # refused by Kubernetes 1.33
    driverName: gpu.example.com
```

What to do: upgrade the cluster, or use a device plugin (`spec.devicePlugin`).
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

const MINIMUM: (u32, u32) = (1, 34);

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let (Kind::Module, Some((major, minor))) = (subject.kind, subject.cluster.kubernetes) else {
        return;
    };
    let has_dra = denial::module_spec(subject).is_some_and(|spec| spec.dra.is_some());
    if has_dra && (major, minor) < MINIMUM {
        let text =
            format!("spec.dra requires Kubernetes 1.34 or later; current cluster version is {major}.{minor}");
        let found = denials.deny(&RULE, Turn::new(Step::Dra, 0, 0), subject.spec("dra"), text);
        found.help = Some("use `devicePlugin` on this cluster".to_owned());
    }
}
