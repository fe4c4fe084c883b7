//! KMM1004: an unescaped dot that lets other versions match.

use crate::diag::Edit;
use crate::diag::Part;
use crate::diag::Severity;
use crate::pattern::Pattern;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::regexps;

pub(super) const RULE: Rule = Rule {
    code: "KMM1004",
    name: "regexp-unescaped-dot",
    summary: "an unescaped dot that lets other versions match",
    explanation: r"In a regexp `.` is any character. `^6.1.*` also matches `6.12.0`: the second dot takes the 2. Mostly the strings that
match by mistake are no kernel versions; then this is only a note. Where a kernel that exists matches by mistake, it
gets an image that was made for another one.

```yaml
- regexp: '^6.1.*$'          # also 6.10, 6.11, 6.12
- regexp: '^6\.1\..*$'
```

Write `\.` for a dot. In YAML use single quotes round it, for in double quotes `\.` is an error.
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
        let version = regexps::version(source).filter(|version| {
            let rest = &source[version.end..];
            rest.starts_with('.') && !rest.starts_with(".{")
        });
        if let Some((version, kernel)) =
            version.and_then(|version| Some((version, regexps::longer(pattern, version)?)))
        {
            let message = format!(
                "this also matches `{kernel}`: after the {}, `.` takes a digit too",
                version.minor
            );
            let help = format!(
                "write `{}\\.{}\\.` where the version ends",
                version.major, version.minor
            );
            let at = Part::Within(version.end..version.end + 1);
            findings.push(RULE.finding(path, message).at(at).with_help(help));
            continue;
        }
        let dots = pattern.version_dots();
        let Some(first) = dots.first() else {
            continue;
        };
        let mut strict = source.to_owned();
        for dot in dots.iter().rev() {
            strict.insert(dot.start, '\\');
        }
        let escaped = Pattern::parse(&strict).ok();
        let real = escaped
            .as_ref()
            .and_then(|escaped| regexps::wider(pattern, escaped));
        let edits = dots.iter().map(|dot| Edit::ReplaceWithin {
            path: path.clone(),
            range: dot.clone(),
            text: "\\.".to_owned(),
        });
        let finding = match real {
            Some(kernel) => RULE.finding(
                path.clone(),
                format!("`.` is any character, so this also matches `{kernel}`"),
            ),
            None => {
                let example = escaped.and_then(|escaped| pattern.wider_than(&escaped));
                let message = match example {
                    Some(example) => format!("`.` is any character, so this also matches `{example}`"),
                    None => "`.` is any character here, not only a dot".to_owned(),
                };
                RULE.finding(path.clone(), message).as_severity(Severity::Note)
            }
        };
        let finding = finding
            .at(Part::Within(first.clone()))
            .with_help(format!("write `{strict}`"));
        findings.push(if real.is_some() {
            finding.with_suggestion(edits)
        } else {
            finding.with_fix(edits)
        });
    }
}
