//! Regexps have to be those of Go.

use crate::diag::Part;
use crate::diag::Severity;
use crate::pattern::ErrorKind;
use crate::pattern::Pattern;
use crate::validate::Rule;
use crate::validate::Subject;

use super::denial;
use super::denial::Denials;
use super::denial::Step;
use super::denial::Turn;

pub(super) const RULE: Rule = Rule {
    code: "KMM0216",
    name: "mapping-regexp",
    summary: "the `regexp` of a kernel mapping is refused by Go",
    explanation: r##"The operator is written in Go, whose regular expressions (RE2) have no look-around and no back-references, and whose names and
limits differ from those of other languages. The message is Go's own.

```yaml
regexp: '^6\.1\.(?!0)'    # refused: Go has no look-ahead
regexp: '^6\.1\.[1-9]'
```

What to do: write it in Go's syntax. What cannot be said in one regexp can often be said with two mappings: the first that
matches wins.
"##,
    severity: Severity::Error,
    check: |subject, findings| denial::check(find, subject, findings),
};

pub(super) fn find(subject: &Subject<'_>, denials: &mut Denials) {
    let mappings = denial::container(subject).map(|container| &container.kernel_mappings);
    for (i, mapping) in mappings.into_iter().flatten().enumerate() {
        let Err(error) = Pattern::parse(&mapping.regexp) else {
            continue;
        };
        // A limit of our own engine is no fault to Go.
        if error.kind() == ErrorKind::EngineLimit {
            continue;
        }
        let text = format!("invalid regexp at index {i}: {error}");
        let turn = Turn::new(Step::KernelMappings, i + 1, 2);
        let found = denials.deny(&RULE, turn, subject.mapping(i).field("regexp"), text);
        found.part = Part::Within(error.span());
    }
}
