//! What a rule is.

use crate::diag::Diagnostic;
use crate::diag::RuleText;
use crate::diag::Severity;
use crate::path::FieldPath;

use super::Subject;

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable code: `KMM` and four digits. `KMM00` reading, `KMM01` schema, `KMM02` webhook, `KMM1` Module lints,
    /// `KMM2` Dockerfile lints.
    pub code: &'static str,
    /// Stable name, in words with hyphens.
    pub name: &'static str,
    /// What it finds, in one line.
    pub summary: &'static str,
    /// The long text of `kmm validate --explain`: what it finds, why it matters, an example, what to do. Markdown.
    pub explanation: &'static str,
    /// The worst severity that it reports.
    pub severity: Severity,
    /// Finds it.
    pub check: fn(&Subject<'_>, &mut Findings),
}

impl Rule {
    /// A finding of this rule about the value at `path`, with its worst severity.
    pub fn finding(&self, path: FieldPath, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.code, self.severity, path, message)
    }

    /// What there is to say about the rule in general.
    pub fn text(&self) -> RuleText {
        RuleText {
            code: self.code,
            name: self.name,
            summary: self.summary,
            explanation: self.explanation,
            severity: self.severity,
        }
    }
}

/// The findings of the rules that ran on one object, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Findings {
    diagnostics: Vec<Diagnostic>,
}

impl Findings {
    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The findings.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}
