//! Device classes need names, each its own.

use crate::diag::Severity;
use crate::go_text::quote;
use crate::naming;
use crate::validate::Rule;
use crate::validate::Subject;
use std::collections::BTreeSet;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0211",
    name: "dra-device-class",
    summary: "a device class has no name, a wrong one, or that of another",
    explanation: r##"The operator creates a cluster-scoped DeviceClass for every entry of `dra.deviceClasses`. Each needs a name that is a DNS
subdomain, and no two entries may have the same one.

```yaml
deviceClasses:
- name: gpu.example.com
- name: gpu.example.com   # refused: there already
```

What to do: give each class a name of its own. Names are shared by the whole cluster: begin them with your domain.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(dra) = denial::module_spec(subject).and_then(|spec| spec.dra.as_ref()) else {
        return;
    };
    let mut seen = BTreeSet::new();
    for (i, class) in dra.device_classes.iter().enumerate() {
        let path = subject.spec("dra.deviceClasses").index(i).field("name");
        let turn = |check| Turn::new(Step::Dra, i + 1, check);
        if class.name.is_empty() {
            let text = format!("spec.dra.deviceClasses[{i}].name is required");
            denials.deny(&RULE, turn(0), path, text);
            continue;
        }
        let reasons = naming::dns1123_subdomain(&class.name);
        if !reasons.is_empty() {
            let text = format!(
                "spec.dra.deviceClasses[{i}].name {} is not a valid DNS subdomain: {}",
                quote(&class.name),
                reasons.join("; ")
            );
            denials.deny(&RULE, turn(1), path.clone(), text);
        }
        if !seen.insert(&class.name) {
            let text = format!(
                "spec.dra.deviceClasses[{i}].name {} is a duplicate",
                quote(&class.name)
            );
            denials.deny(&RULE, turn(2), path, text);
        }
    }
}
