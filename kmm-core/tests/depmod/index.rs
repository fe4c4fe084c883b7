use std::collections::BTreeMap;

use kmm_core::depmod::BinaryIndex;
use kmm_core::depmod::Config;
use kmm_core::depmod::Dependencies;
use kmm_core::depmod::DepmodError;
use kmm_core::depmod::Finding;
use kmm_core::depmod::Index;
use kmm_core::depmod::KernelSymbols;
use kmm_core::depmod::MemoryTree;
use kmm_core::depmod::ModuleFacts;
use kmm_core::depmod::Options;
use kmm_core::kmod::PlainOnly;
use proptest::prelude::*;

use crate::builder::Object;
use crate::lookup;

fn facts(object: &Object) -> ModuleFacts {
    ModuleFacts::read(&object.build(), &PlainOnly).unwrap()
}

fn module(exports: &[&str], imports: &[&str], pairs: &[&str]) -> ModuleFacts {
    let mut object = Object::module(pairs);
    let exports: Vec<(&str, u32, &str, bool)> = exports.iter().map(|name| (*name, 5, "", false)).collect();
    object.exports(&exports);
    object.imports(imports);
    let known = imports.iter().map(|name| (name.trim_start_matches('?'), 5));
    object.versions(&known.collect::<Vec<_>>());
    facts(&object)
}

fn files(tree: &MemoryTree, config: &Config) -> BTreeMap<&'static str, Vec<u8>> {
    let index = Index::build(tree, config, &Options::default()).unwrap();
    index
        .files()
        .unwrap()
        .0
        .into_iter()
        .map(|file| (file.name, file.bytes))
        .collect()
}

fn text(files: &BTreeMap<&'static str, Vec<u8>>, name: &str) -> String {
    String::from_utf8(files[name].clone()).unwrap()
}

#[test]
fn dependencies_go_from_the_user_to_the_used() {
    let mut tree = MemoryTree::default();
    tree.add("kernel/c.ko.xz", Ok(module(&["c"], &[], &[])));
    tree.add("kernel/b.ko", Ok(module(&["b"], &["c"], &[])));
    tree.add(
        "kernel/a-a.ko",
        Ok(module(
            &[],
            &["b", "c", "?nowhere"],
            &["alias=x-[a-z]", "softdep=pre: c"],
        )),
    );
    tree.add_text("modules.order", "kernel/a-a.ko\nkernel/b.ko\nkernel/c.ko\n");
    let files = files(&tree, &Config::default());
    assert_eq!(
        text(&files, "modules.dep"),
        "kernel/a-a.ko: kernel/b.ko kernel/c.ko.xz\nkernel/b.ko: kernel/c.ko.xz\nkernel/c.ko.xz:\n"
    );
    assert_eq!(
        text(&files, "modules.alias"),
        "# Aliases extracted from modules themselves.\nalias x-[a-z] a_a\n"
    );
    assert_eq!(
        text(&files, "modules.softdep"),
        "# Soft dependencies extracted from modules themselves.\nsoftdep a_a pre: c\n"
    );
    let keys = lookup::entries(&files["modules.dep.bin"]);
    assert_eq!(
        keys[&b"a_a"[..]],
        [(0, b"kernel/a-a.ko: kernel/b.ko kernel/c.ko.xz".to_vec())]
    );
    assert!(lookup::entries(&files["modules.alias.bin"]).contains_key(&b"x_[a-z]"[..]));
    assert!(lookup::entries(&files["modules.symbols.bin"]).contains_key(&b"symbol:b"[..]));
    assert!(files["modules.builtin.bin"].is_empty() && files["modules.devname"].is_empty());
}

#[test]
fn search_and_override_decide_between_files_of_one_name() {
    let mut tree = MemoryTree::default();
    for path in ["kernel/m.ko", "extra/m.ko", "updates/m.ko", "build/other.ko"] {
        tree.add(path, Ok(ModuleFacts::default()));
    }
    for (lines, winner) in [
        ("", "updates/m.ko"),
        ("search extra updates built-in", "extra/m.ko"),
        ("search built-in extra updates", "kernel/m.ko"),
        ("override m 6.* kernel", "kernel/m.ko"),
        ("override m 5.* kernel", "updates/m.ko"),
        ("exclude updates", "kernel/m.ko"),
    ] {
        let config = Config::parse("6.1.0", [("a.conf", lines)]);
        assert_eq!(
            text(&files(&tree, &config), "modules.dep"),
            format!("{winner}:\n"),
            "{lines}"
        );
    }
}

#[test]
fn what_the_kernel_has_built_in_is_indexed() {
    let mut tree = MemoryTree::default();
    tree.add_text("modules.builtin", "kernel/fs/ext-4.ko\n#no\n");
    tree.add_text(
        "modules.builtin.modinfo",
        "ext4.alias=fs-ext4\0ext4.license=GPL\0",
    );
    let index = Index::build(&tree, &Config::default(), &Options::default()).unwrap();
    let (files, findings) = index.files().unwrap();
    let keys = |name: &str| lookup::entries(&files.iter().find(|file| file.name == name).unwrap().bytes);
    assert_eq!(keys("modules.builtin.bin").keys().collect::<Vec<_>>(), [b"ext_4"]);
    assert_eq!(
        keys("modules.builtin.alias.bin")[&b"fs_ext4"[..]],
        [(0, b"ext4".to_vec())]
    );
    assert_eq!(
        findings,
        [Finding::BadBuiltinLine {
            line: "#no\n".to_owned()
        }]
    );
}

#[test]
fn what_is_missing_or_differs_is_told_per_module() {
    let mut tree = MemoryTree::default();
    tree.add(
        "a.ko",
        Ok(module(&[], &["_printk", "gone", "?weak", "other"], &[])),
    );
    tree.add("b.ko", ModuleFacts::read(b"no module", &PlainOnly));
    let symvers =
        b"0x00000005\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n0x00000006\tother\tvmlinux\tEXPORT_SYMBOL\t\n";
    let options = Options {
        kernel: Some(KernelSymbols::from_symvers(symvers)),
        ..Options::default()
    };
    let index = Index::build(&tree, &Config::default(), &options).unwrap();
    let lines: Vec<String> = index.findings().iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("failed to load symbols from b.ko: not a kernel object"));
    assert_eq!(
        lines[1..],
        [
            "a.ko needs unknown symbol gone",
            "a.ko disagrees about version of symbol other"
        ]
    );
    assert_eq!(index.modules().count(), 2);
    let map = b"c0000000 R __ksymtab__printk\nc0000004 R __ksymtab_other\nbad\n";
    let kernel = KernelSymbols::from_system_map(map);
    assert_eq!(kernel.complaints, ["3: invalid line: bad"]);
    let options = Options {
        kernel: Some(kernel),
        ..Options::default()
    };
    let index = Index::build(&tree, &Config::default(), &options).unwrap();
    assert_eq!(index.findings().len(), 2);
}

#[test]
fn circles_and_too_many_modules_end_it() {
    let mut tree = MemoryTree::default();
    tree.add("a.ko", Ok(module(&["a"], &["b"], &[])));
    tree.add("b.ko", Ok(module(&["b"], &["a"], &[])));
    tree.add_text("modules.order", "a.ko\nb.ko\n");
    let error = Index::build(&tree, &Config::default(), &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "modules need each other: a -> b -> a");
    let mut tree = MemoryTree::default();
    for number in 0..65_535 {
        tree.add(&format!("m{number}.ko"), Ok(ModuleFacts::default()));
    }
    let error = Index::build(&tree, &Config::default(), &Options::default()).unwrap_err();
    assert_eq!(error, DepmodError::TooManyModules { count: 65_535 });
}

#[test]
fn a_deep_index_needs_no_deep_stack() {
    let aliases: Vec<String> = (1..4000)
        .map(|length| format!("alias={}", "a".repeat(length)))
        .collect();
    let mut tree = MemoryTree::default();
    tree.add(
        "a.ko",
        Ok(module(
            &[],
            &[],
            &aliases.iter().map(String::as_str).collect::<Vec<_>>(),
        )),
    );
    assert_eq!(
        lookup::entries(&files(&tree, &Config::default())["modules.alias.bin"]).len(),
        3999
    );
}

#[test]
fn device_nodes_need_a_name_and_numbers() {
    let mut tree = MemoryTree::default();
    tree.add(
        "a.ko",
        Ok(module(
            &[],
            &[],
            &["alias=char-major-10-235", "alias=devname:kmm/a"],
        )),
    );
    tree.add("b.ko", Ok(module(&[], &[], &["alias=devname:kmm/b"])));
    let index = Index::build(&tree, &Config::default(), &Options::default()).unwrap();
    let (files, findings) = index.files().unwrap();
    let expected = "# Device nodes to trigger on-demand module loading.\na kmm/a c10:235\n";
    assert_eq!(files.last().unwrap().bytes, expected.as_bytes());
    assert!(matches!(&findings[..], [Finding::DeviceWithoutNumbers { module, .. }] if module == "b"));
}

proptest! {
    #[test]
    fn an_index_has_what_was_put_in(aliases in prop::collection::vec("[a-c\\-_*:]{1,6}", 0..40)) {
        let pairs: Vec<String> = aliases.iter().map(|alias| format!("alias={alias}")).collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        let mut tree = MemoryTree::default();
        tree.add("m.ko", Ok(module(&[], &[], &pairs)));
        let mut expected: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for alias in &aliases {
            *expected.entry(alias.replace('-', "_").into_bytes()).or_default() += 1;
        }
        let found = lookup::entries(&files(&tree, &Config::default())["modules.alias.bin"]);
        let found: BTreeMap<Vec<u8>, usize> = found.into_iter().map(|(key, values)| (key, values.len())).collect();
        prop_assert_eq!(found, expected);
    }
}

/// What the reader says of a written index is what the naive one beside it says, and what was put in.
#[test]
fn what_was_written_is_read_back() {
    let mut tree = MemoryTree::default();
    for number in 0..200 {
        let name = format!("m{}", number * number % 997);
        let alias = format!("alias=pci:v{number}d*");
        let needed = format!("s{}", number / 2);
        let facts = module(&[&format!("s{number}")], &[&needed], &[&alias, "alias=all"]);
        tree.add(
            &format!("kernel/{name}.ko"),
            Ok(if number < 2 {
                module(&["s0"], &[], &[])
            } else {
                facts
            }),
        );
    }
    let files = files(&tree, &Config::default());
    for (name, bytes) in files
        .iter()
        .filter(|(name, bytes)| name.ends_with(".bin") && !bytes.is_empty())
    {
        let index = BinaryIndex::parse(bytes).unwrap();
        let mut walked = BTreeMap::new();
        index
            .walk(|key, values| {
                let values = values.iter().map(|value| (value.priority, value.value.to_vec()));
                let values: Vec<_> = values.collect();
                let found = index.lookup(key).unwrap();
                let found: Vec<_> = found
                    .iter()
                    .map(|value| (value.priority, value.value.to_vec()))
                    .collect();
                assert_eq!(found, values);
                walked.insert(key.to_vec(), values);
            })
            .unwrap();
        assert_eq!(walked, lookup::entries(bytes), "{name}");
    }
    let text = Dependencies::parse(&files["modules.dep"]).unwrap();
    let binary = BinaryIndex::parse(&files["modules.dep.bin"]).unwrap();
    assert!(text.modules().len() > 100);
    for module in text.modules() {
        assert_eq!(
            binary.dependencies(&module.name()).unwrap().as_ref(),
            Some(module)
        );
        assert_eq!(text.of(&module.name()), Some(module));
    }
}

#[test]
fn gzip_counts_on_request() {
    let mut tree = MemoryTree::default();
    tree.add("extra/a.ko.gz", Ok(ModuleFacts::default()));
    for gzip in [false, true] {
        let options = Options {
            gzip,
            ..Options::default()
        };
        let index = Index::build(&tree, &Config::default(), &options).unwrap();
        assert_eq!(index.len(), usize::from(gzip));
    }
}
