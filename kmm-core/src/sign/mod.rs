//! Signatures of kernel modules: whether they are valid, and by which certificate.

mod verify;

pub use verify::Verification;
pub use verify::Verifier;
