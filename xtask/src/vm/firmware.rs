//! The UEFI firmware of a machine, with a certificate of ours in its signature database `db`.
//!
//! Linux puts the certificates of `db` into its `.platform` keyring, and Debian's kernels accept modules that are
//! signed by one of these. Without a platform key, Secure Boot stays off and the kernel is not locked down.

use anyhow::Result;
use anyhow::bail;

/// `EFI_IMAGE_SECURITY_DATABASE_GUID`, the vendor of `db`.
const SECURITY_DATABASE: [u8; 16] = guid(
    0xd719_b2cb,
    0x3d3a,
    0x4596,
    [0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f],
);
/// `EFI_CERT_X509_GUID`, the type of a list of certificates.
const X509: [u8; 16] = guid(
    0xa5c0_59a1,
    0x94e4,
    0x4aa7,
    [0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72],
);
/// `gEfiAuthenticatedVariableGuid`, which begins a store of variables.
const STORE: [u8; 16] = guid(
    0xaaf3_2c78,
    0x947b,
    0x439a,
    [0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92],
);
/// Who put the certificate there: any value will do.
const OWNER: [u8; 16] = guid(
    0x6b6d_6d2d,
    0x696e,
    0x2d72,
    [0x75, 0x73, 0x74, 0x2d, 0x74, 0x65, 0x73, 0x74],
);

/// Non-volatile, for the boot loader and the running system, written with a signature that carries a time.
const ATTRIBUTES: u32 = 0x27;
/// Length of the header of a store.
const STORE_HEADER: usize = 28;
/// Length of the header of a variable.
const HEADER: usize = 60;
/// What every variable begins with.
const BEGIN: [u8; 2] = [0xaa, 0x55];

const fn guid(a: u32, b: u16, c: u16, d: [u8; 8]) -> [u8; 16] {
    let (a, b, c) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
    [
        a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7],
    ]
}

/// Adds a certificate (DER) as `db` to the variables of a firmware (a file such as `OVMF_VARS_4M.fd`).
pub(crate) fn enrol(variables: &mut [u8], certificate: &[u8]) -> Result<()> {
    let Some(store) = variables.windows(16).position(|window| window == STORE) else {
        bail!("the firmware's file has no store of variables");
    };
    let size = number(variables, store + 16)?;
    let end = store + size;
    let mut at = store + STORE_HEADER;
    // Variables follow one another, each at a multiple of four.
    while variables.get(at..at + 2) == Some(&BEGIN) {
        let length = HEADER + number(variables, at + 36)? + number(variables, at + 40)?;
        at = (at + length).next_multiple_of(4);
    }
    let variable = database(certificate)?;
    match variables.get_mut(at..at + variable.len()) {
        Some(free) if at + variable.len() <= end && free.iter().all(|byte| *byte == 0xff) => {
            free.copy_from_slice(&variable);
            Ok(())
        }
        _ => bail!("the firmware's store of variables has no room for a certificate"),
    }
}

fn number(bytes: &[u8], at: usize) -> Result<usize> {
    match bytes.get(at..at + 4).and_then(|part| part.try_into().ok()) {
        Some(part) => Ok(u32::from_le_bytes(part) as usize),
        None => bail!("the firmware's store of variables is cut off"),
    }
}

/// The variable `db` with one certificate.
fn database(certificate: &[u8]) -> Result<Vec<u8>> {
    let signature = 16 + certificate.len();
    let list = 28 + signature;
    let mut data = X509.to_vec();
    for field in [list, 0, signature] {
        data.extend(u32::try_from(field)?.to_le_bytes());
    }
    data.extend(OWNER);
    data.extend(certificate);
    let name: Vec<u8> = "db\0".encode_utf16().flat_map(u16::to_le_bytes).collect();

    let mut variable = BEGIN.to_vec();
    variable.extend([0x3f, 0]);
    variable.extend(ATTRIBUTES.to_le_bytes());
    variable.extend(0_u64.to_le_bytes());
    // The time of the write, `EFI_TIME`: 2025-01-01.
    variable.extend(2025_u16.to_le_bytes());
    variable.extend([1, 1]);
    variable.extend([0; 12]);
    for field in [0, name.len(), data.len()] {
        variable.extend(u32::try_from(field)?.to_le_bytes());
    }
    variable.extend(SECURITY_DATABASE);
    variable.extend(name);
    variable.extend(data);
    Ok(variable)
}

#[cfg(test)]
mod tests {
    use super::enrol;

    fn empty() -> Vec<u8> {
        let mut bytes = vec![0; 72];
        bytes.extend(super::STORE);
        bytes.extend(2000_u32.to_le_bytes());
        bytes.extend([0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
        bytes.resize(72 + 2000, 0xff);
        bytes
    }

    #[test]
    fn a_second_certificate_follows_the_first() {
        let mut bytes = empty();
        enrol(&mut bytes, &[1; 101]).expect("there is room");
        enrol(&mut bytes, &[2; 101]).expect("there is room");
        let begins = bytes.windows(4).filter(|window| window == &[0xaa, 0x55, 0x3f, 0]);
        assert_eq!(begins.count(), 2);
    }

    #[test]
    fn no_room_and_no_store_are_errors() {
        assert!(enrol(&mut empty(), &[1; 2000]).is_err());
        assert!(enrol(&mut [0xff; 2000], &[1; 100]).is_err());
    }
}
