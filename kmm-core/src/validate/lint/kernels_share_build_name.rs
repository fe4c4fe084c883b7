//! KMM1007: two literals whose build pods get the same name.

use std::collections::HashMap;

use crate::diag::Severity;
use crate::kernel::KernelVersion;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1007",
    name: "kernels-share-build-name",
    summary: "two literals whose build pods get the same name",
    explanation: "\
Names and labels of build and sign pods hold the kernel version in small letters with `-` for `.` and `_`. Two kernels
that differ only there (`5.14.0-1_1` and `5.14.0-1.1`) share one pod: while one is built, the other is taken to be
built as well.

```yaml
- literal: 5.14.0-1.RT
- literal: 5.14.0-1-rt        # the same pod: <module>-build-5-14-0-1-rt
```

Build one of the two images outside the cluster, or give the kernels versions that differ in more.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mut seen = HashMap::new();
    for merged in fields::merged(subject) {
        let literal = merged.mapping.literal.as_str();
        if literal.is_empty() || !(merged.builds || merged.signs) {
            continue;
        }
        let name = KernelVersion::new(literal).dns_safe();
        match seen.get(&name) {
            Some((_, first)) if *first == literal => {}
            Some((index, first)) => findings.push(
                RULE.finding(
                    merged.path.field("literal"),
                    format!("build pods of this kernel have the same name as those of `{first}` (kernelMappings[{index}])"),
                )
                .with_help("build one of the two images outside the cluster"),
            ),
            None => {
                seen.insert(name, (merged.index, literal));
            }
        }
    }
}
