//! An image in which everything is right, and what it is for; tests break one thing of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kmm_core::api::ModprobeSpec;
use kmm_core::image::Header;
use kmm_core::image::ImageFacts;
use kmm_core::image::Kind;
use kmm_core::image::LayerReader;
use kmm_core::image::Limits;
use kmm_core::image::Report;
use kmm_core::image::Subject;
use kmm_core::image::Tree;
use kmm_core::image::Want;
use kmm_core::image::check;
use kmm_core::kernel::KernelVersion;
use kmm_core::kmod::Compression;
use kmm_core::kmod::Decompress;
use kmm_core::kmod::DecompressError;
use kmm_core::kmod::Signature;
use kmm_core::kmod::Symvers;
use kmm_core::kmod::Vermagic;
use kmm_core::kmod::abi;
use kmm_core::modprobe::HostModules;
use kmm_core::modprobe::module_of_file;
use kmm_core::sign::Verification;
use kmm_core::sign::Verifier;

use crate::builder::Object;

pub(crate) const KERNEL: &str = "6.1.0-9-amd64";
pub(crate) const FOLDER: &str = "opt/lib/modules/6.1.0-9-amd64";
pub(crate) const MAGIC: &str = "vermagic=6.1.0-9-amd64 SMP mod_unload modversions ";
const SYMVERS: &str = "0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n\
    0x00000002\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n\
    0x00000003\tfree_only\tvmlinux\tEXPORT_SYMBOL_GPL\t\n\
    0x00000004\tusb_do\tvmlinux\tEXPORT_SYMBOL\tUSB\n\
    0x00000005\tdrm_do\tdrivers/gpu/drm/drm\tEXPORT_SYMBOL\t\n";

/// A file of the scene.
#[derive(Clone, Debug)]
pub(crate) enum File {
    Bytes(Vec<u8>, u32),
    Link(String),
    /// As large as this, with no content.
    Size(u64),
}

/// The image, and what is known around it.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) modprobe: ModprobeSpec,
    pub(crate) in_tree_to_remove: Vec<String>,
    pub(crate) kernel: Option<abi::Kernel>,
    pub(crate) architecture: String,
    pub(crate) wants_signature: bool,
    pub(crate) with_binary_index: bool,
}

/// A module that imports these symbols with these checksums.
pub(crate) fn object(pairs: &[&str], imports: &[(&str, u32)]) -> Object {
    let mut object = Object::module(pairs);
    let names: Vec<&str> = imports.iter().map(|(name, _)| *name).collect();
    object.imports(&names);
    let versions: Vec<(&str, u32)> = [("module_layout", 1)]
        .into_iter()
        .chain(imports.iter().copied())
        .collect();
    object.versions(&versions);
    object
}

/// `acme_core`, which exports `core_do`.
pub(crate) fn core() -> Object {
    let mut core = object(&["license=GPL", "name=acme_core", MAGIC], &[("_printk", 2)]);
    core.exports(&[("core_do", 7, "", false)]);
    core
}

/// `acme_nic`, which uses all that there is.
pub(crate) fn nic() -> Object {
    let pairs = [
        "license=GPL",
        "name=acme_nic",
        "depends=acme_core,drm",
        "import_ns=USB",
        "parm=debug:how much is said",
        "firmware=acme/nic.bin",
        "version=2.0",
        MAGIC,
    ];
    let imports = [
        ("_printk", 2),
        ("free_only", 3),
        ("usb_do", 4),
        ("drm_do", 5),
        ("core_do", 7),
    ];
    object(&pairs, &imports)
}

/// The bytes of a module with a signature that [`Known`] takes.
pub(crate) fn signed(mut object: Object, block: &[u8]) -> Vec<u8> {
    object.sign(1, b"Acme", b"\x12\x34", block);
    object.build()
}

/// As if it were compressed: the magic of xz, then the file as it is.
pub(crate) fn packed(bytes: &[u8]) -> Vec<u8> {
    [b"\xfd7zXZ\0", bytes].concat()
}

/// The lines of a `modules.dep` as a `modules.dep.bin`: a node for each byte of a name, which is what kmod reads as well.
pub(crate) fn binary_index(text: &str) -> Vec<u8> {
    fn node(entries: &[(&[u8], &str)], out: &mut Vec<u8>) -> u32 {
        let mut children: BTreeMap<u8, Vec<(&[u8], &str)>> = BTreeMap::new();
        let mut value = None;
        for (key, line) in entries {
            match key.split_first() {
                None => value = Some(*line),
                Some((byte, rest)) => children.entry(*byte).or_default().push((rest, line)),
            }
        }
        let offsets: BTreeMap<u8, u32> = children
            .iter()
            .map(|(byte, entries)| (*byte, node(entries, out)))
            .collect();
        let at = out.len() as u32;
        let mut flags = 0;
        if let (Some((first, _)), Some((last, _))) = (offsets.first_key_value(), offsets.last_key_value()) {
            flags |= 0x2000_0000;
            out.extend([*first, *last]);
            for byte in *first..=*last {
                out.extend(offsets.get(&byte).copied().unwrap_or(0).to_be_bytes());
            }
        }
        if let Some(line) = value {
            flags |= 0x4000_0000;
            out.extend([0, 0, 0, 1, 0, 0, 0, 0]);
            out.extend(line.bytes().chain([0]));
        }
        at | flags
    }
    let lines: Vec<(String, &str)> = text
        .lines()
        .filter_map(|line| Some((module_of_file(line.split_once(':')?.0)?, line)))
        .collect();
    let entries: Vec<(&[u8], &str)> = lines.iter().map(|(key, line)| (key.as_bytes(), *line)).collect();
    let mut out = vec![0xb0, 0x07, 0xf4, 0x57, 0, 2, 0, 1, 0, 0, 0, 0];
    let root = node(&entries, &mut out);
    out[8..12].copy_from_slice(&root.to_be_bytes());
    out
}

impl Scene {
    pub(crate) fn good() -> Self {
        let mut scene = Self {
            files: BTreeMap::new(),
            modprobe: ModprobeSpec::default(),
            in_tree_to_remove: vec!["ice".to_owned()],
            kernel: None,
            architecture: "amd64".to_owned(),
            wants_signature: true,
            with_binary_index: true,
        };
        scene.modprobe.module_name = "acme-nic".to_owned();
        scene.modprobe.dir_name = "/opt".to_owned();
        scene.modprobe.parameters = vec!["debug=1".to_owned()];
        scene.modprobe.firmware_path = "/firmware".to_owned();
        scene.modprobe.modules_loading_order = Some(vec!["acme-nic".to_owned(), "acme_core".to_owned()]);
        let mut kernel = abi::Kernel::from_symvers(&Symvers::parse(SYMVERS).unwrap());
        kernel.vermagic = Some(Vermagic::parse(MAGIC.strip_prefix("vermagic=").unwrap()));
        scene.kernel = Some(kernel);
        scene.put(&format!("{FOLDER}/acme-nic.ko"), signed(nic(), b"good"));
        scene.put(
            &format!("{FOLDER}/acme_core.ko.xz"),
            packed(&signed(core(), b"good")),
        );
        scene.put(
            &format!("{FOLDER}/modules.dep"),
            "acme-nic.ko: acme_core.ko.xz host/kernel/drm.ko\nacme_core.ko.xz:\nhost/kernel/drm.ko:\n",
        );
        scene.link(&format!("{FOLDER}/host"), &format!("/lib/modules/{KERNEL}"));
        scene.put("firmware/acme/nic.bin.xz", "f");
        for program in ["busybox", "mkdir", "cp"] {
            scene.files.insert(
                format!("usr/bin/{program}"),
                File::Bytes(b"\x7fELF".to_vec(), 0o755),
            );
        }
        scene.link("bin", "usr/bin");
        scene.link("usr/bin/sh", "busybox");
        scene
    }

    pub(crate) fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files
            .insert(path.to_owned(), File::Bytes(bytes.into(), 0o644));
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.files.insert(path.to_owned(), File::Link(target.to_owned()));
    }

    pub(crate) fn remove(&mut self, path: &str) {
        assert!(self.files.remove(path).is_some(), "{path}");
    }

    /// Puts the files elsewhere.
    pub(crate) fn move_all(&mut self, from: &str, to: &str) {
        let files = std::mem::take(&mut self.files);
        let moved = files
            .into_iter()
            .map(|(path, file)| match path.strip_prefix(from) {
                Some(rest) => (format!("{to}{rest}"), file),
                None => (path, file),
            });
        self.files = moved.collect();
    }

    /// The index in both forms, as `depmod` writes it: the binary one is made from the text where it is not given.
    fn indexed(&self) -> BTreeMap<String, File> {
        let mut files = self.files.clone();
        let binary = format!("{FOLDER}/modules.dep.bin");
        if let (Some(File::Bytes(text, _)), false, true) = (
            self.files.get(&format!("{FOLDER}/modules.dep")),
            files.contains_key(&binary),
            self.with_binary_index,
        ) {
            let bytes = binary_index(std::str::from_utf8(text).unwrap());
            files.insert(binary, File::Bytes(bytes, 0o644));
        }
        files
    }

    pub(crate) fn tree(&self) -> Tree {
        let files = self.indexed();
        let mut reader = LayerReader::new(&Limits::default()).verify_with(Arc::new(Known));
        for (path, file) in &files {
            let (kind, size, mode) = match file {
                File::Bytes(bytes, mode) => (Kind::File, bytes.len() as u64, *mode),
                File::Link(target) => (Kind::Symlink(target.as_bytes()), 0, 0o777),
                File::Size(size) => (Kind::File, *size, 0o644),
            };
            let path = path.as_bytes();
            let want = reader
                .entry(Header {
                    path,
                    kind,
                    size,
                    mode,
                })
                .unwrap();
            if let (Want::Content, File::Bytes(bytes, _)) = (want, file) {
                reader.content(bytes, &Unpacker);
            }
        }
        Tree::merge(vec![reader.finish()], &Limits::default()).unwrap()
    }

    pub(crate) fn check(&self) -> Report {
        let mut image = ImageFacts::default();
        image.architecture = Some(self.architecture.clone());
        let in_tree =
            HostModules::from_files(["kernel/ice.ko", "kernel/drm.ko"]).with_built_in(["kernel/ext4.ko"]);
        check(
            &self.tree(),
            &image,
            &Subject {
                kernel: &KernelVersion::new(KERNEL),
                modprobe: &self.modprobe,
                in_tree_to_remove: &self.in_tree_to_remove,
                abi: self.kernel.as_ref(),
                in_tree: Some(&in_tree),
                wants_signature: self.wants_signature,
            },
        )
    }
}

/// A signature that is appended to a compressed file.
pub(crate) const OUTSIDE: &[u8] = b"block~Module signature appended~\n";

/// Takes what [`packed`] made.
struct Unpacker;

impl Decompress for Unpacker {
    fn decompress(&self, _: Compression, bytes: &[u8], _: usize) -> Result<Vec<u8>, DecompressError> {
        let magic: &[&[u8]] = &[b"\xfd7zXZ\0", b"\x1f\x8b"];
        let rest = magic.iter().find_map(|magic| bytes.strip_prefix(*magic));
        let rest = rest.unwrap_or_default();
        // What follows the compressed data is not looked at.
        Ok(rest.strip_suffix(OUTSIDE).unwrap_or(rest).to_vec())
    }
}

/// The answers of a verifier, by what the signature is; the real one is tested with real signatures.
struct Known;

impl Verifier for Known {
    fn verify(&self, signature: &Signature, _: &[u8]) -> Verification {
        match signature.signature.as_slice() {
            b"good" => Verification::Valid {
                certificate: "Acme".to_owned(),
            },
            b"foreign" => Verification::UnknownKey,
            b"odd" => Verification::Unsupported {
                reason: "odd".to_owned(),
            },
            _ => Verification::Invalid {
                reason: "the module was changed".to_owned(),
            },
        }
    }
}
