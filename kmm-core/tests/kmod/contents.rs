use kmm_core::kmod::Compression;
use kmm_core::kmod::Decompress;
use kmm_core::kmod::DecompressError;
use kmm_core::kmod::Export;
use kmm_core::kmod::Import;
use kmm_core::kmod::KernelObject;
use kmm_core::kmod::KmodError;
use kmm_core::kmod::LARGEST;
use kmm_core::kmod::PlainOnly;
use kmm_core::kmod::Versions;

use crate::builder::Object;

const LAYOUTS: [(bool, bool); 4] = [(true, false), (true, true), (false, false), (false, true)];

fn import(name: &str, crc: Option<u32>, weak: bool) -> Import {
    Import {
        name: name.to_owned(),
        crc,
        weak,
    }
}

#[test]
fn symbols_are_read_in_every_class_and_byte_order() {
    for (wide, big_endian) in LAYOUTS {
        let mut object = Object::new(wide, big_endian);
        object.modinfo(&["name=a_b", "license=GPL"]);
        object.imports(&["_printk", "?maybe", ".dotted"]);
        object.versions(&[
            ("_printk", 0x92997ed8),
            ("module_layout", 0xdeadbeef),
            ("dotted", 7),
        ]);
        object.exports(&[("give", 0x8000_0001, "", false), ("give_gpl", 2, "NS_A", true)]);
        object
            .symbols
            .push(("__crc_absolute".to_owned(), 0x1_0000_0003, 0x10, 0xfff1));
        object.symbols.push(("__ksymtab_absolute".to_owned(), 0, 0, 4));
        let read = KernelObject::read(&object.build(), &PlainOnly).unwrap();
        assert_eq!(read.name, "a_b");
        assert_eq!((read.layout.wide, read.layout.big_endian), (wide, big_endian));
        assert_eq!(
            read.imports,
            [
                import("_printk", Some(0x92997ed8), false),
                import("maybe", None, true),
                import(".dotted", Some(7), false)
            ]
        );
        assert_eq!(read.module_layout, Some(0xdeadbeef));
        assert_eq!(read.versions, Versions::Basic);
        assert_eq!(read.crc_of("module_layout"), Some(0xdeadbeef));
        let export = |name: &str, crc, namespace: Option<&str>, gpl_only| Export {
            name: name.to_owned(),
            crc: Some(crc),
            namespace: namespace.map(str::to_owned),
            gpl_only,
        };
        assert_eq!(
            read.exports,
            [
                export("give", 0x8000_0001, None, false),
                export("give_gpl", 2, Some("NS_A"), true),
                // What an address has beyond 32 bits is no part of a checksum.
                export("absolute", 3, None, false),
            ]
        );
    }
}

#[test]
fn the_extended_form_of_versions_goes_first() {
    let long = "a".repeat(300);
    let mut object = Object::module(&["name=a"]);
    object.imports(&[&long, "short"]);
    object.versions(&[("short", 1)]);
    object.extended_versions(&[(&long, 0x11), ("short", 0x22), ("module_layout", 0x33)]);
    let read = KernelObject::read(&object.build(), &PlainOnly).unwrap();
    assert_eq!(read.versions, Versions::Extended);
    assert_eq!(
        read.imports,
        [
            import(&long, Some(0x11), false),
            import("short", Some(0x22), false)
        ]
    );
    assert_eq!(read.module_layout, Some(0x33));
}

#[test]
fn everything_in_modinfo_has_its_accessor() {
    let object = Object::module(&[
        "name=m",
        "depends=a,b-c",
        "softdep=pre: x y post: z",
        "softdep=post: zz",
        "weakdep=w1 w2",
        "alias=one",
        "alias=two",
        "firmware=fw/a.bin",
        "import_ns=NS",
        "parm=p:what it is: really",
        "parmtype=p:int",
        "parmtype=q:array of charp",
        "parm=broken",
        "intree=Y",
        "retpoline=Y",
        "vermagic=6.1.0 SMP mod_unload aarch64",
        "odd",
    ]);
    let read = KernelObject::read(&object.build(), &PlainOnly).unwrap();
    let info = &read.info;
    assert_eq!(info.depends(), ["a", "b-c"]);
    let soft = info.soft_dependencies();
    assert_eq!(
        (soft.pre, soft.post),
        (
            vec!["x".into(), "y".into()],
            vec!["z".to_owned(), "zz".to_owned()]
        )
    );
    assert_eq!(info.weak_dependencies(), ["w1", "w2"]);
    assert_eq!(info.values("alias").collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(info.value("firmware").unwrap(), "fw/a.bin");
    let parameters = info.parameters();
    assert_eq!(parameters.len(), 2);
    assert_eq!(parameters[0].description.as_deref(), Some("what it is: really"));
    assert_eq!(
        (parameters[1].name.as_str(), parameters[1].description.as_deref()),
        ("q", None)
    );
    assert_eq!(info.bad_parameters().collect::<Vec<_>>(), ["parm=broken"]);
    let marks = info.marks();
    assert!(marks.intree && marks.retpoline && !marks.staging && !marks.livepatch);
    let magic = info.vermagic().unwrap();
    assert_eq!(
        (magic.rest, magic.modversions),
        (vec!["aarch64".to_owned()], false)
    );
    assert_eq!(info.value("odd").unwrap(), "");
}

#[test]
fn the_name_of_old_objects_is_in_the_structure() {
    for (wide, at) in [(true, 24), (false, 12)] {
        let mut object = Object::new(wide, false);
        object.modinfo(&["license=GPL"]);
        object.sections[0].2[at..at + 4].copy_from_slice(b"old\0");
        assert_eq!(
            KernelObject::read(&object.build(), &PlainOnly).unwrap().name,
            "old"
        );
    }
}

/// Gives the same bytes for everything.
struct Unpacked(Vec<u8>);

impl Decompress for Unpacked {
    fn decompress(&self, _: Compression, _: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
        assert_eq!(limit, LARGEST);
        Ok(self.0.clone())
    }
}

#[test]
fn compressed_files_are_told_by_their_first_bytes() {
    let object = Object::module(&["name=a"]).build();
    for (bytes, compression) in [
        (&b"\x1f\x8b"[..], Compression::Gzip),
        (b"\xfd7zXZ\0", Compression::Xz),
        (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    ] {
        let read = KernelObject::read(bytes, &Unpacked(object.clone())).unwrap();
        assert_eq!((read.compression, read.name.as_str()), (compression, "a"));
        let error = KernelObject::read(bytes, &PlainOnly).unwrap_err();
        assert_eq!(
            error,
            KmodError::Packed {
                compression,
                cause: DecompressError::Unsupported
            }
        );
    }
}
