//! KMM1005: a regexp without `^` or an end that lets other versions match.

use crate::diag::Edit;
use crate::diag::Severity;
use crate::pattern::Pattern;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::regexps;

pub(super) const RULE: Rule = Rule {
    code: "KMM1005",
    name: "regexp-not-anchored",
    summary: "a regexp without `^` or an end that lets other versions match",
    explanation: r"A regexp is searched for anywhere in the kernel version. `5\.4` is also in `6.5.4-200.fc38.x86_64`, and `^6\.1` is also the
start of `6.12.0`. Such a kernel gets an image that was made for another one.

```yaml
- regexp: '5\.4'           # also 6.5.4, 4.15.4
- regexp: '^5\.4\.'
- regexp: '^6\.1'          # also 6.10, 6.11, 6.12
- regexp: '^6\.1\.'
```

Start with `^`, and go on to the dot after the last number that counts. This is only reported where a kernel that
exists matches by mistake.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for index in 0..fields::mappings(subject).len() {
        let Some(pattern) = subject.facts.pattern(index) else {
            continue;
        };
        let path = subject.mapping(index).field("regexp");
        let source = pattern.as_str();
        let insert = |at: usize, text: &str| {
            let path = subject.mapping(index).field("regexp");
            [Edit::ReplaceWithin {
                path,
                range: at..at,
                text: text.to_owned(),
            }]
        };
        let anchored = Pattern::parse(&format!("^(?:{source})")).ok();
        let wider = anchored
            .filter(|_| !pattern.is_anchored_start() && source.starts_with(|c: char| c.is_ascii_digit()));
        if let Some(kernel) = wider.and_then(|anchored| regexps::wider(pattern, &anchored)) {
            let finding = RULE.finding(path.clone(), format!("without `^` this also matches `{kernel}`"));
            findings.push(if source.contains('|') {
                finding.with_help(format!("write `^(?:{source})`"))
            } else {
                finding
                    .with_help(format!("write `^{source}`"))
                    .with_suggestion(insert(0, "^"))
            });
        }
        let ends = regexps::version(source).filter(|version| version.end == source.len());
        if let Some((version, kernel)) =
            ends.and_then(|version| Some((version, regexps::longer(pattern, version)?)))
        {
            let message = format!(
                "nothing ends the number {}, so this also matches `{kernel}`",
                version.minor
            );
            let finding = RULE
                .finding(path, message)
                .with_help(format!("write `{source}\\.`"));
            findings.push(finding.with_suggestion(insert(source.len(), "\\.")));
        }
    }
}
