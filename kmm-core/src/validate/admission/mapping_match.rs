//! A kernel mapping has a regexp or a literal.

use crate::diag::Severity;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0215",
    name: "mapping-match",
    summary: "a kernel mapping has both `regexp` and `literal`, or neither",
    explanation: r##"A kernel mapping says for which kernels it is: with `literal`, one kernel version exactly, or with `regexp`, every one in which
the regexp is found. It needs one of them, and only one.

```yaml
kernelMappings:
- containerImage: registry.example/driver:1   # refused: for which kernels?
- literal: 6.1.0-18-amd64
  regexp: '^6\.1\.'                           # refused: one of the two
  containerImage: registry.example/driver:1
```

What to do: keep one. For every kernel, write `regexp: '^.+$'`.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let mappings = denial::container(subject).map(|container| &container.kernel_mappings);
    for (i, mapping) in mappings.into_iter().flatten().enumerate() {
        let turn = |check| Turn::new(Step::KernelMappings, i + 1, check);
        match (mapping.regexp.is_empty(), mapping.literal.is_empty()) {
            (false, false) => {
                let text =
                    format!("regexp and literal are mutually exclusive properties at kernelMappings[{i}]");
                let found = denials.deny(&RULE, turn(0), subject.mapping(i), text);
                found.help = Some("remove `regexp` or `literal`".to_owned());
            }
            (true, true) => {
                let text = format!("regexp or literal must be set at kernelMappings[{i}]");
                let found = denials.deny(&RULE, turn(1), subject.mapping(i), text);
                found.help = Some("add `literal` for one kernel, or `regexp` for many".to_owned());
            }
            (true, false) | (false, true) => {}
        }
    }
}
