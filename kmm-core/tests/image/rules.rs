use std::collections::BTreeSet;

use kmm_core::api::ModprobeArgs;
use kmm_core::diag::Severity;
use kmm_core::image::Fit;
use kmm_core::image::rules;
use kmm_core::kmod::Symvers;
use kmm_core::kmod::abi;

use crate::scene::FOLDER;
use crate::scene::File;
use crate::scene::MAGIC;
use crate::scene::OUTSIDE;
use crate::scene::Scene;
use crate::scene::binary_index;
use crate::scene::core;
use crate::scene::nic;
use crate::scene::object;
use crate::scene::packed;
use crate::scene::signed;

const NIC: &str = "opt/lib/modules/6.1.0-9-amd64/acme-nic.ko";
const CORE: &str = "opt/lib/modules/6.1.0-9-amd64/acme_core.ko.xz";
const DEP: &str = "opt/lib/modules/6.1.0-9-amd64/modules.dep";

/// What breaks the image, the severity of the finding, and words of its message or help.
type Case = (&'static str, Severity, &'static str, fn(&mut Scene));

/// A `acme_nic` that differs in this pair.
fn with_pairs(scene: &mut Scene, pairs: &[&str]) {
    let imports = [("_printk", 2), ("core_do", 7)];
    scene.put(NIC, signed(object(pairs, &imports), b"good"));
    scene.put(DEP, "acme-nic.ko: acme_core.ko.xz\nacme_core.ko.xz:\n");
}

fn with_imports(scene: &mut Scene, imports: &[(&str, u32)]) {
    let pairs = [
        "license=GPL",
        "name=acme_nic",
        "parm=debug:x",
        "firmware=acme/nic.bin",
        MAGIC,
    ];
    scene.put(NIC, signed(object(&pairs, imports), b"good"));
    scene.put(DEP, "acme-nic.ko:\nacme_core.ko.xz:\n");
}

fn raw(line: &str) -> Option<ModprobeArgs> {
    Some(ModprobeArgs {
        load: line.split_whitespace().map(str::to_owned).collect(),
        unload: Vec::new(),
    })
}

const CASES: [Case; 47] = [
    ("KMM3001", Severity::Error, "is for kernel `6.1.0-7`", |s| {
        s.move_all(FOLDER, "opt/lib/modules/6.1.0-7");
    }),
    (
        "KMM3001",
        Severity::Error,
        "elsewhere, such as `/opt/lib/modules/acme-nic.ko`",
        |s| {
            s.move_all(FOLDER, "opt/lib/modules");
        },
    ),
    ("KMM3001", Severity::Error, "`dirName: /`", |s| {
        s.move_all(FOLDER, "lib/modules/6.1.0-9-amd64");
    }),
    ("KMM3001", Severity::Error, "`dirName: /usr`", |s| {
        s.move_all(FOLDER, "usr/lib/modules/6.1.0-9-amd64");
    }),
    ("KMM3001", Severity::Error, "it is a link to `/drivers`", |s| {
        s.move_all(FOLDER, "drivers");
        s.link(FOLDER, "/drivers");
    }),
    ("KMM3001", Severity::Error, "`/src/acme-nic.ko`", |s| {
        s.move_all(FOLDER, "src");
    }),
    (
        "KMM3002",
        Severity::Error,
        "the modules in it are `acme_nic`, `acme_core`",
        |s| s.modprobe.module_name = "nic".to_owned(),
    ),
    ("KMM3003", Severity::Error, "`other`", |s| {
        s.modprobe.modules_loading_order = Some(vec!["acme_nic".to_owned(), "other".to_owned()]);
    }),
    ("KMM3004", Severity::Warning, "no module `icee`", |s| {
        s.in_tree_to_remove = vec!["icee".to_owned()];
    }),
    ("KMM3004", Severity::Warning, "built into the kernel", |s| {
        s.in_tree_to_remove = vec!["ext4".to_owned()];
    }),
    ("KMM3005", Severity::Warning, "no parameter `debgu`", |s| {
        s.modprobe.parameters = vec!["debgu=1".to_owned()];
    }),
    ("KMM3010", Severity::Error, "not a kernel object", |s| {
        s.put(NIC, "version https://git-lfs");
    }),
    ("KMM3010", Severity::Note, "128 MiB", |s| {
        s.files.insert(NIC.to_owned(), File::Size(1 << 30));
    }),
    (
        "KMM3011",
        Severity::Error,
        "it is for amd64, the manifest of the image says arm64",
        |s| s.architecture = "arm64".to_owned(),
    ),
    (
        "KMM3012",
        Severity::Error,
        "version magic `6.1.0-9-amd64 SMP preempt",
        |s| {
            with_pairs(
                s,
                &[
                    "license=GPL",
                    "name=acme_nic",
                    "vermagic=6.1.0-9-amd64 SMP preempt mod_unload modversions ",
                ],
            );
        },
    ),
    ("KMM3012", Severity::Note, "only the checksums", |s| {
        with_pairs(
            s,
            &[
                "license=GPL",
                "name=acme_nic",
                "vermagic=6.1.0-7-amd64 SMP mod_unload modversions ",
            ],
        );
    }),
    (
        "KMM3013",
        Severity::Error,
        "1 symbol with another checksum in the kernel: `_printk`",
        |s| with_imports(s, &[("_printk", 9)]),
    ),
    ("KMM3014", Severity::Error, "`no_such`", |s| {
        with_imports(s, &[("no_such", 9)]);
    }),
    ("KMM3015", Severity::Error, "`free_only`", |s| {
        let pairs = ["license=Proprietary", "name=acme_nic", MAGIC];
        s.put(NIC, signed(object(&pairs, &[("free_only", 3)]), b"good"));
    }),
    ("KMM3016", Severity::Error, "`USB`", |s| {
        with_imports(s, &[("usb_do", 4)]);
    }),
    ("KMM3017", Severity::Error, "exports `free_only`", |s| {
        let mut module = object(&["license=GPL", "name=acme_nic", MAGIC], &[("_printk", 2)]);
        module.exports(&[("free_only", 3, "", true)]);
        s.put(NIC, signed(module, b"good"));
    }),
    (
        "KMM3018",
        Severity::Note,
        "nor whether it exports 4 symbols",
        |s| s.kernel = None,
    ),
    (
        "KMM3018",
        Severity::Note,
        "the version magic of the kernel",
        |s| {
            let symvers = Symvers::parse("0x2\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n").unwrap();
            s.kernel = Some(abi::Kernel::from_symvers(&symvers));
            with_imports(s, &[("_printk", 2)]);
        },
    ),
    (
        "KMM3020",
        Severity::Error,
        "`depmod -b /opt 6.1.0-9-amd64`",
        |s| s.remove(DEP),
    ),
    (
        "KMM3020",
        Severity::Error,
        "there is one in `/opt/lib/modules/5.15`",
        |s| s.move_all(DEP, "opt/lib/modules/5.15/modules.dep"),
    ),
    ("KMM3021", Severity::Error, "`acme-nic.ko`", |s| {
        s.put(DEP, "acme_core.ko.xz:\n");
    }),
    ("KMM3020", Severity::Error, "kmod's modprobe", |s| {
        s.with_binary_index = false;
    }),
    ("KMM3021", Severity::Note, "does not start with", |s| {
        s.move_all(DEP, &format!("{FOLDER}/modules.dep.bin"));
    }),
    ("KMM3021", Severity::Error, "`acme-nic.ko`", |s| {
        s.put(
            &format!("{FOLDER}/modules.dep.bin"),
            binary_index("acme_core.ko.xz:\n"),
        );
    }),
    (
        "KMM3022",
        Severity::Warning,
        "`modules.dep` says something else of `acme_core.ko.xz`",
        |s| {
            let lines = "acme-nic.ko: acme_core.ko.xz host/kernel/drm.ko\nacme_core.ko.xz: acme-nic.ko\nhost/kernel/drm.ko:\n";
            s.put(&format!("{FOLDER}/modules.dep.bin"), binary_index(lines));
        },
    ),
    ("KMM3002", Severity::Error, "`other`", |s| {
        s.modprobe.raw_args = raw("-vad /tmp/opt acme_nic other");
    }),
    ("KMM3005", Severity::Warning, "no parameter `debgu`", |s| {
        s.modprobe.raw_args = raw("-vd /tmp/opt acme_nic debgu=1");
    }),
    ("KMM3022", Severity::Error, "lacks `acme_core.ko.xz`", |s| {
        s.put(DEP, "acme-nic.ko: host/kernel/drm.ko\nacme_core.ko.xz:\n");
    }),
    ("KMM3022", Severity::Warning, "`old.ko`", |s| {
        s.put(
            DEP,
            "acme-nic.ko: acme_core.ko.xz host/kernel/drm.ko\nacme_core.ko.xz:\nold.ko:\n",
        );
    }),
    ("KMM3030", Severity::Warning, "through the link", |s| {
        s.put(DEP, "acme-nic.ko: acme_core.ko.xz\nacme_core.ko.xz:\n");
    }),
    ("KMM3030", Severity::Warning, "ln -s", |s| {
        s.remove(&format!("{FOLDER}/host"));
    }),
    ("KMM3031", Severity::Warning, "kernel `6.1.0-7`", |s| {
        s.link(&format!("{FOLDER}/host"), "/lib/modules/6.1.0-7");
    }),
    ("KMM3031", Severity::Warning, "not copied", |s| {
        s.link(&format!("{FOLDER}/extra"), "../../../../drivers");
    }),
    ("KMM3040", Severity::Warning, "its name says `xz`", |s| {
        s.put(CORE, signed(core(), b"good"));
    }),
    ("KMM3040", Severity::Warning, "gzip", |s| {
        s.remove(CORE);
        s.put(
            &format!("{FOLDER}/acme_core.ko.gz"),
            [b"\x1f\x8b".to_vec(), signed(core(), b"good")].concat(),
        );
    }),
    ("KMM3050", Severity::Error, "no such folder", |s| {
        s.modprobe.firmware_path = "/lib/firmware".to_owned();
    }),
    ("KMM3051", Severity::Warning, "`acme/nic.bin`", |s| {
        s.move_all("firmware/acme", "firmware/other");
    }),
    ("KMM3060", Severity::Error, "it is not signed", |s| {
        s.put(NIC, nic().build());
    }),
    ("KMM3060", Severity::Error, "after the file was compressed", |s| {
        s.put(CORE, packed(&[&core().build(), OUTSIDE].concat()));
    }),
    ("KMM3061", Severity::Error, "with key 1234", |s| {
        s.put(NIC, signed(nic(), b"foreign"));
    }),
    ("KMM3070", Severity::Note, "/bin/sh", |s| s.remove("usr/bin/sh")),
    ("KMM3080", Severity::Warning, "most of it in layer 1", |s| {
        s.put("usr/bin/gcc", "x");
        s.files
            .insert("usr/src/linux-headers/a.h".to_owned(), File::Size(3 << 20));
    }),
];

#[test]
fn an_image_in_which_all_is_right_passes_every_rule() {
    let report = Scene::good().check();
    assert_eq!(report.findings, [], "{:#?}", report.findings);
    assert_eq!(report.fit, Fit::Fits);
    let modules: Vec<(&str, bool, Option<bool>)> = report
        .modules
        .iter()
        .map(|module| (module.name.as_str(), module.needed, module.loads))
        .collect();
    assert_eq!(
        modules,
        [("acme_nic", true, Some(true)), ("acme_core", true, Some(true))]
    );
}

#[test]
fn each_rule_finds_what_it_is_for() {
    for (code, severity, words, spoil) in CASES {
        let mut scene = Scene::good();
        spoil(&mut scene);
        let report = scene.check();
        let found = report.findings.iter().find(|found| {
            let help = found.help.clone().unwrap_or_default();
            found.code == code
                && found.severity == severity
                && format!("{} {help}", found.message).contains(words)
        });
        assert!(found.is_some(), "{code}, {words}: {:#?}", report.findings);
        assert!(found.unwrap().path.starts_with('/'), "{code}: {found:?}");
        let expected = match severity {
            Severity::Error => Fit::DoesNotFit,
            Severity::Warning | Severity::Note => report.fit,
        };
        assert_eq!(report.fit, expected, "{code}, {words}");
    }
}

#[test]
fn raw_arguments_and_aliases_name_what_is_loaded() {
    for line in ["acme_nic", "-a acme_core acme-nic", "pci:v1d2", ""] {
        let mut scene = Scene::good();
        scene.modprobe.module_name = String::new();
        scene.modprobe.raw_args = raw(line);
        scene.modprobe.parameters = vec!["nonsense=1".to_owned()];
        let report = scene.check();
        assert_eq!(report.fit, Fit::Fits, "{line}: {:#?}", report.findings);
    }
    let mut scene = Scene::good();
    let pairs = [
        "license=GPL",
        "name=acme_nic",
        "alias=acme-alias",
        "parm=debug:x",
        MAGIC,
    ];
    scene.put(NIC, signed(object(&pairs, &[("_printk", 2)]), b"good"));
    scene.put(DEP, "acme-nic.ko:\nacme_core.ko.xz:\n");
    scene.modprobe.module_name = "acme_alias".to_owned();
    scene.modprobe.modules_loading_order = None;
    scene.modprobe.parameters = vec!["debug=1".to_owned()];
    let report = scene.check();
    assert_eq!(report.findings, [], "{:#?}", report.findings);
}

#[test]
fn who_names_no_module_asks_about_all() {
    let mut scene = Scene::good();
    scene.modprobe.module_name = String::new();
    scene.modprobe.modules_loading_order = None;
    scene.put(&format!("{FOLDER}/spare.ko"), "no module");
    let report = scene.check();
    assert!(report.modules.iter().all(|module| module.needed));
    assert_eq!(report.fit, Fit::DoesNotFit);
}

/// Each name would be unpacked and indexed.
#[test]
fn a_module_of_many_names_is_read_a_few_times() {
    let mut scene = Scene::good();
    scene.modprobe.module_name = String::new();
    scene.modprobe.modules_loading_order = None;
    let first = scene.check();
    let module = first.modules[0].path.clone();
    let file = module.rsplit('/').next().unwrap();
    for number in 0..20 {
        scene.link(&format!("{FOLDER}/more{number}.ko"), file);
    }
    let report = scene.check();
    assert_eq!(report.modules.len(), first.modules.len() + 20);
    let unread = report.findings.iter().filter(|finding| {
        finding
            .message
            .contains("the same file has more than 8 names in this folder")
    });
    assert_eq!(unread.count(), 13, "{:#?}", report.findings);
}

#[test]
fn large_images_are_noted() {
    let mut scene = Scene::good();
    scene.files.insert("data".to_owned(), File::Size(600 << 20));
    let report = scene.check();
    assert_eq!(report.findings[0].code, "KMM3081");
    assert!(
        report.findings[0]
            .message
            .contains("600 MiB, 600 of them in layer 1 of 1")
    );
    assert_eq!(report.fit, Fit::Fits);
}

#[test]
fn invalid_signatures_and_those_that_cannot_be_checked_differ() {
    for (block, fit) in [(&b"bad"[..], Fit::DoesNotFit), (b"odd", Fit::Unknown)] {
        let mut scene = Scene::good();
        scene.put(NIC, signed(nic(), block));
        assert_eq!(scene.check().fit, fit);
    }
}

#[test]
fn without_knowledge_of_the_kernel_the_answer_is_unknown() {
    let mut scene = Scene::good();
    scene.kernel = None;
    assert_eq!(scene.check().fit, Fit::Unknown);
}

#[test]
fn what_the_module_does_not_load_is_no_error() {
    let mut scene = Scene::good();
    scene.put(&format!("{FOLDER}/spare.ko"), "no module");
    let report = scene.check();
    assert_eq!(report.fit, Fit::Fits, "{:#?}", report.findings);
    assert!(
        report
            .findings
            .iter()
            .any(|found| found.code == "KMM3010" && found.severity == Severity::Warning)
    );
}

#[test]
fn every_rule_has_a_failing_image() {
    let mut codes: BTreeSet<&str> = CASES.iter().map(|case| case.0).collect();
    codes.insert("KMM3081");
    let all: BTreeSet<&str> = rules().map(|rule| rule.text.code).collect();
    assert_eq!(codes, all);
}
