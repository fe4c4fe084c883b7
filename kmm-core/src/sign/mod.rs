//! Signatures of kernel modules: whether they are valid, and by which certificate.
//!
//! [`Certificate`] reads PEM and DER; [`verify()`] takes the message of a signature apart and decides, over a
//! [`Cryptography`] that can hash and calculate. [`Verifier`] is both together, as readers of images want it.
//!
//! # What this module does not do
//!
//! It calculates nothing itself, and it does not look at chains, validity or revocation: a kernel does not either.

mod certificate;
mod check;
mod message;
mod verify;

pub use certificate::Certificate;
pub use certificate::CertificateError;
pub use certificate::KeyAlgorithm;
pub use certificate::PublicKey;
pub use check::Cryptography;
pub use check::verify;
pub use verify::Verification;
pub use verify::Verifier;
