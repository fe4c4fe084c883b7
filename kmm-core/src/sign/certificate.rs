//! X.509 certificates: as much of them as verifying a module's signature needs.

use thiserror::Error;

use crate::kmod::der;
use crate::kmod::der::Der;
use crate::kmod::signature::common_name;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Certificates that are read of one file at most.
const MOST: usize = 1000;

/// A certificate: whose key it is, and the key.
///
/// Validity and key usage are not looked at: the kernel does not look at them when it loads a module either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The common name of its subject.
    pub subject: String,
    /// The name of its issuer, DER.
    pub issuer: Vec<u8>,
    /// Its serial number, as DER has it.
    pub serial: Vec<u8>,
    /// The identifier of its key, where it names one.
    pub key_identifier: Option<Vec<u8>>,
    /// Its key.
    pub key: PublicKey,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// What it is for.
    pub algorithm: KeyAlgorithm,
    /// The key: for RSA the DER of modulus and exponent, for an elliptic curve the point.
    pub bytes: Vec<u8>,
}

/// The kind of a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA.
    Rsa,
    /// The elliptic curve P-256.
    P256,
    /// The elliptic curve P-384.
    P384,
    /// The elliptic curve P-521.
    P521,
    /// Something else: its dotted object identifier.
    Other(String),
}

/// Why a file holds no certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no certificate: {reason}")]
pub struct CertificateError {
    reason: String,
}

impl Certificate {
    /// Reads the certificates of a file: PEM, one or several, with other parts between; or DER, one.
    ///
    /// # Errors
    ///
    /// When there is none, or one cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let refuse = |reason: String| CertificateError { reason };
        let Some(text) = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| text.contains("-----BEGIN"))
        else {
            if bytes.first() != Some(&der::SEQUENCE) {
                return Err(refuse(format!("neither PEM, which has `{BEGIN}`, nor DER")));
            }
            return Ok(vec![Self::parse(bytes).map_err(refuse)?]);
        };
        let mut found = Vec::new();
        for part in text.split(BEGIN).skip(1) {
            let part = part.split_once(END).map(|(part, _)| part);
            let part = part.ok_or_else(|| refuse(format!("`{BEGIN}` without `{END}`")))?;
            if found.len() == MOST {
                return Err(refuse(format!("more than {MOST} in one file")));
            }
            let der =
                base64(part).ok_or_else(|| refuse("a certificate in PEM that is no base64".to_owned()))?;
            found.push(Self::parse(&der).map_err(refuse)?);
        }
        if found.is_empty() {
            return Err(refuse(format!("PEM without `{BEGIN}`")));
        }
        Ok(found)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut outer = Der::new(Der::new(bytes).expect(der::SEQUENCE, "certificate")?);
        let mut fields = Der::new(outer.expect(der::SEQUENCE, "certificate")?);
        fields.skip(der::CONTEXT_0)?;
        let serial = fields.expect(der::INTEGER, "serial number")?.to_vec();
        fields.expect(der::SEQUENCE, "signature algorithm")?;
        let issuer = fields.expect(der::SEQUENCE, "issuer")?.to_vec();
        fields.expect(der::SEQUENCE, "validity")?;
        let subject = common_name(fields.expect(der::SEQUENCE, "subject")?)?;
        let key = public_key(fields.expect(der::SEQUENCE, "public key")?)?;
        let mut key_identifier = None;
        while fields.peek().is_some() {
            let field = fields.next()?;
            if field.tag == der::CONTEXT_3 {
                key_identifier = subject_key_identifier(field.contents)?;
            }
        }
        Ok(Self {
            subject: String::from_utf8_lossy(subject).into_owned(),
            issuer,
            serial,
            key_identifier,
            key,
        })
    }
}

fn public_key(contents: &[u8]) -> Result<PublicKey, String> {
    let mut fields = Der::new(contents);
    let mut algorithm = Der::new(fields.expect(der::SEQUENCE, "algorithm of the key")?);
    let kind = algorithm.expect(der::OID, "algorithm of the key")?;
    let algorithm = match kind {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => KeyAlgorithm::Rsa,
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => match algorithm.expect(der::OID, "curve")? {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => KeyAlgorithm::P256,
            [0x2b, 0x81, 0x04, 0x00, 0x22] => KeyAlgorithm::P384,
            [0x2b, 0x81, 0x04, 0x00, 0x23] => KeyAlgorithm::P521,
            other => KeyAlgorithm::Other(der::dotted(other)),
        },
        other => KeyAlgorithm::Other(der::dotted(other)),
    };
    let bytes = match fields.expect(der::BITS, "public key")? {
        [0, bytes @ ..] => bytes.to_vec(),
        _ => return Err("public key: it does not end with a whole byte".to_owned()),
    };
    Ok(PublicKey { algorithm, bytes })
}

fn subject_key_identifier(contents: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut list = Der::new(Der::new(contents).expect(der::SEQUENCE, "extensions")?);
    while list.peek().is_some() {
        let mut extension = Der::new(list.expect(der::SEQUENCE, "extension")?);
        let kind = extension.expect(der::OID, "extension")?;
        extension.skip(der::BOOLEAN)?;
        let value = extension.expect(der::OCTETS, "extension")?;
        if kind == [0x55, 0x1d, 0x0e] {
            let identifier = Der::new(value).expect(der::OCTETS, "subject key identifier")?;
            return Ok(Some(identifier.to_vec()));
        }
    }
    Ok(None)
}

/// The bytes of base64 text with padding; white space does not count.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0_u32, 0, 0);
    for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = (bits << 6) | u32::from(value);
        count += 1;
        if count == 4 {
            bytes.extend(bits.to_be_bytes().get(1..)?);
            (bits, count) = (0, 0);
        }
    }
    match (count, padding) {
        (0, 0) => {}
        (2, 2) => bytes.push((bits >> 4) as u8),
        (3, 1) => bytes.extend([(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => return None,
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_whole_or_not_at_all() {
        assert_eq!(base64("TWFu"), Some(b"Man".to_vec()));
        assert_eq!(base64("TW\nE="), Some(b"Ma".to_vec()));
        assert_eq!(base64("TQ=="), Some(b"M".to_vec()));
        assert_eq!(base64(""), Some(Vec::new()));
        for wrong in ["T", "TQ", "TQ=", "TQ==TQ==", "T!==", "TWFu="] {
            assert_eq!(base64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_a_reason() {
        for (bytes, words) in [
            (&b"hello"[..], "neither PEM"),
            (b"", "neither PEM"),
            (b"\x30\x05hi", "cut off"),
            (b"-----BEGIN PRIVATE KEY-----\n", "PEM without"),
            (b"-----BEGIN CERTIFICATE-----\nTWFu", "without `-----END"),
            (
                b"-----BEGIN CERTIFICATE-----\nT-----END CERTIFICATE-----",
                "no base64",
            ),
            (b"\x30\x02\x30\x00", "serial number"),
        ] {
            let error = Certificate::read(bytes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
