//! Whether a signature is valid, given somebody who can calculate.

use crate::kmod::IdType;
use crate::kmod::Signature;

use super::Certificate;
use super::PublicKey;
use super::Verification;
use super::message;
use super::message::Signer;

/// Hashes, and verifies with public keys.
pub trait Cryptography {
    /// The digest of some bytes with the hash algorithm of this name (as the kernel writes it: `sha256`); `None` where it
    /// is not known.
    fn digest(&self, hash: &str, bytes: &[u8]) -> Option<Vec<u8>>;

    /// Whether a signature over some bytes, which are hashed first, was made with a key: RSA as PKCS#1 version 1.5, ECDSA
    /// as DER. `None` where the key or the hash algorithm is not known.
    fn verify(&self, key: &PublicKey, hash: &str, bytes: &[u8], signature: &[u8]) -> Option<bool>;
}

/// Verifies the signature of an unpacked module with the certificates that are known, as the kernel does: one signer is
/// enough, and what a certificate says of its validity and usage does not matter.
pub fn verify(
    signature: &Signature,
    file: &[u8],
    certificates: &[Certificate],
    cryptography: &dyn Cryptography,
) -> Verification {
    if signature.id_type != IdType::Pkcs7 {
        return Verification::Unsupported {
            reason: format!(
                "a signature of kind {}, which no kernel since 4.3 takes",
                signature.id_type
            ),
        };
    }
    let (Some(module), Some(block)) = (
        file.get(signature.signed.clone()),
        file.get(signature.block.clone()),
    ) else {
        return invalid("it is not in the file");
    };
    // What lies between the module and its signature is signed by nobody, and the kernel takes no module with it.
    let plain = signature.signed.end == signature.block.start
        && file
            .get(signature.block.end..)
            .and_then(|trailer| trailer.get(..8))
            .is_some_and(|trailer| matches!(trailer, [0, 0, _, 0, 0, 0, 0, 0]));
    if !plain {
        return invalid(
            "its trailer names a signer, a key or an algorithm, which the kernel refuses for PKCS#7",
        );
    }
    let signers = match message::signers(block) {
        Ok(signers) => signers,
        Err(reason) => return Verification::Invalid { reason },
    };
    let mut best = Verification::UnknownKey;
    for signer in &signers {
        for certificate in certificates.iter().filter(|known| signer.id.names(known)) {
            match by(signer, certificate, module, cryptography) {
                valid @ Verification::Valid { .. } => return valid,
                other => best = other,
            }
        }
    }
    best
}

fn by(
    signer: &Signer,
    certificate: &Certificate,
    module: &[u8],
    cryptography: &dyn Cryptography,
) -> Verification {
    let unsupported = |reason: String| Verification::Unsupported { reason };
    if signer.pss {
        return unsupported("RSASSA-PSS, which no kernel takes for modules".to_owned());
    }
    let hash = signer.hash.as_str();
    let signed = match &signer.attributes {
        None => module,
        Some(attributes) => {
            let Some(digest) = cryptography.digest(hash, module) else {
                return unsupported(format!("hash algorithm `{hash}`"));
            };
            match &attributes.message_digest {
                Some(expected) if *expected == digest => attributes.signed.as_slice(),
                Some(_) => return invalid("the module was changed after it was signed"),
                None => return invalid("its signed attributes do not hold the digest of the module"),
            }
        }
    };
    match cryptography.verify(&certificate.key, hash, signed, &signer.signature) {
        Some(true) => Verification::Valid {
            certificate: certificate.subject.clone(),
        },
        Some(false) => invalid("the module or the signature was changed after signing"),
        None => unsupported(format!(
            "hash algorithm `{hash}` with the key of `{}`",
            certificate.subject
        )),
    }
}

fn invalid(reason: &str) -> Verification {
    Verification::Invalid {
        reason: reason.to_owned(),
    }
}
