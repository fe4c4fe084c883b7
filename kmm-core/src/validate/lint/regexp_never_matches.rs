//! KMM1002: a regexp that no kernel version can match.

use crate::diag::Part;
use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::regexps;

pub(super) const RULE: Rule = Rule {
    code: "KMM1002",
    name: "regexp-never-matches",
    summary: "a regexp that no kernel version can match",
    explanation: r"Some regexps match no kernel version at all: `\f` is a form feed and not the letter f, nothing can follow `$`, nothing can
precede `^`. Such a mapping is never used, and its nodes get no module, without any message.

```yaml
- regexp: '^.+\fc37\.x86_64$'       # wants a form feed
- regexp: '^.+\.fc37\.x86_64$'
```

Correct the regexp. `kmm match REGEXP KERNEL` shows where matching stops.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for index in 0..fields::mappings(subject).len() {
        let Some(pattern) = subject.facts.pattern(index) else {
            continue;
        };
        let path = subject.mapping(index).field("regexp");
        if let Some(nothing) = regexps::matches_no_kernel(pattern) {
            let finding = RULE.finding(path, format!("this mapping is never used: {nothing}"));
            let finding = match nothing.span().filter(|span| !span.is_empty()) {
                Some(span) => finding.at(Part::Within(span)),
                None => finding,
            };
            findings.push(match pattern.odd_escapes().first() {
                Some(odd) => {
                    let written = pattern.as_str().get(odd.span.clone()).unwrap_or_default();
                    let letter = written.trim_start_matches('\\');
                    finding.with_help(format!("write `{letter}` or `\\.{letter}`, whichever is meant"))
                }
                None => finding.with_help("correct it: `kmm match` shows where matching stops"),
            });
        } else if let Some(odd) = pattern.odd_escapes().into_iter().next() {
            let written = pattern.as_str().get(odd.span.clone()).unwrap_or_default();
            let message = format!("`{written}` is {}, which is hardly what was meant", odd.meaning);
            let finding = RULE.finding(path, message).at(Part::Within(odd.span));
            findings.push(
                finding
                    .as_severity(Severity::Note)
                    .with_help("remove the `\\`, if the letter is meant"),
            );
        }
    }
}
