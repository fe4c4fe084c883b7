//! Small trees made at random: names with dashes and dots, duplicates, links, circles, odd strings, damaged files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;

use crate::kernels::builder::Object;
use crate::kernels::depmod::Case;

const FOLDERS: [&str; 9] = [
    "kernel/a",
    "kernel/b-c",
    "updates",
    "updates/dkms",
    "extra",
    "weak-updates/x",
    "build",
    "source",
    "",
];
const NAMES: [&str; 12] = [
    "alpha",
    "be-ta",
    "be_ta",
    "gamma.v2",
    "d",
    "eps-i-lon",
    "zeta9",
    "longer_name-with_every_thing",
    "ex",
    "x-y",
    "xy",
    "under__",
];
const ENDINGS: [&str; 5] = [".ko", ".ko", ".ko.xz", ".ko.zst", ".ko.gz"];
const SYMBOLS: [&str; 14] = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven_eight",
    "s",
    "st",
    "str",
    "strange.name",
    ".dotted",
    "a_b",
    "very_long_symbol_name_that_goes_on_and_on",
];
const ALIASES: [&str; 16] = [
    "pci:v00008086d*sv*sd*bc*sc*i*",
    "usb:v1D6Bp0002d[0-9]*dc*",
    "devname:kmm/ctl",
    "char-major-10-235",
    "char-major-10-*",
    "block-major-7-*",
    "block-major-259-3",
    "net-pf-2",
    "of:N*T*Cvendor,part-1C*",
    "broken[alias",
    "broken]alias",
    "",
    "a",
    "a-b",
    "a-b-c",
    "with blank",
];

/// A tree below `base`, from `seed`.
pub(crate) fn tree(base: &Path, seed: u64) -> Result<Case> {
    let mut random = fastrand::Rng::with_seed(seed);
    let _ = fs::remove_dir_all(base);
    let mut case = Case {
        base: base.to_owned(),
        version: "6.1.0-kmm".to_owned(),
        config: None,
    };
    let root = case.root();
    fs::create_dir_all(&root)?;
    let mut order = Vec::new();
    // Circles are made by chance; without a bound on what imports what, there would be little else.
    let acyclic = random.u8(..) < 200;
    let count = random.usize(0..14);
    for number in 0..count {
        let folder = FOLDERS[random.usize(..FOLDERS.len())];
        let name = NAMES[random.usize(..NAMES.len())];
        let ending = ENDINGS[random.usize(..ENDINGS.len())];
        let path = Path::new(folder).join(format!("{name}{ending}"));
        fs::create_dir_all(root.join(folder))?;
        fs::write(
            root.join(&path),
            packed(&module(&mut random, number, acyclic), ending)?,
        )?;
        let listed = Path::new(folder).join(format!("{name}.ko"));
        order.insert(
            random.usize(..=order.len()),
            listed.to_string_lossy().into_owned(),
        );
    }
    if random.bool() && count > 0 {
        let _ = symlink("kernel/a", root.join("linked"));
        let _ = symlink("/nowhere", root.join("dangling.ko"));
    }
    if random.bool() {
        order.retain(|_| random.u8(..) < 200);
        let mut text = order.join("\n");
        if random.u8(..) < 230 {
            text.push('\n');
        }
        fs::write(root.join("modules.order"), text)?;
    }
    if random.bool() {
        let lines = [
            "kernel/fs/ext4/ext4.ko\n",
            "kernel/x-y-z.ko\n",
            "#bad\n",
            "\n",
            "kernel/abc.ko\n",
            "top.ko\n",
        ];
        let text: String = lines.iter().filter(|_| random.bool()).copied().collect();
        fs::write(root.join("modules.builtin"), text)?;
    }
    if random.bool() {
        let strings = [
            "ext4.alias=fs-ext4",
            "ext4.license=GPL",
            "x.y.alias=no",
            "abc.alias=pci:v[0-9]-x*",
            "abc.alias=bad]",
            "noequals",
            ".empty=1",
            "abc.alias=",
            "abc.alias=fs-ext4",
        ];
        let chosen = strings.iter().filter(|_| random.bool());
        let text: Vec<u8> = chosen.flat_map(|text| text.bytes().chain([0])).collect();
        fs::write(root.join("modules.builtin.modinfo"), text)?;
    }
    if random.bool() {
        case.config = Some(config(base, &mut random)?);
    }
    Ok(case)
}

fn config(base: &Path, random: &mut fastrand::Rng) -> Result<std::path::PathBuf> {
    let folder = base.join("depmod.d");
    let outside = base.join("outside/modules");
    fs::create_dir_all(&folder)?;
    fs::create_dir_all(&outside)?;
    for name in ["alpha.ko", "own.ko"] {
        if random.bool() {
            fs::write(outside.join(name), module(random, 0, true).build())?;
        }
    }
    let outside = outside.to_string_lossy().into_owned();
    let lines = [
        "search updates extra built-in".to_owned(),
        "search built-in weak-updates/x".to_owned(),
        "search \\\n external kernel/a built-in".to_owned(),
        "override be_ta 6.1.* kernel/a".to_owned(),
        "override be-ta * updates".to_owned(),
        "override alpha ^5 extra".to_owned(),
        "override d [0-9]+.*kmm$ extra".to_owned(),
        "exclude dkms".to_owned(),
        format!("external 6.1.0-kmm {outside}"),
        format!("external * {outside}"),
        "# search x".to_owned(),
        "nonsense here".to_owned(),
        "override short".to_owned(),
    ];
    for name in ["20-b.conf", "10-a.conf", "ignored.txt", ".hidden.conf"] {
        let mut text = String::new();
        for _ in 0..random.usize(0..5) {
            text.push_str(&lines[random.usize(..lines.len())]);
            text.push('\n');
        }
        fs::write(folder.join(name), text)?;
    }
    Ok(folder)
}

fn module(random: &mut fastrand::Rng, number: usize, acyclic: bool) -> Object {
    let mut object = Object::new(random.u8(..) > 40, random.u8(..) < 40);
    let mut pairs = vec![format!("name=m{number}"), "license=GPL".to_owned()];
    for _ in 0..random.usize(0..5) {
        pairs.push(format!("alias={}", ALIASES[random.usize(..ALIASES.len())]));
    }
    if random.u8(..) < 60 {
        pairs.push("softdep=pre: alpha post: d".to_owned());
        pairs.push("softdep=".to_owned());
        pairs.push("oddstring".to_owned());
    }
    if random.u8(..) > 10 {
        object.modinfo(&pairs.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let own = number % SYMBOLS.len();
    let exports: Vec<(&str, u32, &str, bool)> = (0..random.usize(0..3))
        .map(|more| {
            (
                SYMBOLS[(own + more) % SYMBOLS.len()],
                random.u32(0..3),
                "NS",
                random.bool(),
            )
        })
        .collect();
    object.exports(&exports);
    if random.u8(..) < 30 {
        // As without module versions: the names are all there is.
        object.symbols.retain(|(name, ..)| !name.starts_with("__crc_"));
    }
    let limit = if acyclic { own } else { SYMBOLS.len() };
    let imports: Vec<String> = (0..random.usize(0..5))
        .filter(|_| limit > 0)
        .map(|_| {
            format!(
                "{}{}",
                if random.u8(..) < 40 { "?" } else { "" },
                SYMBOLS[random.usize(..limit)]
            )
        })
        .collect();
    object.imports(&imports.iter().map(String::as_str).collect::<Vec<_>>());
    if random.bool() {
        let known = imports
            .iter()
            .map(|name| (name.trim_start_matches('?'), random.u32(0..3)));
        let mut versions: Vec<(&str, u32)> = known.filter(|(name, _)| name.len() < 50).collect();
        versions.push(("module_layout", 7));
        object.versions(&versions);
    }
    object
}

fn packed(object: &Object, ending: &str) -> Result<Vec<u8>> {
    let bytes = object.build();
    Ok(match ending {
        ".ko.xz" => {
            let mut out = Vec::new();
            let mut encoder = liblzma::write::XzEncoder::new(&mut out, 1);
            std::io::Write::write_all(&mut encoder, &bytes)?;
            encoder.finish()?;
            out
        }
        ".ko.zst" => zstd::encode_all(bytes.as_slice(), 1)?,
        _ => bytes,
    })
}
