//! Whether a signature is valid.

use std::fmt;

use crate::kmod::Signature;

/// Verifies signatures with the certificates that it knows.
pub trait Verifier: Send + Sync {
    /// Verifies the signature of an unpacked file: of the bytes before it ([`Signature::signed`]).
    fn verify(&self, signature: &Signature, file: &[u8]) -> Verification;
}

/// What came out of verifying a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verification {
    /// It is valid, made with the key of this certificate.
    Valid {
        /// The name of the certificate's subject.
        certificate: String,
    },
    /// None of the certificates is the one that it names.
    UnknownKey,
    /// The certificate is there, and the signature or the module is not what was signed.
    Invalid {
        /// What does not fit.
        reason: String,
    },
    /// It cannot be told.
    Unsupported {
        /// What is not supported.
        reason: String,
    },
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid { certificate } => write!(f, "valid, by the key of `{certificate}`"),
            Self::UnknownKey => f.write_str("made with a key that is not among the certificates"),
            Self::Invalid { reason } => write!(f, "invalid: {reason}"),
            Self::Unsupported { reason } => write!(f, "not checked: {reason}"),
        }
    }
}
