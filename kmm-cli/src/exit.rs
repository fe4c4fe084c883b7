//! Exit codes.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// The answer is yes.
    Yes,
    /// The answer is no.
    No,
    /// No answer could be had.
    Unanswered,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Yes => Self::from(0),
            ExitStatus::No => Self::from(1),
            ExitStatus::Unanswered => Self::from(2),
        }
    }
}
