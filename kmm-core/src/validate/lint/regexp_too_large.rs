//! KMM1008: a regexp that is too large for this engine.

use crate::diag::Part;
use crate::diag::Severity;
use crate::pattern::ErrorKind;
use crate::validate::Findings;
use crate::validate::Rule;
use crate::validate::Subject;

use super::fields;

pub(super) const RULE: Rule = Rule {
    code: "KMM1008",
    name: "regexp-too-large",
    summary: "a regexp that Go takes and this engine does not, for its size",
    explanation: r"This engine gives each regexp a bounded amount of memory. A few regexps that the Go operator takes are beyond it: those
with hundreds of nested or repeated counts such as `(x{1000})?(x{1000})?…`. They are refused here, with this message, and
never matched in part.

No kernel version needs such a regexp: a kernel version has at most 64 characters. Write a smaller one.
",
    severity: Severity::Error,
    check,
};

fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for index in 0..fields::mappings(subject).len() {
        let Some(error) = subject.facts.pattern_error(index) else {
            continue;
        };
        if error.kind() == ErrorKind::EngineLimit {
            let path = subject.mapping(index).field("regexp");
            let finding = RULE
                .finding(path, error.to_string())
                .at(Part::Within(error.span()));
            findings
                .push(finding.with_help("write a smaller one: a kernel version has at most 64 characters"));
        }
    }
}
