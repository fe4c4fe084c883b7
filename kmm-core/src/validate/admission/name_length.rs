//! Name and namespace have to fit into a node label.

use crate::diag::Severity;
use crate::path::FieldPath;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0202",
    name: "name-length",
    summary: "name and namespace together are longer than 41 bytes",
    explanation: r##"The operator builds node labels such as `kmm.node.kubernetes.io/version-worker-pod.<namespace>.<name>` from the name and the
namespace of a Module. A label name has at most 63 bytes, which leaves 41 for the two together.

The message of the operator says "when version is set", but the rule holds for every Module. It is not checked for a
ManagedClusterModule on the hub; there the Module is refused later, on each cluster.

```yaml
metadata:
  name: example-vendor-network-adapter-driver   # 37 bytes
  namespace: hardware                           # 8 more: refused
```

What to do: shorten one of them.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

const MAX: usize = 41;

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    // The hub checks a module spec without name and namespace.
    let (Kind::Module, Some(module)) = (subject.kind, subject.module) else {
        return;
    };
    let length = module.metadata.name.len() + module.metadata.namespace.len();
    if length > MAX {
        let text = format!(
            "module name and namespace have a combined length of {length} characters, which exceeds the maximum of {MAX} when version is set"
        );
        let path = FieldPath::of("metadata.name");
        let found = denials.deny(&RULE, Turn::new(Step::Name, 0, 0), path, text);
        found.help = Some(format!("take {} bytes off name or namespace", length - MAX));
    }
}
