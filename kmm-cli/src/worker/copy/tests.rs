use std::cell::Cell;
use std::os::unix::fs::symlink;

use super::*;

/// A folder with `from` in it, made like the files of an image.
fn image() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::create_dir_all(from.join("extra/deep")).unwrap();
    fs::write(from.join("extra/nic.ko"), vec![7; 100_000]).unwrap();
    fs::write(from.join("extra/empty"), "").unwrap();
    fs::write(from.join("modules.dep"), "extra/nic.ko:\n").unwrap();
    fs::write(from.join("extra/deep/-n *'\n"), "name").unwrap();
    symlink("../nic.ko", from.join("extra/deep/link.ko")).unwrap();
    symlink("/lib/modules/6.1.0", from.join("host")).unwrap();
    symlink("/usr/src/linux", from.join("build")).unwrap();
    set_mode(&from.join("extra/nic.ko"), 0o4750).unwrap();
    set_mode(&from.join("modules.dep"), 0o400).unwrap();
    set_mode(&from.join("extra/deep"), 0o555).unwrap();
    set_mode(&from, 0o711).unwrap();
    folder
}

fn go(folder: &tempfile::TempDir) -> Result<Copied, CopyError> {
    let folder = folder.path();
    copy(&folder.join("from"), &folder.join("share/opt/to"), &|| false)
}

/// Everything in a folder: path, mode and content.
fn listing(root: &Path) -> Vec<String> {
    let tree = scan::tree(root, &|| false).unwrap();
    let line = |(path, kind): (PathBuf, Kind)| {
        let what = match kind {
            Kind::Folder { mode } => format!("{mode:o}/"),
            Kind::Link { target } => format!("-> {}", target.display()),
            Kind::File { mode, .. } => {
                let bytes = fs::read(below(root, &path)).unwrap();
                let sum: usize = bytes.iter().map(|byte| usize::from(*byte)).sum();
                format!("{mode:o} {} {sum}", bytes.len())
            }
        };
        format!("{} {what}", path.display())
    };
    tree.entries.into_iter().map(line).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_tree_is_copied_and_a_second_run_changes_nothing() {
    let folder = image();
    let copied = go(&folder).unwrap();
    let to = folder.path().join("share/opt/to");
    assert_eq!(
        listing(&to),
        [
            " 711/",
            "extra 755/",
            "extra/deep 555/",
            "extra/deep/-n *'\n 644 4 417",
            "extra/deep/link.ko -> ../nic.ko",
            "extra/empty 644 0 0",
            "extra/nic.ko 750 100000 700000",
            "host -> /lib/modules/6.1.0",
            "modules.dep 400 14 1241",
        ]
    );
    assert_eq!((copied.entries, copied.bytes, copied.changed), (9, 100_018, true));
    assert_eq!(copied.left_out, ["build -> /usr/src/linux"]);
    assert_eq!(names(to.parent().unwrap()), [".to.kmm-copy", "to"]);
    assert!(!go(&folder).unwrap().changed);
}

#[test]
fn what_is_not_right_is_replaced() {
    let folder = image();
    go(&folder).unwrap();
    let to = folder.path().join("share/opt/to");
    let right = listing(&to);
    let spoil: [&dyn Fn(); 6] = [
        &|| fs::write(to.join("extra/nic.ko"), vec![8; 100_000]).unwrap(),
        &|| fs::write(to.join("extra/new"), "").unwrap(),
        &|| fs::remove_file(to.join("host")).unwrap(),
        &|| set_mode(&to.join("modules.dep"), 0o644).unwrap(),
        &|| symlink("elsewhere", to.join("link")).unwrap(),
        // What another run left, which was killed.
        &|| {
            fs::create_dir_all(to.with_file_name(".to.kmm-copy.new/half")).unwrap();
            fs::create_dir(to.with_file_name(".to.kmm-copy.old")).unwrap();
            fs::rename(&to, to.with_file_name(".to.kmm-copy.old/to")).unwrap();
        },
    ];
    for spoil in spoil {
        spoil();
        assert!(go(&folder).unwrap().changed);
        assert_eq!(listing(&to), right);
        assert_eq!(names(to.parent().unwrap()), [".to.kmm-copy", "to"]);
    }
}

#[test]
fn one_file_is_copied_and_replaced() {
    let folder = image();
    let from = folder.path().join("from/extra/nic.ko");
    let to = folder.path().join("share/worker");
    assert!(copy(&from, &to, &|| false).unwrap().changed);
    assert_eq!(listing(&to), [" 750 100000 700000"]);
    fs::write(&from, "shorter").unwrap();
    assert!(copy(&from, &to, &|| false).unwrap().changed);
    assert_eq!(fs::read(&to).unwrap(), b"shorter");
    // A folder takes the place of a file, and the other way round.
    assert!(
        copy(&folder.path().join("from/extra"), &to, &|| false)
            .unwrap()
            .changed
    );
    assert!(copy(&from, &to, &|| false).unwrap().changed);
    assert_eq!(fs::read(&to).unwrap(), b"shorter");
}

#[test]
fn what_somebody_else_put_there_stays() {
    let folder = image();
    let to = folder.path().join("share/opt/to");
    fs::create_dir_all(&to).unwrap();
    fs::write(to.join("mine"), "mine").unwrap();
    for _ in 0..2 {
        let error = go(&folder).unwrap_err();
        assert_eq!(error.reason(), Reason::FileFailed);
        assert!(
            error.to_string().contains("was not put there by a copy"),
            "{error}"
        );
        assert_eq!(names(to.parent().unwrap()), ["to"]);
        assert_eq!(fs::read(to.join("mine")).unwrap(), b"mine");
    }
    // An empty folder may go.
    fs::remove_file(to.join("mine")).unwrap();
    assert!(go(&folder).unwrap().changed);
    // A link is not followed.
    fs::remove_dir_all(folder.path().join("share")).unwrap();
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    symlink(folder.path(), &to).unwrap();
    assert!(go(&folder).is_err());
}

#[test]
fn stopped_at_any_time_it_leaves_all_or_nothing() {
    let folder = image();
    let to = folder.path().join("share/opt/to");
    go(&folder).unwrap();
    let (right, mut stops) = (listing(&to), 0);
    for there_before in [false, true] {
        for after in 0.. {
            fs::remove_dir_all(folder.path().join("share")).unwrap();
            if there_before {
                copy(&folder.path().join("from/extra"), &to, &|| false).unwrap();
            }
            let before = to.exists().then(|| listing(&to));
            let asked = Cell::new(0);
            let stopped = || {
                asked.set(asked.get() + 1);
                asked.get() > after
            };
            let result = copy(&folder.path().join("from"), &to, &stopped);
            if result.is_ok() {
                assert_eq!(listing(&to), right);
                break;
            }
            assert_eq!(result.unwrap_err().reason(), Reason::Interrupted);
            assert_eq!(to.exists().then(|| listing(&to)), before);
            stops += 1;
            go(&folder).unwrap();
            assert_eq!(listing(&to), right);
        }
    }
    assert!(stops > 20, "{stops}");
}

#[test]
fn a_file_that_grows_or_shrinks_is_an_error() {
    let folder = image();
    let from = folder.path().join("from");
    for size in [0, 200_000] {
        let asked = Cell::new(0);
        let stopped = || {
            asked.set(asked.get() + 1);
            // Behind the scan: it asks once for each of the ten entries.
            if asked.get() == 11 {
                fs::write(from.join("extra/nic.ko"), vec![7; size]).unwrap();
            }
            false
        };
        let to = folder.path().join("grown");
        let error = copy(&from, &to, &stopped).unwrap_err();
        assert!(
            error.to_string().ends_with("changed while it was copied"),
            "{error}"
        );
        assert!(!to.exists());
        fs::write(from.join("extra/nic.ko"), vec![7; 100_000]).unwrap();
    }
}

/// As `/lib` is in most images.
#[test]
fn a_link_on_the_way_may_lead_down() {
    let folder = image();
    let root = folder.path();
    fs::create_dir(root.join("usr")).unwrap();
    fs::rename(root.join("from"), root.join("usr/from")).unwrap();
    symlink("usr", root.join("lib")).unwrap();
    let copied = copy(&root.join("lib/from"), &root.join("to"), &|| false).unwrap();
    assert!(copied.changed);
    assert_eq!(fs::read(root.join("to/extra/nic.ko")).unwrap().len(), 100_000);
}

#[test]
fn what_is_refused() {
    let folder = image();
    let root = folder.path();
    let (from, to) = (root.join("from"), root.join("share/to"));
    let refused = |from: &Path, to: &Path, reason: Reason, words: &str| {
        let error = copy(from, to, &|| false).unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(&root.join("nothing"), &to, Reason::FileFailed, "cannot be read");
    refused(Path::new("/"), &to, Reason::FileFailed, "whole file system");
    refused(&root.join("x/../from"), &to, Reason::FileFailed, "cannot be read");
    refused(
        &from.join(".."),
        &to,
        Reason::OutsideRoot,
        "may not have `..` in it",
    );
    // Another folder of the container would be copied in its place.
    for (link, target, below) in [
        ("link", "from", ""),
        ("etc", "/etc", ""),
        ("above", "..", "x"),
        ("other", "/etc", "ssl"),
    ] {
        symlink(target, root.join(link)).unwrap();
        let words = format!("{link}` is a link to `{target}`");
        refused(&root.join(link).join(below), &to, Reason::LinkOutside, &words);
    }
    refused(&from, &root.join("a/.."), Reason::OutsideRoot, "without `..`");
    refused(&from, &root.join("../to"), Reason::OutsideRoot, "without `..`");
    refused(&from, Path::new("/"), Reason::OutsideRoot, "has to end in a name");
    refused(&from, &from.join("to"), Reason::FileFailed, "lie in one another");
    refused(
        &from.join("extra"),
        &from,
        Reason::FileFailed,
        "lie in one another",
    );
    refused(
        &from,
        &root.join(".x.kmm-copy"),
        Reason::FileFailed,
        "cannot be used",
    );
    refused(
        &from,
        &from.join("modules.dep/to"),
        Reason::FileFailed,
        "could not make",
    );
    symlink("../../outside", from.join("extra/out")).unwrap();
    refused(
        &from,
        &to,
        Reason::LinkOutside,
        "extra/out` is a link to `../../outside`",
    );
    fs::remove_file(from.join("extra/out")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
    refused(&from, &to, Reason::SpecialFile, "socket` is a socket");
    drop(socket);
    fs::remove_file(from.join("socket")).unwrap();
    let deep = from.join("d/".repeat(70));
    fs::create_dir_all(deep).unwrap();
    refused(&from, &to, Reason::FileFailed, "more than 64 folders");
    assert!(!to.exists());
}

#[test]
fn two_at_once_are_an_error() {
    let folder = image();
    let to = folder.path().join("to");
    fs::write(folder.path().join(".to.kmm-copy"), "").unwrap();
    let held = File::open(folder.path().join(".to.kmm-copy")).unwrap();
    held.lock().unwrap();
    let error = copy(&folder.path().join("from"), &to, &|| false).unwrap_err();
    assert!(error.to_string().contains("another copy"), "{error}");
    drop(held);
    assert!(copy(&folder.path().join("from"), &to, &|| false).unwrap().changed);
}
