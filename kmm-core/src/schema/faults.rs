//! The faults that the schema check knows. They are found all in one pass by [`check`](super::check); the `check`
//! function of each rule runs that pass and keeps its own.

use crate::diag::Severity;
use crate::validate::Findings;
use crate::validate::Kind;
use crate::validate::Rule;
use crate::validate::Subject;

use super::Resource;

/// Every fault of an object that [`check`](super::check) knows, by code.
pub fn rules() -> &'static [Rule] {
    &RULES
}

static RULES: [Rule; 15] = [
    TYPE,
    REQUIRED,
    ENUM,
    PATTERN,
    ITEMS,
    FORMAT,
    EXCLUSIVE,
    DUPLICATE_ITEM,
    NAME,
    NAMESPACE,
    LABELS,
    KIND,
    UNKNOWN_FIELD,
    DUPLICATE_FIELD,
    STATUS,
];

pub(super) const TYPE: Rule = Rule {
    code: "KMM0101",
    name: "schema-type",
    summary: "a value is of another type than the field",
    explanation: include_str!("explanations/KMM0101.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0101", subject, findings),
};

pub(super) const REQUIRED: Rule = Rule {
    code: "KMM0102",
    name: "schema-required",
    summary: "a field that has to be there is not",
    explanation: include_str!("explanations/KMM0102.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0102", subject, findings),
};

pub(super) const ENUM: Rule = Rule {
    code: "KMM0103",
    name: "schema-enum",
    summary: "a value is none of those that the field allows",
    explanation: include_str!("explanations/KMM0103.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0103", subject, findings),
};

pub(super) const PATTERN: Rule = Rule {
    code: "KMM0104",
    name: "schema-pattern",
    summary: "a string does not match the pattern of the field",
    explanation: include_str!("explanations/KMM0104.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0104", subject, findings),
};

pub(super) const ITEMS: Rule = Rule {
    code: "KMM0105",
    name: "schema-items",
    summary: "a list has too few or too many items",
    explanation: include_str!("explanations/KMM0105.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0105", subject, findings),
};

pub(super) const FORMAT: Rule = Rule {
    code: "KMM0106",
    name: "schema-format",
    summary: "a string is no time where one is needed",
    explanation: include_str!("explanations/KMM0106.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0106", subject, findings),
};

pub(super) const EXCLUSIVE: Rule = Rule {
    code: "KMM0107",
    name: "schema-exclusive",
    summary: "`dra` and `devicePlugin` are both set",
    explanation: include_str!("explanations/KMM0107.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0107", subject, findings),
};

pub(super) const DUPLICATE_ITEM: Rule = Rule {
    code: "KMM0108",
    name: "schema-duplicate-item",
    summary: "two items of a list have the same key",
    explanation: include_str!("explanations/KMM0108.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0108", subject, findings),
};

pub(super) const NAME: Rule = Rule {
    code: "KMM0109",
    name: "object-name",
    summary: "the name of the object is missing or not allowed",
    explanation: include_str!("explanations/KMM0109.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0109", subject, findings),
};

pub(super) const NAMESPACE: Rule = Rule {
    code: "KMM0110",
    name: "object-namespace",
    summary: "the namespace is not allowed, or given for a kind that has none",
    explanation: include_str!("explanations/KMM0110.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0110", subject, findings),
};

pub(super) const LABELS: Rule = Rule {
    code: "KMM0111",
    name: "object-labels",
    summary: "a label, annotation or finalizer of the object is not allowed",
    explanation: include_str!("explanations/KMM0111.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0111", subject, findings),
};

pub(super) const KIND: Rule = Rule {
    code: "KMM0112",
    name: "object-kind",
    summary: "`apiVersion` and `kind` are missing or name nothing that the operator knows",
    explanation: include_str!("explanations/KMM0112.md"),
    severity: Severity::Error,
    check: |subject, findings| only("KMM0112", subject, findings),
};

pub(super) const UNKNOWN_FIELD: Rule = Rule {
    code: "KMM0120",
    name: "unknown-field",
    summary: "no such field: it is dropped without a word",
    explanation: include_str!("explanations/KMM0120.md"),
    severity: Severity::Warning,
    check: |subject, findings| only("KMM0120", subject, findings),
};

pub(super) const DUPLICATE_FIELD: Rule = Rule {
    code: "KMM0121",
    name: "duplicate-field",
    summary: "a field is given twice: only the last one counts",
    explanation: include_str!("explanations/KMM0121.md"),
    severity: Severity::Warning,
    check: |subject, findings| only("KMM0121", subject, findings),
};

pub(super) const STATUS: Rule = Rule {
    code: "KMM0122",
    name: "status-fault",
    summary: "the status of the object does not fit its schema",
    explanation: include_str!("explanations/KMM0122.md"),
    severity: Severity::Warning,
    check: |subject, findings| only("KMM0122", subject, findings),
};

fn only(code: &str, subject: &Subject<'_>, findings: &mut Findings) {
    let resource = match subject.kind {
        Kind::Module => Resource::Module,
        Kind::ManagedClusterModule => Resource::ManagedClusterModule,
        Kind::PreflightValidation => Resource::of(subject.node).unwrap_or(Resource::PreflightValidation),
        Kind::ConfigMap => return,
    };
    let report = super::check(resource, subject.node);
    let found = report.errors.into_iter().chain(report.warnings);
    found
        .filter(|found| found.code == code)
        .for_each(|found| findings.push(found));
}
