use kmm_core::kmod::KernelObject;
use kmm_core::kmod::PlainOnly;
use kmm_core::kmod::Symvers;
use kmm_core::kmod::Vermagic;
use kmm_core::kmod::abi::Kernel;
use kmm_core::kmod::abi::Taint;
use kmm_core::kmod::abi::Verdict;
use kmm_core::kmod::abi::compare;

use crate::builder::Object;

const MAGIC: &str = "6.1.0-1-amd64 SMP preempt mod_unload modversions ";
const SYMVERS: &str = "\
0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t
0x00000002\t_printk\tvmlinux\tEXPORT_SYMBOL\t
0x00000003\tgpl_one\tvmlinux\tEXPORT_SYMBOL_GPL\t
0x00000004\tspaced\tdrivers/x/x-y\tEXPORT_SYMBOL\tNS
";

fn kernel() -> Kernel {
    let mut kernel = Kernel::from_symvers(&Symvers::parse(SYMVERS).unwrap());
    kernel.vermagic = Some(Vermagic::parse(MAGIC));
    kernel
}

fn module(pairs: &[&str], imports: &[(&str, u32)]) -> Object {
    let mut object = Object::new(true, false);
    let pairs: Vec<&str> = ["name=m", "intree=Y"].iter().chain(pairs).copied().collect();
    object.modinfo(&pairs);
    let names: Vec<&str> = imports.iter().map(|(name, _)| *name).collect();
    object.imports(&names);
    let known = imports
        .iter()
        .map(|(name, crc)| (name.trim_start_matches('?'), *crc));
    let versions: Vec<(&str, u32)> = known
        .filter(|(_, crc)| *crc != 0)
        .chain([("module_layout", 1)])
        .collect();
    object.versions(&versions);
    object
}

fn verdict(object: &Object, kernel: &Kernel) -> Verdict {
    compare(&KernelObject::read(&object.build(), &PlainOnly).unwrap(), kernel)
}

fn refusals(pairs: &[&str], imports: &[(&str, u32)]) -> Vec<String> {
    verdict(&module(pairs, imports), &kernel())
        .refusals
        .iter()
        .map(ToString::to_string)
        .collect()
}

const VERMAGIC: &str = "vermagic=6.1.0-1-amd64 SMP preempt mod_unload modversions ";
const OTHER_RELEASE: &str = "vermagic=5.4.0 SMP preempt mod_unload modversions ";

#[test]
fn checksums_decide_and_the_release_does_not_count() {
    assert!(refusals(&[OTHER_RELEASE, "license=GPL"], &[("_printk", 2)]).is_empty());
    assert_eq!(
        refusals(
            &[
                "vermagic=6.1.0-1-amd64 SMP preempt_rt mod_unload modversions ",
                "license=GPL"
            ],
            &[]
        ),
        [format!(
            "version magic `6.1.0-1-amd64 SMP preempt_rt mod_unload modversions `, it should be `{MAGIC}`"
        )]
    );
    assert_eq!(
        refusals(&[VERMAGIC, "license=GPL"], &[("_printk", 9)]),
        ["disagrees about version of symbol `_printk`: 0x00000009, the kernel has 0x00000002"]
    );
    // A symbol without a checksum passes.
    assert!(refusals(&[VERMAGIC, "license=GPL"], &[("_printk", 0)]).is_empty());
}

#[test]
fn without_checksums_the_whole_string_must_be_equal() {
    let mut object = Object::new(true, false);
    object.modinfo(&["name=m", "license=GPL", OTHER_RELEASE]);
    object.imports(&["_printk"]);
    let found: Vec<String> = verdict(&object, &kernel())
        .refusals
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found[0],
        "the kernel has module versions, the module was built without"
    );
    assert!(found[1].starts_with("version magic `5.4.0 "), "{found:?}");
    let plain = "6.1.0 SMP mod_unload ";
    let mut kernel = kernel();
    kernel.vermagic = Some(Vermagic::parse(plain));
    let mut object = Object::new(true, false);
    object.modinfo(&["name=m", "license=GPL", "vermagic=6.1.0 SMP mod_unload "]);
    object.imports(&["_printk"]);
    assert_eq!(verdict(&object, &kernel).loads(), Some(true));
}

#[test]
fn symbols_must_be_there_and_be_allowed() {
    let magic = &[VERMAGIC, "license=GPL"];
    assert_eq!(refusals(magic, &[("gone", 5)]), ["unknown symbol `gone`"]);
    assert!(refusals(magic, &[("?gone", 5)]).is_empty());
    assert_eq!(refusals(magic, &[("?_printk", 5)]).len(), 1);
    assert_eq!(
        refusals(magic, &[("spaced", 4)]),
        ["symbol `spaced` is in namespace `NS`, which the module does not import"]
    );
    assert!(refusals(&[VERMAGIC, "license=GPL", "import_ns=NS"], &[("spaced", 4)]).is_empty());
    assert_eq!(
        refusals(
            &[VERMAGIC, "license=Proprietary"],
            &[("gpl_one", 3), ("_printk", 2)]
        ),
        ["symbol `gpl_one` is for GPL-compatible modules, the licence is `Proprietary`"]
    );
    assert!(refusals(&[VERMAGIC, "license=Dual MIT/GPL"], &[("gpl_one", 3)]).is_empty());
}

#[test]
fn a_symbol_can_be_exported_once() {
    let mut object = module(&[VERMAGIC, "license=GPL"], &[]);
    object.exports(&[("_printk", 2, "", false), ("spaced", 1, "", false)]);
    let verdict = verdict(&object, &kernel());
    assert_eq!(
        verdict.refusals[0].to_string(),
        "exports `_printk`, which the kernel exports itself"
    );
    assert!(
        verdict.doubts[0]
            .to_string()
            .starts_with("module `drivers/x/x-y` exports `spaced` too")
    );
}

#[test]
fn a_tree_alone_leaves_doubts() {
    let mut known = Kernel::default();
    let mut teacher = module(&[VERMAGIC, "license=GPL"], &[("_printk", 2)]);
    teacher.exports(&[("taught", 8, "", true)]);
    known.learn(&KernelObject::read(&teacher.build(), &PlainOnly).unwrap());
    let fits = verdict(
        &module(&[VERMAGIC, "license=GPL"], &[("_printk", 2), ("taught", 8)]),
        &known,
    );
    assert_eq!(fits.loads(), Some(true));
    let unsure = verdict(&module(&[VERMAGIC, "license=GPL"], &[("unseen", 2)]), &known);
    assert_eq!(unsure.loads(), None);
    assert_eq!(
        unsure.doubts[0].to_string(),
        "nothing shows whether the kernel exports `unseen`"
    );
    let wrong = verdict(&module(&[VERMAGIC, "license=GPL"], &[("taught", 9)]), &known);
    assert_eq!(wrong.loads(), Some(false));
    let mut other = module(&[VERMAGIC, "license=GPL"], &[]);
    other.machine = 183;
    assert_eq!(
        verdict(&other, &known).refusals[0].to_string(),
        "built for aarch64 (64-bit little-endian), the kernel is for x86_64 (64-bit little-endian)"
    );
}

#[test]
fn the_size_of_the_structure_counts_since_6_4() {
    let object = |release: &str| {
        let magic = format!("vermagic={release} SMP mod_unload modversions ");
        module(&[&magic, "license=GPL"], &[])
    };
    for (release, loads) in [
        ("6.3.9", true),
        ("6.4.0-rc1", false),
        ("6.12.1+deb12", false),
        ("7.0", false),
    ] {
        let mut known = Kernel::default();
        known.learn(&KernelObject::read(&object(release).build(), &PlainOnly).unwrap());
        let mut other = object(release);
        other.sections[0].2.push(0);
        assert_eq!(verdict(&other, &known).loads(), Some(loads), "{release}");
    }
}

#[test]
fn taints_are_told() {
    let mut object = Object::new(true, false);
    object.modinfo(&[
        "name=m",
        "license=Proprietary",
        VERMAGIC,
        "staging=Y",
        "livepatch=Y",
    ]);
    object.versions(&[("module_layout", 1)]);
    let taints = verdict(&object, &kernel()).taints;
    assert_eq!(
        taints.iter().map(|taint| taint.letter()).collect::<String>(),
        "POCKE"
    );
    object.sign(2, b"", b"", &crate::signatures::message(b"\x01", b"x"));
    assert!(!verdict(&object, &kernel()).taints.contains(&Taint::Unsigned));
}
