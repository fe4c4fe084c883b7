//! A DRA driver needs a name that is a DNS subdomain.

use crate::diag::Severity;
use crate::go_text::quote;
use crate::naming;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0210",
    name: "dra-driver-name",
    summary: "`dra.driverName` is missing or no DNS subdomain",
    explanation: r##"The name under which a DRA driver registers with the kubelet, and which device classes refer to, is a DNS subdomain: small
letters, digits, `-` and `.`. It has to be the one that the driver itself uses.

```yaml
dra:
  driverName: GPU_driver        # refused
  driverName: gpu.example.com
```

What to do: write the driver's name.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let Some(dra) = denial::module_spec(subject).and_then(|spec| spec.dra.as_ref()) else {
        return;
    };
    let (turn, path) = (Turn::new(Step::Dra, 0, 1), subject.spec("dra.driverName"));
    if dra.driver_name.is_empty() {
        denials.deny(&RULE, turn, path, "spec.dra.driverName is required");
        return;
    }
    let reasons = naming::dns1123_subdomain(&dra.driver_name);
    if !reasons.is_empty() {
        let text = format!(
            "spec.dra.driverName {} is not a valid DNS subdomain: {}",
            quote(&dra.driver_name),
            reasons.join("; ")
        );
        denials.deny(&RULE, turn, path, text);
    }
}
