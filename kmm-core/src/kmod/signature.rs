//! The signature at the end of a module: what it is, and who made it. Whether it is valid, nobody asks here.
//!
//! Layout of a signed file: the module, the signer's name, the key identifier, the signature, 12 bytes that describe
//! the three, and 28 bytes of magic. PKCS#7 signatures, the only ones that kernels since 4.3 take, leave the first
//! two empty: the signer stands inside.

use std::fmt;
use std::ops::Range;

use crate::kmod::ByteSource;
use crate::kmod::KmodError;
use crate::kmod::der;
use crate::kmod::der::Der;
use crate::kmod::elf::until_nul;

/// What the last bytes of a signed file are.
pub const MAGIC: &[u8] = b"~Module signature appended~\n";

const TRAILER: usize = 12;
const HASHES: [&str; 9] = [
    "md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3",
];

/// A signature appended to a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// How the key is identified.
    pub id_type: IdType,
    /// Who signed: the common name of the certificate's issuer, or the name in the trailer of old modules.
    pub signer: Vec<u8>,
    /// Whose key: serial number or key identifier, most significant byte first.
    pub key_id: Vec<u8>,
    /// What `key_id` is.
    pub key_id_kind: KeyIdKind,
    /// The hash algorithm, as the kernel names it; a dotted object identifier if it is none of those.
    pub hash: String,
    /// The algorithm of the key: `rsa`, `ecdsa`, `mldsa`; a dotted object identifier if it is none of those.
    pub key_algorithm: String,
    /// The signature itself.
    pub signature: Vec<u8>,
    /// Which bytes of the file are signed: all before the signature.
    pub signed: Range<usize>,
    /// Where the signature block (for PKCS#7, the message) lies in the file.
    pub block: Range<usize>,
}

/// How a trailer says that the key is identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// OpenPGP key; never used by a released kernel.
    Pgp,
    /// Name and subject key identifier in the trailer; kernels 3.7 to 4.2.
    X509,
    /// A PKCS#7 message; kernels since 4.3.
    Pkcs7,
}

/// What identifies the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyIdKind {
    /// The serial number of the certificate.
    Serial,
    /// The subject key identifier of the certificate.
    SubjectKeyIdentifier,
}

impl fmt::Display for IdType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pgp => "PGP",
            Self::X509 => "X509",
            Self::Pkcs7 => "PKCS#7",
        })
    }
}

impl Signature {
    /// The signature at the end of an unpacked file; `None` where the magic is not there.
    ///
    /// # Errors
    ///
    /// When the magic is there, but what is before it is no signature.
    pub fn of(bytes: &[u8]) -> Result<Option<Self>, KmodError> {
        Self::at_end_of(&bytes)
    }

    /// The same of a file of which only the end is looked at.
    pub(crate) fn at_end_of(source: &dyn ByteSource) -> Result<Option<Self>, KmodError> {
        let before = source.size().checked_sub(MAGIC.len());
        let Some(rest) = before.filter(|at| source.bytes(*at..source.size()) == Some(MAGIC)) else {
            return Ok(None);
        };
        let damaged = |at: usize, reason: String| KmodError::damaged("signature trailer", at as u64, reason);
        let trailer = rest
            .checked_sub(TRAILER)
            .and_then(|at| Some((at, source.bytes(at..rest)?)));
        let Some((at, &[algorithm, hash, id_type, signer, key_id, _, _, _, a, b, c, d])) = trailer else {
            return Err(damaged(
                0,
                format!("{rest} bytes before the magic, the trailer alone has {TRAILER}"),
            ));
        };
        let id_type = match id_type {
            0 => IdType::Pgp,
            1 => IdType::X509,
            2 => IdType::Pkcs7,
            other => {
                return Err(damaged(
                    at + 2,
                    format!("identifier type `{other}`, allowed are 0, 1 and 2"),
                ));
            }
        };
        if algorithm > 1 {
            return Err(damaged(
                at,
                format!("algorithm `{algorithm}`, allowed are 0 (DSA) and 1 (RSA)"),
            ));
        }
        let Some(hash) = HASHES.get(usize::from(hash)) else {
            return Err(damaged(
                at + 1,
                format!("hash `{hash}`, the last one is {}", HASHES.len() - 1),
            ));
        };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let named = usize::from(signer) + usize::from(key_id);
        let start = at
            .checked_sub(length)
            .and_then(|start| Some((start, start.checked_sub(named)?)));
        let Some((block, signed)) = start.filter(|_| length > 0) else {
            let reason =
                format!("signature of {length} bytes with {named} bytes of names, there are {at} before it");
            return Err(damaged(at + 8, reason));
        };
        let ranges = (0..signed, block..at);
        let content = source.bytes(block..at).unwrap_or_default();
        if id_type == IdType::Pkcs7 {
            let message = |reason| KmodError::damaged("signature (PKCS#7)", block as u64, reason);
            return pkcs7(content, ranges).map(Some).map_err(message);
        }
        let part = |range| source.bytes(range).unwrap_or_default().to_vec();
        Ok(Some(Self {
            id_type,
            signer: part(signed..signed + usize::from(signer)),
            key_id: part(signed + usize::from(signer)..block),
            key_id_kind: KeyIdKind::SubjectKeyIdentifier,
            hash: (*hash).to_owned(),
            key_algorithm: if algorithm == 0 { "dsa" } else { "rsa" }.to_owned(),
            signature: content.to_vec(),
            signed: ranges.0,
            block: ranges.1,
        }))
    }

    /// Whose key, in hexadecimal digits.
    pub fn shown_key_id(&self) -> String {
        self.key_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `modinfo` shows it: its PKCS#7 reader knows issuer and serial only, and nine hash algorithms.
    pub fn shown_by_modinfo(&self) -> bool {
        self.id_type != IdType::Pkcs7
            || (self.key_id_kind == KeyIdKind::Serial && HASHES.contains(&self.hash.as_str()))
    }
}

/// Reads the first signer of a SignedData message.
fn pkcs7(content: &[u8], (signed, block): (Range<usize>, Range<usize>)) -> Result<Signature, String> {
    let mut info = Der::new(Der::new(content).expect(der::SEQUENCE, "message")?);
    let kind = info.expect(der::OID, "content type")?;
    if kind != [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02] {
        return Err(format!(
            "content type `{}`, it is 1.2.840.113549.1.7.2 (signed data)",
            der::dotted(kind)
        ));
    }
    let mut data = Der::new(info.expect(der::CONTEXT_0, "content")?);
    let mut data = Der::new(data.expect(der::SEQUENCE, "signed data")?);
    data.expect(der::INTEGER, "version")?;
    data.expect(der::SET, "digest algorithms")?;
    data.expect(der::SEQUENCE, "content info")?;
    data.skip(der::CONTEXT_0)?;
    data.skip(der::CONTEXT_1)?;
    let mut signers = Der::new(data.expect(der::SET, "signers")?);
    let mut signer = Der::new(signers.expect(der::SEQUENCE, "signer")?);
    signer.expect(der::INTEGER, "signer version")?;
    let (name, key_id, key_id_kind) = match signer.peek() {
        Some(der::CONTEXT_0_BYTES) => (
            Vec::new(),
            signer.next()?.contents.to_vec(),
            KeyIdKind::SubjectKeyIdentifier,
        ),
        _ => {
            let mut issuer = Der::new(signer.expect(der::SEQUENCE, "issuer and serial number")?);
            let name = common_name(issuer.expect(der::SEQUENCE, "issuer")?)?;
            let serial = magnitude(issuer.expect(der::INTEGER, "serial number")?);
            (name.to_vec(), serial, KeyIdKind::Serial)
        }
    };
    let digest =
        Der::new(signer.expect(der::SEQUENCE, "digest algorithm")?).expect(der::OID, "digest algorithm")?;
    signer.skip(der::CONTEXT_0)?;
    let key = Der::new(signer.expect(der::SEQUENCE, "key algorithm")?).expect(der::OID, "key algorithm")?;
    Ok(Signature {
        id_type: IdType::Pkcs7,
        signer: name,
        key_id,
        key_id_kind,
        hash: hash_name(digest),
        key_algorithm: key_name(key),
        signature: signer.expect(der::OCTETS, "signature")?.to_vec(),
        signed,
        block,
    })
}

/// The common name in a distinguished name, else its last part: what `modinfo` calls the signer.
pub(crate) fn common_name(name: &[u8]) -> Result<&[u8], String> {
    let mut sets = Der::new(name);
    let mut last: &[u8] = &[];
    while sets.peek().is_some() {
        let mut parts = Der::new(sets.expect(der::SET, "issuer")?);
        while parts.peek().is_some() {
            let mut part = Der::new(parts.expect(der::SEQUENCE, "issuer")?);
            let kind = part.expect(der::OID, "issuer")?;
            let text = part.next()?.contents;
            last = until_nul(text).unwrap_or(text);
            if kind == [0x55, 0x04, 0x03] {
                return Ok(last);
            }
        }
    }
    Ok(last)
}

/// The bytes of a number without its sign, as big-endian digits without leading zeros.
fn magnitude(integer: &[u8]) -> Vec<u8> {
    let negative = integer.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut digits = integer.to_vec();
    if negative {
        let mut carry = true;
        for byte in digits.iter_mut().rev() {
            let (value, over) = (!*byte).overflowing_add(u8::from(carry));
            *byte = value;
            carry = over;
        }
    }
    let zeros = digits.iter().take_while(|byte| **byte == 0).count();
    digits.split_off(zeros)
}

pub(crate) fn hash_name(oid: &[u8]) -> String {
    let name = match oid {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x04] => "md4",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05] => "md5",
        [0x2b, 0x0e, 0x03, 0x02, 0x1a] => "sha1",
        [0x2b, 0x24, 0x03, 0x02, 0x01] => "rmd160",
        [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11] => "sm3",
        [
            0x60,
            0x86,
            0x48,
            0x01,
            0x65,
            0x03,
            0x04,
            0x02,
            last @ (1..=4 | 8..=10),
        ] => match last {
            1 => "sha256",
            2 => "sha384",
            3 => "sha512",
            4 => "sha224",
            8 => "sha3-256",
            9 => "sha3-384",
            _ => "sha3-512",
        },
        other => return der::dotted(other),
    };
    name.to_owned()
}

fn key_name(oid: &[u8]) -> String {
    let name = match oid {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, ..] => "rsa",
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, ..] => "ecdsa",
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 9..=12] => "ecdsa",
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 17..=19] => "mldsa",
        other => return der::dotted(other),
    };
    name.to_owned()
}
