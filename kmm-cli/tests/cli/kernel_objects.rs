//! `kmm modinfo` and `kmm depmod` on kernel objects made here. Whether they print and write the bytes of the real
//! tools, `cargo xtask kernels` tells.

use std::fs;
use std::path::Path;

use kmm_core::depmod::BinaryIndex;
use serde_json::Value;
use tempfile::TempDir;

use super::builder::Object;
use super::kmm;
use super::kmm_with_input;
use super::stderr;
use super::stdout;

const VERSION: &str = "6.1.0-1-test";

fn module(exports: &[&str], imports: &[&str], pairs: &[&str]) -> Vec<u8> {
    let mut object = Object::module(pairs);
    let exports: Vec<(&str, u32, &str, bool)> = exports.iter().map(|name| (*name, 5, "", false)).collect();
    object.exports(&exports);
    object.imports(imports);
    object.versions(&imports.iter().map(|name| (*name, 5)).collect::<Vec<_>>());
    object.build()
}

/// Objects for all that the JSON of `kmm modinfo` can hold.
pub(crate) fn objects(folder: &Path) -> Vec<String> {
    let mut signed = Object::module(&[
        "name=signed",
        "alias=a",
        "alias=b",
        "parm=x:what",
        "parmtype=x:int",
        "parm=y:z",
    ]);
    signed.sign(0, b"somebody", b"\x01\xff", b"content");
    let files = [("signed.ko", signed.build()), ("no.ko", b"no module".to_vec())];
    files
        .map(|(name, bytes)| write(&folder.join(name), &bytes))
        .into()
}

fn write(path: &Path, bytes: &[u8]) -> String {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A tree of two modules, one of which needs the other, and a configuration folder that is empty.
fn tree() -> (TempDir, String) {
    let base = tempfile::tempdir().unwrap();
    let root = base.path().join("lib/modules").join(VERSION);
    let weak = ["alias=pci:a-b", "weakdep=b-c", "name=a"];
    write(
        &root.join("kernel/a.ko"),
        &module(&[], &["offered", "kernel_has"], &weak),
    );
    let packed = module(&["offered"], &[], &["name=b_c", "license=GPL"]);
    write(&root.join("extra/b-c.ko.zst"), &zstd(&packed));
    let name = base.path().to_str().unwrap().to_owned();
    (base, name)
}

/// A zstd frame that holds the bytes as they are.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend((bytes.len() as u32).to_le_bytes());
    let head = ((bytes.len() as u32) << 3) | 1;
    frame.extend_from_slice(&head.to_le_bytes()[..3]);
    frame.extend_from_slice(bytes);
    frame
}

fn depmod(base: &str, args: &[&str]) -> std::process::Output {
    kmm(&[&["depmod", "-b", base, "-C", "/nonexistent"], args, &[VERSION]].concat())
}

#[test]
fn what_is_printed_of_files_and_names() {
    let (folder, base) = tree();
    assert_eq!(depmod(&base, &[]).status.code(), Some(0));
    let path = format!("{base}/lib/modules/{VERSION}/extra/b-c.ko.zst");
    let expected = format!("filename:       {path}\nname:           b_c\nlicense:        GPL\n");
    let look_up = ["-b", &base, "-k", VERSION];
    for args in [
        &[path.as_str()][..],
        &[&look_up[..], &["b_c"]].concat(),
        &[&look_up[..], &["-m", "b-c"]].concat(),
    ] {
        let output = kmm(&[&["modinfo"], args].concat());
        assert_eq!(
            (stdout(&output), stderr(&output)),
            (expected.as_str(), ""),
            "{args:?}"
        );
        assert_eq!(output.status.code(), Some(0));
    }
    for (args, printed) in [
        (&["-l"][..], "GPL\n".to_owned()),
        (&["-F", "name", "-0"], "b_c\0".to_owned()),
        (&["-n"], format!("{path}\n")),
        (&["-a"], String::new()),
    ] {
        assert_eq!(
            stdout(&kmm(&[&["modinfo"], args, &[&path]].concat())),
            printed,
            "{args:?}"
        );
    }
    let output = kmm_with_input(&["modinfo", "-l", "-"], &fs::read(&path).unwrap());
    assert_eq!(stdout(&output), "GPL\n");
    drop(folder);
}

#[test]
fn what_is_no_module_is_no_and_what_cannot_be_read_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let files = objects(folder.path());
    let output = kmm(&["modinfo", "-F", "name", &files[1], &files[0]]);
    assert_eq!((stdout(&output), output.status.code()), ("signed\n", Some(1)));
    assert!(
        stderr(&output).contains("no.ko`: not a kernel object"),
        "{}",
        stderr(&output)
    );
    let gone = format!("{}/gone.ko", folder.path().display());
    for args in [["-n", &gone], ["-l", &gone]] {
        let output = kmm(&[&["modinfo", &files[0]], &args[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains("could not read"), "{}", stderr(&output));
    }
    let output = kmm(&["modinfo", "-o", "json", &files[0], &gone]);
    assert_eq!((stdout(&output), output.status.code()), ("", Some(2)));
    let output = kmm(&["modinfo", "-o", "json", &files[0], &files[1]]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer["modules"][0]["fields"]["alias"],
        serde_json::json!(["a", "b"])
    );
    assert_eq!(output.status.code(), Some(1));
    let output = kmm(&[
        "modinfo",
        "-b",
        folder.path().to_str().unwrap(),
        "-k",
        "6.1",
        "nothing",
    ]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_index_is_written_whole_and_read_again() {
    let (folder, base) = tree();
    let root = folder.path().join("lib/modules").join(VERSION);
    let output = depmod(&base, &[]);
    assert_eq!(
        (stdout(&output), stderr(&output), output.status.code()),
        ("", "", Some(0))
    );
    let text = fs::read_to_string(root.join("modules.dep")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["extra/b-c.ko.zst:", "kernel/a.ko: extra/b-c.ko.zst"]);
    let binary = fs::read(root.join("modules.alias.bin")).unwrap();
    let found = BinaryIndex::parse(&binary).unwrap().lookup(b"pci:a_b").unwrap();
    assert_eq!(found[0].value, b"a");
    assert!(!root.join("modules.weakdep").exists());
    assert_eq!(depmod(&base, &["--format", "33"]).status.code(), Some(0));
    let weak = fs::read_to_string(root.join("modules.weakdep")).unwrap();
    assert!(weak.ends_with("weakdep a b-c\n"), "{weak}");
    let left: Vec<_> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter().all(|name| !name.to_string_lossy().ends_with(".new")),
        "{left:?}"
    );
}

#[test]
fn quick_does_nothing_until_a_module_is_newer() {
    let (folder, base) = tree();
    let root = folder.path().join("lib/modules").join(VERSION);
    let text = || fs::read_to_string(root.join("modules.dep")).unwrap();
    assert_eq!(depmod(&base, &["-A"]).status.code(), Some(0));
    assert!(text().contains("a.ko"));
    fs::write(root.join("modules.dep"), "mark").unwrap();
    assert_eq!(depmod(&base, &["-A"]).status.code(), Some(0));
    assert_eq!(text(), "mark");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let module = fs::File::options()
        .append(true)
        .open(root.join("kernel/a.ko"))
        .unwrap();
    module.set_modified(later).unwrap();
    assert_eq!(depmod(&base, &["-A"]).status.code(), Some(0));
    assert!(text().contains("a.ko"));
}

#[test]
fn what_is_missing_or_differs_is_told_by_module() {
    let (folder, base) = tree();
    let symvers = |text: &str| write(&folder.path().join("Module.symvers"), text.as_bytes());
    let whole = "0x5\tkernel_has\tvmlinux\tEXPORT_SYMBOL\t\n0x5\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n";
    for (text, line) in [
        (whole, ""),
        (
            "",
            "kernel/a.ko: 1 symbol missing: kernel_has\n1 of 2 modules do not fit the kernel\n",
        ),
        (
            "0x6\tkernel_has\tvmlinux\tEXPORT_SYMBOL\t\n",
            "kernel/a.ko: 1 symbol with another checksum: kernel_has\n1 of 2 modules do not fit the kernel\n",
        ),
    ] {
        let output = depmod(&base, &["-n", "-e", "-E", &symvers(text)]);
        assert_eq!(stderr(&output), line);
        assert_eq!(output.status.code(), Some(i32::from(!line.is_empty())));
        assert!(stdout(&output).contains("kernel/a.ko: extra/b-c.ko.zst\n"));
    }
    let map = write(
        &folder.path().join("System.map"),
        b"0000 r __ksymtab_kernel_has\n",
    );
    assert_eq!(depmod(&base, &["-n", "-e", "-F", &map]).status.code(), Some(0));
}

#[test]
fn circles_are_no_and_write_nothing() {
    let (folder, base) = tree();
    let root = folder.path().join("lib/modules").join(VERSION);
    write(&root.join("kernel/x.ko"), &module(&["x"], &["y"], &["name=x"]));
    write(&root.join("kernel/y.ko"), &module(&["y"], &["x"], &["name=y"]));
    let output = depmod(&base, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("modules need each other: "),
        "{}",
        stderr(&output)
    );
    assert!(!root.join("modules.dep").exists());
}

#[test]
fn a_tree_that_cannot_be_had_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_str().unwrap();
    for args in [
        &["6.1.0"][..],
        &["../.."],
        &["-e", "6.1.0"],
        &["-P", "é", "6.1.0"],
    ] {
        let output = kmm(&[&["depmod", "-b", base], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn texts_without_an_end_are_refused() {
    let (_folder, base) = tree();
    for (flag, name) in [("-E", "Module.symvers"), ("-F", "System.map")] {
        let said = depmod(&base, &["-n", "-e", flag, "/dev/zero"]);
        assert_eq!(said.status.code(), Some(2), "{name}");
        assert_eq!(
            stderr(&said),
            "kmm: `/dev/zero` is too large: at most 64 MiB are read\n",
            "{name}"
        );
    }
    let said = kmm(&["depmod", "-b", &base, "-n", "-C", "/dev/zero", VERSION]);
    assert_eq!(said.status.code(), Some(2));
    assert!(
        stderr(&said).contains("`/dev/zero`: more than 64 MiB"),
        "{}",
        stderr(&said)
    );
    let index = Path::new(&base)
        .join("lib/modules")
        .join(VERSION)
        .join("modules.dep.bin");
    let by_name = || kmm(&["modinfo", "-b", &base, "-k", VERSION, "a"]);
    std::os::unix::fs::symlink("/dev/zero", &index).unwrap();
    let said = by_name();
    assert_eq!(said.status.code(), Some(2));
    assert!(stderr(&said).contains("it is no file"), "{}", stderr(&said));
    fs::remove_file(&index).unwrap();
    let large = fs::File::create(&index).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    let said = by_name();
    assert_eq!(said.status.code(), Some(2));
    assert!(stderr(&said).contains("more than 64 MiB"), "{}", stderr(&said));
}
