//! Targets that read what signs a module, and whose key it is.

use kmm_core::kmod;
use kmm_core::kmod::Signature;
use kmm_core::sign::Certificate;
use kmm_core::sign::Verification;
use kmm_core::sign::Verifier;
use kmm_files::Certificates;

/// The module that the messages of the corpus sign.
const MODULE: &[u8] = include_bytes!("../../kmm-files/tests/signatures/module.bin");

/// The certificates that they were signed with.
const KNOWN: [&[u8]; 3] = [
    include_bytes!("../../kmm-files/tests/signatures/rsa.pem"),
    include_bytes!("../../kmm-files/tests/signatures/p384.pem"),
    include_bytes!("../../kmm-files/tests/signatures/ed25519.pem"),
];

/// A file of certificates, and the PKCS#7 message that signs a module: read or refused, and a module that was changed is
/// never one that is signed.
pub fn certificate(data: &[u8]) {
    let mut known = Certificates::default();
    for file in KNOWN {
        known.add(file).expect("a certificate of the tests");
    }
    if let Ok(found) = Certificate::read(data) {
        assert!(!found.is_empty(), "a file without certificates was read");
        known.add(data).expect("what was read once is read again");
    }
    verify(&known, MODULE, data);
    let changed = [MODULE, b"."].concat();
    if let Some(found) = verify(&known, &changed, data) {
        assert!(
            !matches!(found, Verification::Valid { .. }),
            "the signature of another module is valid"
        );
    }
}

/// What is said of a module with a message behind it, as `sign-file` puts it there.
fn verify(known: &Certificates, module: &[u8], message: &[u8]) -> Option<Verification> {
    let length = u32::try_from(message.len()).ok()?.to_be_bytes();
    let file = [module, message, &[0, 0, 2, 0, 0, 0, 0, 0], &length, kmod::MAGIC].concat();
    let signature = Signature::of(&file).ok()??;
    Some(known.verify(&signature, &file))
}
