//! The PKCS#7 message that signs a module (RFC 5652, SignedData), with the signed attributes that `kmod` leaves out.

use crate::kmod::der;
use crate::kmod::der::Der;
use crate::kmod::signature::hash_name;

use super::certificate::Certificate;

/// Signers that are read of one message at most.
const MOST: usize = 16;

/// One who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) id: SignerId,
    /// The hash algorithm, as the kernel names it.
    pub(super) hash: String,
    pub(super) attributes: Option<Attributes>,
    /// Whether the signature is RSASSA-PSS, and not PKCS#1 version 1.5.
    pub(super) pss: bool,
    pub(super) signature: Vec<u8>,
}

/// Which certificate is that of a signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SignerId {
    /// The issuer's name and the serial number, as DER has them.
    IssuerAndSerial { issuer: Vec<u8>, serial: Vec<u8> },
    /// The identifier of the key.
    KeyIdentifier(Vec<u8>),
}

/// Attributes that are signed in place of the content; one of them is the content's digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    /// The bytes that are signed.
    pub(super) signed: Vec<u8>,
    pub(super) message_digest: Option<Vec<u8>>,
}

impl SignerId {
    pub(super) fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                *issuer == certificate.issuer && *serial == certificate.serial
            }
            Self::KeyIdentifier(identifier) => certificate.key_identifier.as_ref() == Some(identifier),
        }
    }
}

/// The signers of a message whose content lies elsewhere.
pub(super) fn signers(message: &[u8]) -> Result<Vec<Signer>, String> {
    let mut info = Der::new(Der::new(message).expect(der::SEQUENCE, "message")?);
    info.expect(der::OID, "content type")?;
    let mut data = Der::new(info.expect(der::CONTEXT_0, "content")?);
    let mut data = Der::new(data.expect(der::SEQUENCE, "signed data")?);
    data.expect(der::INTEGER, "version")?;
    data.expect(der::SET, "digest algorithms")?;
    let mut content = Der::new(data.expect(der::SEQUENCE, "content info")?);
    content.expect(der::OID, "type of the content")?;
    if content.peek().is_some() {
        return Err("the message has a content of its own, and so does not sign the module".to_owned());
    }
    data.skip(der::CONTEXT_0)?;
    data.skip(der::CONTEXT_1)?;
    let mut list = Der::new(data.expect(der::SET, "signers")?);
    let mut signers = Vec::new();
    while list.peek().is_some() {
        if signers.len() == MOST {
            return Err(format!("more than {MOST} signers"));
        }
        signers.push(signer(list.expect(der::SEQUENCE, "signer")?)?);
    }
    Ok(signers)
}

fn signer(contents: &[u8]) -> Result<Signer, String> {
    let mut fields = Der::new(contents);
    fields.expect(der::INTEGER, "signer version")?;
    let id = if fields.peek() == Some(der::CONTEXT_0_BYTES) {
        SignerId::KeyIdentifier(fields.next()?.contents.to_vec())
    } else {
        let mut issuer = Der::new(fields.expect(der::SEQUENCE, "issuer and serial number")?);
        SignerId::IssuerAndSerial {
            issuer: issuer.expect(der::SEQUENCE, "issuer")?.to_vec(),
            serial: issuer.expect(der::INTEGER, "serial number")?.to_vec(),
        }
    };
    let mut digest = Der::new(fields.expect(der::SEQUENCE, "digest algorithm")?);
    let hash = hash_name(digest.expect(der::OID, "digest algorithm")?);
    let attributes = match fields.peek() {
        Some(der::CONTEXT_0) => Some(attributes(fields.whole()?)?),
        _ => None,
    };
    let mut algorithm = Der::new(fields.expect(der::SEQUENCE, "key algorithm")?);
    let algorithm = algorithm.expect(der::OID, "key algorithm")?;
    Ok(Signer {
        id,
        hash,
        attributes,
        pss: algorithm == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
        signature: fields.expect(der::OCTETS, "signature")?.to_vec(),
    })
}

fn attributes(element: &[u8]) -> Result<Attributes, String> {
    // What is signed is a SET; in the message it stands as `[0]`.
    let mut signed = element.to_vec();
    if let Some(tag) = signed.first_mut() {
        *tag = der::SET;
    }
    let mut list = Der::new(Der::new(element).next()?.contents);
    let mut message_digest = None;
    while list.peek().is_some() {
        let mut attribute = Der::new(list.expect(der::SEQUENCE, "signed attribute")?);
        let kind = attribute.expect(der::OID, "signed attribute")?;
        let mut values = Der::new(attribute.expect(der::SET, "signed attribute")?);
        if kind == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04] {
            let digest = values.expect(der::OCTETS, "message digest")?.to_vec();
            if message_digest.replace(digest).is_some() {
                return Err("two message digests".to_owned());
            }
        }
    }
    Ok(Attributes {
        signed,
        message_digest,
    })
}
