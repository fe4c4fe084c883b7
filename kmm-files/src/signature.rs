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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use kmm_core::kmod::MAGIC;

    use super::*;

    fn data(name: &str) -> Vec<u8> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/signatures");
        fs::read(folder.join(name)).unwrap()
    }

    fn certificates(names: &[&str]) -> Certificates {
        let mut known = Certificates::default();
        names.iter().for_each(|name| known.add(&data(name)).unwrap());
        known
    }

    /// The module with a signature behind it, as `sign-file` puts it there.
    fn with(signature: &[u8]) -> Vec<u8> {
        let mut file = data("module.bin");
        file.extend(signature);
        file.extend([0, 0, 2, 0, 0, 0, 0, 0]);
        file.extend((signature.len() as u32).to_be_bytes());
        file.extend(MAGIC);
        file
    }

    fn verify(known: &Certificates, file: &[u8]) -> String {
        let signature = Signature::of(file).unwrap().unwrap();
        known.verify(&signature, file).to_string()
    }

    const VALID: &str = "valid, by the key of `Acme modules`";

    #[test]
    fn what_openssl_signed_is_valid_with_its_certificate() {
        let known = certificates(&["other.pem", "rsa.der", "p384.pem"]);
        for (name, expected) in [
            ("rsa-sha256", VALID),
            ("rsa-sha1", VALID),
            ("rsa-keyid", VALID),
            ("rsa-attributes", VALID),
            ("p384-sha384", "valid, by the key of `Acme curve`"),
        ] {
            assert_eq!(
                verify(&known, &with(&data(&format!("{name}.p7s")))),
                expected,
                "{name}"
            );
        }
        let two = with(&data("two-signers.p7s"));
        assert_eq!(verify(&certificates(&["rsa.pem"]), &two), VALID);
        assert_eq!(verify(&known, &data("sign-file.ko")), VALID);
    }

    #[test]
    fn another_key_is_unknown_and_not_invalid() {
        let known = certificates(&["other.pem", "p384.pem"]);
        for name in ["rsa-sha256.p7s", "rsa-keyid.p7s", "rsa-attributes.p7s"] {
            let found = verify(&known, &with(&data(name)));
            assert_eq!(
                found, "made with a key that is not among the certificates",
                "{name}"
            );
        }
    }

    /// Each byte of the module, and each bit pattern of the signature's last bytes: nothing but what was signed is valid.
    #[test]
    fn an_altered_module_or_signature_is_not_valid() {
        let known = certificates(&["rsa.pem", "p384.pem"]);
        for name in ["rsa-sha256.p7s", "rsa-attributes.p7s", "p384-sha384.p7s"] {
            let signature = data(name);
            let file = with(&signature);
            let module = file.len() - signature.len() - 12 - MAGIC.len();
            for at in (0..module).chain(module + signature.len() - 40..module + signature.len()) {
                let mut altered = file.clone();
                altered[at] ^= 1;
                let found = verify(&known, &altered);
                assert!(found.starts_with("invalid: "), "{name}, byte {at}: {found}");
            }
        }
    }

    /// The kernel refuses a PKCS#7 signature whose trailer says anything else, and what lies between the module and the
    /// signature is signed by nobody.
    #[test]
    fn the_trailer_says_nothing_else() {
        let known = certificates(&["rsa.pem"]);
        let file = with(&data("rsa-sha256.p7s"));
        let trailer = file.len() - MAGIC.len() - 12;
        for at in [0, 1, 5, 6, 7] {
            let mut altered = file.clone();
            altered[trailer + at] = 1;
            let found = verify(&known, &altered);
            assert!(found.starts_with("invalid: its trailer"), "byte {at}: {found}");
        }
        for at in [3, 4] {
            let mut altered = file.clone();
            altered[trailer + at] = 5;
            altered.splice(data("module.bin").len()..data("module.bin").len(), *b"evil!");
            let found = verify(&known, &altered);
            assert!(found.starts_with("invalid: its trailer"), "byte {at}: {found}");
        }
    }

    #[test]
    fn what_no_kernel_takes_is_told_apart() {
        let known = certificates(&["rsa.pem", "ed25519.pem"]);
        for (name, words) in [
            ("rsa-pss", "not checked: RSASSA-PSS"),
            ("rsa-sha3", "not checked: hash algorithm `sha3-256`"),
            ("rsa-embedded", "invalid: the message has a content of its own"),
        ] {
            let found = verify(&known, &with(&data(&format!("{name}.p7s"))));
            assert!(found.starts_with(words), "{name}: {found}");
        }
    }

    #[test]
    fn a_cut_message_is_an_error_and_no_panic() {
        let known = certificates(&["rsa.pem"]);
        let signature = data("rsa-attributes.p7s");
        for length in 1..signature.len() {
            let file = with(&signature[..length]);
            if let Ok(Some(found)) = Signature::of(&file) {
                assert!(
                    !known.verify(&found, &file).to_string().starts_with("valid"),
                    "{length}"
                );
            }
        }
    }
}
