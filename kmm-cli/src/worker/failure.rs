//! Why a step did not do what it is for.

use kmm_core::worker::Reason;

/// A failure, or the word that the worker is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub reason: Reason,
    /// What shows it.
    pub proof: String,
    /// What mends it, where that can be said better than the reason does.
    pub mend: Option<String>,
}

impl Failure {
    /// A failure with its proof.
    pub fn new(reason: Reason, proof: impl Into<String>) -> Self {
        Self {
            reason,
            proof: proof.into(),
            mend: None,
        }
    }

    /// The same, with what mends it.
    #[must_use]
    pub fn mended_by(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}
