//! Signatures of modules, verified with aws-lc.

use aws_lc_rs::digest;
use aws_lc_rs::signature;
use aws_lc_rs::signature::UnparsedPublicKey;
use aws_lc_rs::signature::VerificationAlgorithm;
use kmm_core::kmod::Signature;
use kmm_core::sign;
use kmm_core::sign::Certificate;
use kmm_core::sign::CertificateError;
use kmm_core::sign::Cryptography;
use kmm_core::sign::KeyAlgorithm;
use kmm_core::sign::PublicKey;
use kmm_core::sign::Verification;
use kmm_core::sign::Verifier;

/// Certificates, with whose keys signatures are verified.
///
/// RSA of 1024 to 8192 bits and ECDSA on P-256, P-384 and P-521 are, with SHA-1 and the SHA-2 hashes; SHA-3 is not.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    known: Vec<Certificate>,
}

impl Certificates {
    /// Adds the certificates of a file: PEM, one or several, or DER.
    ///
    /// # Errors
    ///
    /// When it holds none.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), CertificateError> {
        self.known.extend(Certificate::read(bytes)?);
        Ok(())
    }
}

impl Verifier for Certificates {
    fn verify(&self, signature: &Signature, file: &[u8]) -> Verification {
        sign::verify(signature, file, &self.known, &AwsLc)
    }
}

struct AwsLc;

impl Cryptography for AwsLc {
    fn digest(&self, hash: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let algorithm = match hash {
            "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            "sha224" => &digest::SHA224,
            "sha256" => &digest::SHA256,
            "sha384" => &digest::SHA384,
            "sha512" => &digest::SHA512,
            _ => return None,
        };
        Some(digest::digest(algorithm, bytes).as_ref().to_vec())
    }

    fn verify(&self, key: &PublicKey, hash: &str, bytes: &[u8], signature: &[u8]) -> Option<bool> {
        let algorithm: &'static dyn VerificationAlgorithm = match (&key.algorithm, hash) {
            (KeyAlgorithm::Rsa, "sha1") => &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            (KeyAlgorithm::Rsa, "sha256") => &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            (KeyAlgorithm::Rsa, "sha384") => &signature::RSA_PKCS1_2048_8192_SHA384,
            (KeyAlgorithm::Rsa, "sha512") => &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            (KeyAlgorithm::P256, "sha256") => &signature::ECDSA_P256_SHA256_ASN1,
            (KeyAlgorithm::P256, "sha384") => &signature::ECDSA_P256_SHA384_ASN1,
            (KeyAlgorithm::P256, "sha512") => &signature::ECDSA_P256_SHA512_ASN1,
            (KeyAlgorithm::P384, "sha256") => &signature::ECDSA_P384_SHA256_ASN1,
            (KeyAlgorithm::P384, "sha384") => &signature::ECDSA_P384_SHA384_ASN1,
            (KeyAlgorithm::P384, "sha512") => &signature::ECDSA_P384_SHA512_ASN1,
            (KeyAlgorithm::P521, "sha256") => &signature::ECDSA_P521_SHA256_ASN1,
            (KeyAlgorithm::P521, "sha384") => &signature::ECDSA_P521_SHA384_ASN1,
            (KeyAlgorithm::P521, "sha512") => &signature::ECDSA_P521_SHA512_ASN1,
            _ => return None,
        };
        let key = UnparsedPublicKey::new(algorithm, &key.bytes);
        Some(key.verify(bytes, signature).is_ok())
    }
}
