use kmm_core::depmod::ModuleFacts;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::ModuleInfo;
use kmm_core::kmod::PlainOnly;
use kmm_core::kmod::Rendering;
use kmm_core::kmod::json;
use proptest::prelude::*;

use crate::builder::Object;

fn rich(wide: bool, big_endian: bool) -> Object {
    let mut object = Object::new(wide, big_endian);
    object.modinfo(&[
        "name=a",
        "alias=x",
        "parm=p:d",
        "parmtype=p:int",
        "vermagic=6.1.0 SMP ",
    ]);
    object.imports(&["_printk", "?weak"]);
    object.versions(&[("_printk", 1), ("module_layout", 2)]);
    object.extended_versions(&[("_printk", 1)]);
    object.exports(&[("give", 3, "NS", true)]);
    object.sign(2, b"", b"", &crate::signatures::message(b"\x01\x02", b"Signer"));
    object
}

/// Everything that reads a file; none of it may panic.
fn read_all(bytes: &[u8]) {
    let _ = KernelObject::read(bytes, &PlainOnly);
    let _ = ModuleFacts::read(bytes, &PlainOnly);
    if let Ok(info) = ModuleInfo::read(bytes, &PlainOnly) {
        let _ = Rendering::default().text("x", &info);
        let _ = json("x", &info);
    }
}

fn error_of(object: &Object) -> String {
    KernelObject::read(&object.build(), &PlainOnly)
        .unwrap_err()
        .to_string()
}

#[test]
fn every_truncation_is_refused_or_unsigned() {
    for wide in [true, false] {
        let bytes = rich(wide, false).build();
        let whole = KernelObject::read(&bytes, &PlainOnly).unwrap();
        for length in 0..bytes.len() {
            read_all(&bytes[..length]);
            if let Ok(read) = KernelObject::read(&bytes[..length], &PlainOnly) {
                assert!(read.signature.is_none() && whole.signature.is_some(), "{length}");
            }
        }
    }
}

#[test]
fn every_single_byte_may_be_anything() {
    let bytes = rich(true, false).build();
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            read_all(&bytes);
        }
    }
}

#[test]
fn errors_say_where_and_why() {
    let good = rich(true, false);
    for (at, value, expected) in [
        (
            4,
            3,
            "ELF header, at byte 0x4: class `3`, allowed are 1 (32-bit) and 2 (64-bit)",
        ),
        (5, 0, "ELF header, at byte 0x5: data encoding `0`, allowed are"),
        (
            0x10,
            2,
            "ELF header, at byte 0x10: file type `2`, a kernel object has 1 (relocatable)",
        ),
        (
            0x3a,
            63,
            "ELF header, at byte 0x3a: section headers of `63` bytes, they have 64",
        ),
        (0x3d, 0xff, "section headers, at byte "),
        (
            0x3e,
            0,
            "ELF header, at byte 0x3e: section names in section `0`, there are",
        ),
    ] {
        let mut bytes = good.build();
        bytes[at] = value;
        let error = KernelObject::read(&bytes, &PlainOnly).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn sections_are_checked() {
    let section = |name: &str, bytes: &[u8]| {
        let mut object = Object::module(&["name=a"]);
        object.section(name, bytes);
        object
    };
    let mut unended = Object::new(true, false);
    unended.section(".modinfo", b"name=a");
    let mut nowhere = Object::module(&["name=a"]);
    nowhere.exports(&[("give", 1, "", false)]);
    nowhere
        .symbols
        .iter_mut()
        .filter(|symbol| symbol.0 == "__crc_give")
        .for_each(|symbol| symbol.1 = 1 << 40);
    for (object, expected) in [
        (
            unended,
            "section 2 (`.modinfo`), at byte 0x3c0: the last string has no end",
        ),
        (
            Object::new(true, false),
            "there is no section `.modinfo`, which every kernel object has",
        ),
        (
            section("__versions", &[0; 65]),
            "65 bytes are no multiple of 64, the size of an entry",
        ),
        (section("__versions", &[1; 64]), "the name of an entry has no end"),
        (
            section("__version_ext_crcs", &[0; 4]),
            "there is no section `__version_ext_names`",
        ),
        (nowhere, "the checksum of `give` lies outside of section"),
    ] {
        let error = error_of(&object);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn sections_that_lie_on_each_other_are_refused() {
    let mut bytes = Object::module(&["name=a", "license=GPL"]).build();
    // The offset of `.modinfo` (section 2) becomes one within section 1.
    let table = u64::from_le_bytes(bytes[0x28..0x30].try_into().unwrap()) as usize;
    let at = table + 2 * 64 + 24;
    let offset = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    bytes[at..at + 8].copy_from_slice(&(offset - 8).to_le_bytes());
    let error = KernelObject::read(&bytes, &PlainOnly).unwrap_err().to_string();
    assert!(
        error.contains("it lies on section 1 (`.gnu.linkonce.this_module`), which ends at 0x3c0"),
        "{error}"
    );
}

#[test]
fn names_that_overlap_take_no_time() {
    // A hundred thousand symbols with one name of 64 KiB: to its end each time, that would be 6.5 thousand million
    // bytes.
    let mut object = Object::module(&["name=a"]);
    let mut table = vec![0; 24];
    for _ in 0..100_000 {
        table.extend([1, 0, 0, 0, 0x10]);
        table.resize(table.len() + 19, 0);
    }
    object.section(".symtab", &table);
    let mut names = vec![b'a'; 1 << 16];
    names[0] = 0;
    names.push(0);
    object.section(".strtab", &names);
    let error = error_of(&object);
    assert!(
        error.starts_with("symbol, at byte 0x1: the name at 1 has no end within 4096 bytes"),
        "{error}"
    );
    read_all(&object.build());
}

/// Each of many names ends where the others do: a table of some kilobytes would come to gigabytes of names.
#[test]
fn names_that_lie_in_each_other_take_no_memory() {
    let mut object = Object::module(&["name=a"]);
    let mut table = vec![0; 24];
    for number in 0..4000_u32 {
        table.extend((1 + number % 4000).to_le_bytes());
        table.push(0x10);
        table.resize(table.len() + 19, 0);
    }
    object.section(".symtab", &table);
    let mut names = vec![b'a'; 4002];
    names[0] = 0;
    names.push(0);
    object.section(".strtab", &names);
    let error = error_of(&object);
    assert!(
        error.contains("the names up to here have more bytes than the file, which has"),
        "{error}"
    );
    // Each byte that is kept shows as four.
    let file = object.build();
    let facts = ModuleFacts::read(&file, &PlainOnly).unwrap();
    assert!(format!("{facts:?}").len() < 5 * file.len());
}

#[test]
fn namespaces_take_no_memory() {
    let long = "n".repeat(4000);
    let exports: Vec<(String, u32, &str, bool)> = (0..40)
        .map(|number| {
            (
                format!("s{number}"),
                1,
                if number == 0 { long.as_str() } else { "" },
                false,
            )
        })
        .collect();
    let exports: Vec<_> = exports
        .iter()
        .map(|(name, crc, namespace, gpl)| (name.as_str(), *crc, *namespace, *gpl))
        .collect();
    let mut object = Object::module(&["name=a"]);
    object.exports(&exports);
    let place = object.symbols.iter().find(|symbol| symbol.0 == "__kstrtabns_s0");
    let place = place.unwrap().1;
    for symbol in object
        .symbols
        .iter_mut()
        .filter(|symbol| symbol.0.starts_with("__kstrtabns_"))
    {
        symbol.1 = place;
    }
    let error = error_of(&object);
    assert!(error.contains("have more bytes than the file"), "{error}");
    let endless = "n".repeat(5000);
    let mut object = Object::module(&["name=a"]);
    object.exports(&[("give", 1, &endless, false)]);
    let error = error_of(&object);
    assert!(
        error.contains("the namespace of `give` lies outside of section"),
        "{error}"
    );
}

#[test]
fn a_large_modinfo_is_refused() {
    let mut object = Object::new(true, false);
    object.section(".modinfo", &b"a\0".repeat(600_000));
    let error = error_of(&object);
    assert!(
        error.contains("it has 1200000 bytes, at most 1048576 are read"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn random_damage_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        wide: bool,
        big_endian: bool,
    ) {
        let mut bytes = rich(wide, big_endian).build();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read_all(&bytes);
    }

    #[test]
    fn random_bytes_are_survived(tail in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&tail);
        read_all(&[b"\x7fELF\x02\x01\x01".as_slice(), &tail].concat());
        read_all(&[tail.as_slice(), b"~Module signature appended~\n"].concat());
    }
}
