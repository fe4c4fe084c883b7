//! KMM1003: a mapping whose kernels all go to earlier ones.

use crate::api::KernelMapping;
use crate::diag::Part;
use crate::diag::Severity;
use crate::pattern::Matcher;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;
use super::regexps;

pub(super) const RULE: Rule = Rule {
    code: "KMM1003",
    name: "mapping-shadowed",
    summary: "a mapping whose kernels all go to earlier ones",
    explanation: "\
The first mapping that matches wins; a `literal` has no preference over a `regexp`. A mapping below one that takes all
of its kernels is never used, so its image, build and signing are never used either.

```yaml
- regexp: '^.+$'
- literal: 5.14.0-427.el9.x86_64      # never gets here
```

Put the narrower mapping first.
",
    severity: Severity::Warning,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let mappings = fields::mappings(subject);
    let matcher = |index: usize| {
        let mapping: &KernelMapping = mappings.get(index)?;
        match subject.facts.pattern(index) {
            Some(pattern) => Some((index, Matcher::Pattern(pattern))),
            None if mapping.literal.is_empty() => None,
            None => Some((index, Matcher::Literal(&mapping.literal))),
        }
    };
    for (index, mapping) in mappings.iter().enumerate() {
        let field = if mapping.literal.is_empty() {
            "regexp"
        } else {
            "literal"
        };
        let before: Vec<_> = (0..index).filter_map(matcher).collect();
        let by: Vec<usize> = match subject.facts.pattern(index) {
            Some(pattern) => regexps::shadowed_by(pattern, &before),
            None if mapping.literal.is_empty() => continue,
            None => {
                let taker = before
                    .iter()
                    .find(|(_, matcher)| matcher.is_match(&mapping.literal));
                taker.map(|(earlier, _)| *earlier).into_iter().collect()
            }
        };
        let Some(&first) = by.first() else {
            continue;
        };
        let names: Vec<String> = by
            .iter()
            .map(|earlier| format!("kernelMappings[{earlier}]"))
            .collect();
        let verb = if by.len() == 1 { "takes" } else { "take" };
        let message = format!(
            "this mapping is never used: {} {verb} all of its kernels",
            names.join(", ")
        );
        let mut finding = RULE.finding(subject.mapping(index).field(field), message);
        for earlier in by {
            let field = if mappings[earlier].literal.is_empty() {
                "regexp"
            } else {
                "literal"
            };
            let path = subject.mapping(earlier).field(field);
            finding = finding.with_related(path, Part::Value, "this one comes first");
        }
        findings.push(finding.with_help(format!("put it before kernelMappings[{first}], or remove it")));
    }
}
