//! KMM1001: a literal that no kernel version can equal.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1001",
    name: "literal-never-matches",
    summary: "a literal that no kernel version can equal",
    explanation: "\
A `literal` is compared byte by byte with the kernel version of the node, after one trailing `+` was taken from that
version. So a literal that ends in `+` equals the version of no kernel but one that ends in `++`, and one with a blank,
a quote or a slash equals none at all: the mapping is never used and its nodes get no module, without any message.

```yaml
- literal: 6.6.35-custom+     # uname -r says the same, and still it never matches
- literal: 6.6.35-custom      # matches
```

Write the version as `uname -r` prints it, without a `+` at its end. Where a pattern was meant (`5.14.0-*`), use
`regexp`.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for (index, mapping) in fields::mappings(subject).iter().enumerate() {
        let literal = mapping.literal.as_str();
        let path = subject.mapping(index).field("literal");
        let trimmed = literal.trim().trim_matches(['"', '\'']).trim();
        let stripped = trimmed.trim_end_matches('+');
        let odd = stripped
            .chars()
            .find(|&c| !(c.is_ascii_alphanumeric() || "._-+~:".contains(c)));
        let finding = if let Some(odd) = odd {
            let help = if "*^$()[]\\|?".contains(odd) {
                "a literal is no pattern: use `regexp` for one"
            } else {
                "write the version as `uname -r` prints it"
            };
            RULE.finding(
                path,
                format!("no kernel version holds {odd:?}, so this mapping never matches"),
            )
            .with_help(help)
        } else if literal.is_empty() || literal == stripped {
            continue;
        } else if stripped.is_empty() {
            RULE.finding(
                path,
                "no kernel version looks like this, so this mapping never matches",
            )
            .with_help("write the version as `uname -r` prints it")
        } else {
            let why = if trimmed == literal {
                "one trailing `+` is taken from kernel versions before they are compared: only one that ends in `++` could match"
            } else {
                "kernel versions hold no blanks and no quotes, so this literal never matches"
            };
            RULE.finding(path.clone(), why)
                .with_help(format!("write `{stripped}`"))
                .with_suggestion([Edit::SetString {
                    path,
                    value: stripped.to_owned(),
                }])
        };
        findings.push(finding);
    }
}
