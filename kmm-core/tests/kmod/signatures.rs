use kmm_core::kmod::IdType;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::KeyIdKind;
use kmm_core::kmod::PlainOnly;
use kmm_core::kmod::Rendering;

use crate::builder::Object;
use crate::builder::der;

const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const SHA256: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x02\x01";
const RSA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";

fn wrap(signer: &[u8]) -> Vec<u8> {
    let data = der(
        0x30,
        &[
            &der(2, &[&[1]]),
            &der(0x31, &[]),
            &der(0x30, &[&der(6, &[&SIGNED_DATA[..8], &[1]])]),
            &der(0x31, &[signer]),
        ],
    );
    der(0x30, &[&der(6, &[SIGNED_DATA]), &der(0xa0, &[&data])])
}

fn signer(identifier: &[u8], hash: &[u8]) -> Vec<u8> {
    let algorithms = [
        der(0x30, &[&der(6, &[hash])]),
        der(0x30, &[&der(6, &[RSA]), &[5, 0]]),
    ];
    let parts = [
        &der(2, &[&[1]]),
        identifier,
        &algorithms[0],
        &algorithms[1],
        &der(4, &[&[0xab; 22]]),
    ];
    der(0x30, &parts)
}

/// A signature message by issuer and serial number.
pub(crate) fn message(serial: &[u8], name: &[u8]) -> Vec<u8> {
    let part = |oid: &[u8], text: &[u8]| der(0x31, &[&der(0x30, &[&der(6, &[oid]), &der(12, &[text])])]);
    let issuer = der(
        0x30,
        &[&part(b"\x55\x04\x0a", b"Company"), &part(b"\x55\x04\x03", name)],
    );
    wrap(&signer(&der(0x30, &[&issuer, &der(2, &[serial])]), SHA256))
}

fn signed(block: &[u8]) -> Object {
    let mut object = Object::module(&["name=a"]);
    object.sign(2, b"", b"", block);
    object
}

#[test]
fn issuer_and_serial_number_are_read() {
    for (serial, digits) in [
        (&b"\x00\xff\x01"[..], &b"\xff\x01"[..]),
        (b"\xff\x01", b"\xff"),
        (b"\x00", b""),
        (b"\x12\x34", b"\x12\x34"),
    ] {
        let object = signed(&message(serial, b"Build key"));
        let bytes = object.build();
        let signature = KernelObject::read(&bytes, &PlainOnly).unwrap().signature.unwrap();
        assert_eq!(signature.id_type, IdType::Pkcs7);
        assert_eq!(signature.signer, b"Build key");
        assert_eq!(
            (signature.key_id.as_slice(), signature.key_id_kind),
            (digits, KeyIdKind::Serial)
        );
        assert_eq!(
            (signature.hash.as_str(), signature.key_algorithm.as_str()),
            ("sha256", "rsa")
        );
        assert_eq!(signature.signature, [0xab; 22]);
        assert_eq!(signature.signed, 0..bytes.len() - object.tail.len());
        assert!(signature.shown_by_modinfo());
    }
}

#[test]
fn modinfo_shows_a_signature_in_columns() {
    let object = signed(&message(b"\x12\x34", b"Build key"));
    let read = KernelObject::read(&object.build(), &PlainOnly).unwrap();
    let text = Rendering::default().text("a.ko", &read.info);
    let columns = vec!["AB"; 20].join(":");
    let expected = format!(
        "filename:       a.ko\nname:           a\nsig_id:         PKCS#7\nsigner:         Build key\n\
         sig_key:        12:34\nsig_hashalgo:   sha256\nsignature:      {columns}:\n\t\tAB:AB\n"
    );
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn key_identifiers_and_unknown_hashes_are_read_but_not_shown() {
    let by_key = wrap(&signer(&der(0x80, &[b"\x01\x02"]), SHA256));
    let read = KernelObject::read(&signed(&by_key).build(), &PlainOnly).unwrap();
    let signature = read.signature.unwrap();
    assert_eq!(signature.key_id_kind, KeyIdKind::SubjectKeyIdentifier);
    assert!(!signature.shown_by_modinfo());
    let issuer = der(0x30, &[&der(0x30, &[]), &der(2, &[&[1]])]);
    let odd = wrap(&signer(&issuer, b"\x2a\x03\x81\x04"));
    let signature = KernelObject::read(&signed(&odd).build(), &PlainOnly)
        .unwrap()
        .signature
        .unwrap();
    assert_eq!(signature.hash, "1.2.3.132");
    assert!(!signature.shown_by_modinfo());
}

#[test]
fn old_trailers_name_signer_and_key() {
    let mut object = Object::module(&["name=a"]);
    object.sign(1, b"Red Hat", b"\x01\x02\x03", &[9; 5]);
    let signature = KernelObject::read(&object.build(), &PlainOnly)
        .unwrap()
        .signature
        .unwrap();
    assert_eq!(
        (signature.id_type, signature.signer.as_slice()),
        (IdType::X509, &b"Red Hat"[..])
    );
    assert_eq!(
        (signature.key_id.as_slice(), signature.hash.as_str()),
        (&[1, 2, 3][..], "sha256")
    );
    assert_eq!(signature.signature, [9; 5]);
}

#[test]
fn a_trailer_without_sense_is_an_error_with_its_place() {
    let mut object = signed(&message(b"\x01", b"x"));
    let length = object.tail.len();
    let damage = |object: &mut Object, back: usize, value: u8| object.tail[length - 28 - back] = value;
    for (back, value, expected) in [
        (10, 3, "identifier type `3`, allowed are 0, 1 and 2"),
        (12, 2, "algorithm `2`, allowed are 0 (DSA) and 1 (RSA)"),
        (11, 9, "hash `9`, the last one is 8"),
        (4, 0xff, "there are"),
    ] {
        let mut object = object.clone();
        damage(&mut object, back, value);
        let error = KernelObject::read(&object.build(), &PlainOnly)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("signature trailer, at byte ") && error.contains(expected),
            "{error}"
        );
    }
    object.tail[0] = 0x31;
    let error = KernelObject::read(&object.build(), &PlainOnly)
        .unwrap_err()
        .to_string();
    assert!(error.contains("message: tag `0x31`, it has 0x30"), "{error}");
}
