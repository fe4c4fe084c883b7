//! What a rule finds in an image.

use std::fmt;

use crate::diag::RuleText;
use crate::diag::Severity;

use super::context::Context;

/// One rule about images.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What there is to say about it in general.
    pub text: RuleText,
    pub(super) check: fn(&Context<'_>, &mut Findings),
}

impl Rule {
    /// A finding of this rule about a file of the image, with its worst severity.
    pub(super) fn finding(&self, path: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding {
            code: self.text.code,
            severity: self.text.severity,
            path: path.into(),
            message: message.into(),
            help: None,
            in_doubt: false,
        }
    }
}

/// One finding about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable code of the rule, `KMM3` and three digits.
    pub code: &'static str,
    /// How bad it is: with an error the image does not fit.
    pub severity: Severity,
    /// The file or folder in the image.
    pub path: String,
    /// What is wrong, in one line.
    pub message: String,
    /// What to change, in one line.
    pub help: Option<String>,
    /// Whether it leaves open if the image fits.
    pub in_doubt: bool,
}

impl Finding {
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// A finding that leaves the question open.
    pub(super) fn in_doubt(mut self) -> Self {
        self.in_doubt = true;
        self
    }

    /// This finding, less severe where the Module does not load what it is about.
    pub(super) fn if_needed(self, needed: bool) -> Self {
        if needed {
            return self;
        }
        Self {
            severity: self.severity.min(Severity::Warning),
            in_doubt: false,
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}]: {}: {}",
            self.severity, self.code, self.path, self.message
        )
    }
}

/// The findings of all rules, in the order of the rules.
#[derive(Debug, Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

/// The first few of many names, and how many there are: at most one line whatever their number.
pub(super) fn few<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 3;
    let shown: Vec<String> = names
        .iter()
        .take(MOST)
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    let rest = names.len().saturating_sub(MOST);
    match rest {
        0 => shown.join(", "),
        _ => format!("{} and {rest} more", shown.join(", ")),
    }
}

/// `1 symbol`, `2 symbols`.
pub(super) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
