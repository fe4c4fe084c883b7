//! Files of an image that are something else than they seem: each is named, and nothing waits for them or follows them.

use std::fs;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::Test;
use crate::node::NIC;
use crate::node::Node;
use crate::node::RELEASE;

pub(crate) const TESTS: &[Test] = &[
    ("hostile::in_place_of_a_module", in_place_of_a_module),
    ("hostile::in_place_of_an_index", in_place_of_an_index),
    ("hostile::links_that_are_followed", links_that_are_followed),
    ("hostile::in_place_of_firmware", in_place_of_firmware),
    ("hostile::firmware_behind_a_link", firmware_behind_a_link),
    (
        "hostile::more_firmware_than_is_copied",
        more_firmware_than_is_copied,
    ),
    ("hostile::unloading_goes_on", unloading_goes_on),
];

const WITH: &str = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: /firmware}\n";
const HOST: &[&str] = &["--firmware-path", "/lib/firmware"];

/// Puts something in the place of a file.
type Put = fn(&Path);

fn pipe(path: &Path) {
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        path,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
    )
    .unwrap();
}

/// As much of a device as a user may make: opening it acts, or fails, and reading makes no sense.
fn socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

fn link_out(path: &Path) {
    symlink("/etc/hostname", path).unwrap();
}

fn link_up(path: &Path) {
    symlink("../../../../../../../etc/hostname", path).unwrap();
}

fn link_to_device(path: &Path) {
    symlink("/dev/zero", path).unwrap();
}

fn loop_of_links(path: &Path) {
    symlink(path.file_name().unwrap(), path).unwrap();
}

fn folder(path: &Path) {
    fs::create_dir(path).unwrap();
}

fn sparse(path: &Path) {
    File::create(path).unwrap().set_len(1 << 42).unwrap();
}

/// A node on which a file is something else.
fn node(path: &str, put: Put) -> Node {
    let node = Node::new();
    let _ = fs::remove_file(node.path(path));
    put(&node.path(path));
    node
}

/// The load ends before modprobe runs, names the file, and says these words.
#[track_caller]
fn refused(node: &Node, config: &str, path: &str, reason: &str, words: &str) {
    let ended = node.run("load", config, HOST).expect(1, reason);
    let named = ended.proof().contains(&format!("`/{path}`"));
    assert!(
        named && ended.proof().contains(words),
        "{path}: {}",
        ended.proof()
    );
    assert_eq!(ended.result["step"], "precheck");
    assert_eq!(node.calls(), [""; 0], "{path}");
    assert_eq!(node.files("lib/firmware"), [], "{path}");
}

const FAULTS: &[(Put, &str, &str)] = &[
    (pipe, "SpecialFile", "is a pipe: only plain files are read"),
    (socket, "SpecialFile", "is a socket: only plain files are read"),
    (folder, "SpecialFile", "is a folder: only plain files are read"),
    (
        link_to_device,
        "LinkOutside",
        "to `/dev/zero`, which leads out of `/tmp`: links may lead to files in it, and to those below /lib/modules",
    ),
    (
        link_out,
        "LinkOutside",
        "to `/etc/hostname`, which leads out of `/tmp`",
    ),
    (
        link_up,
        "LinkOutside",
        "to `../../../../../../../etc/hostname`, which leads out of `/tmp`",
    ),
    (
        loop_of_links,
        "LinkOutside",
        "is behind links that lead to each other",
    ),
];

fn in_place_of_a_module() {
    // The module itself, and one that it needs.
    for file in ["nic", "acme-bus"] {
        let path = format!("tmp/opt/lib/modules/{RELEASE}/extra/{file}.ko");
        for (put, reason, words) in FAULTS {
            refused(&node(&path, *put), NIC, &path, reason, words);
        }
        let words = "has 4398046511104 bytes: the kernel takes at most 2147483647";
        refused(&node(&path, sparse), NIC, &path, "ModuleDamaged", words);
    }
}

fn in_place_of_an_index() {
    // Some are there only to be opened by modprobe.
    for file in [
        "modules.dep.bin",
        "modules.dep",
        "modules.softdep",
        "modules.alias.bin",
    ] {
        let path = format!("tmp/opt/lib/modules/{RELEASE}/{file}");
        for (put, reason, words) in FAULTS {
            refused(&node(&path, *put), NIC, &path, reason, words);
        }
        let words = "has 4398046511104 bytes: at most 33554432 are read";
        refused(&node(&path, sparse), NIC, &path, "ModulesDepMissing", words);
    }
}

fn links_that_are_followed() {
    let file = format!("tmp/opt/lib/modules/{RELEASE}/extra/nic.ko");
    // To another folder of the image.
    let node = Node::new();
    node.folder("tmp/usr");
    fs::rename(node.path(&file), node.path("tmp/usr/nic.ko")).unwrap();
    symlink("../../../../../usr/nic.ko", node.path(&file)).unwrap();
    node.run("load", NIC, &[]).expect(0, "Loaded");
    // To the modules of the node, as the operator's documentation has it.
    let node = Node::new();
    let own = format!("lib/modules/{RELEASE}/extra");
    node.folder(&own);
    fs::rename(node.path(&file), node.path(&own).join("nic.ko")).unwrap();
    symlink(format!("/host/{own}/nic.ko"), node.path(&file)).unwrap();
    node.folder(&format!("host/{own}"));
    fs::copy(
        node.path(&own).join("nic.ko"),
        node.path(&format!("host/{own}/nic.ko")),
    )
    .unwrap();
    // The modprobe of this node has no such folder; what counts is that it is asked.
    node.modprobe_does("exit 1");
    node.run("load", NIC, &[]).expect(1, "ModprobeFailed");
    assert_eq!(node.calls().len(), 1);
}

fn in_place_of_firmware() {
    let path = "tmp/firmware/acme.bin";
    let faults: &[(Put, &str, &str)] = &[
        (
            pipe,
            "SpecialFile",
            "is a pipe: files, links and folders are copied",
        ),
        (
            socket,
            "SpecialFile",
            "is a socket: files, links and folders are copied",
        ),
        (
            link_to_device,
            "FirmwareLink",
            "a link to `/dev/zero`, which leads out of `/tmp/firmware`",
        ),
        (link_up, "FirmwareLink", "which leads out of `/tmp/firmware`"),
        (
            loop_of_links,
            "FirmwareLink",
            "is a link to `acme.bin`, which cannot be followed",
        ),
        (
            sparse,
            "FirmwareFolder",
            "with it there are 4398046511104 bytes, and at most 4294967296 are copied",
        ),
    ];
    for (put, reason, words) in faults {
        let node = Node::new();
        node.folder("tmp/firmware");
        put(&node.path(path));
        refused(&node, WITH, path, reason, words);
    }
}

/// The folder of the firmware, or one above it, is a link: files of the container would come onto the node.
fn firmware_behind_a_link() {
    for (link, target) in [
        ("tmp/firmware", "/etc"),
        ("tmp/firmware", "../etc"),
        ("tmp/firmware", "usr/firmware"),
        ("tmp/a", "/"),
        ("tmp/a", ".."),
    ] {
        let node = Node::new();
        node.write("etc/firmware/secret", "secret");
        node.write("tmp/usr/firmware/a.bin", "a");
        symlink(target, node.path(link)).unwrap();
        let inside = if link == "tmp/a" {
            "/a/etc/firmware"
        } else {
            "/firmware"
        };
        let config = format!("modprobe: {{moduleName: nic, dirName: /opt, firmwarePath: {inside}}}\n");
        let words = format!("is a link to `{target}`: the last step of a path may be none");
        refused(&node, &config, link, "FirmwareLink", &words);
    }
    // As in images with one tree below `/usr`.
    let node = Node::new();
    node.write("tmp/usr/lib/firmware/a.bin", "a");
    symlink("usr/lib", node.path("tmp/lib")).unwrap();
    let config = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: /lib/firmware}\n";
    node.run("load", config, HOST).expect(0, "Loaded");
    assert_eq!(node.read("lib/firmware/a.bin"), "a");
}

fn more_firmware_than_is_copied() {
    let node = Node::new();
    // Folders and what is in them count alike.
    for number in 0..20_001 {
        node.folder(&format!("tmp/firmware/{number}"));
    }
    let ended = node.run("load", WITH, HOST).expect(1, "FirmwareFolder");
    let words = "there are more than 20000 files, links and folders";
    assert!(ended.proof().contains(words), "{}", ended.proof());
    // Many small ones are as much as a large one.
    let node = Node::new();
    node.folder("tmp/firmware");
    for number in 0..5 {
        let file = File::create(node.path(&format!("tmp/firmware/{number}"))).unwrap();
        file.set_len(if number < 4 { 8 } else { 4 << 30 }).unwrap();
    }
    let ended = node.run("load", WITH, HOST).expect(1, "FirmwareFolder");
    let words = "and at most 4294967296 are copied";
    assert!(ended.proof().contains(words), "{}", ended.proof());
}

/// What modprobe does not open keeps nothing from being unloaded; what it would wait for is an error.
fn unloading_goes_on() {
    let tree = format!("tmp/opt/lib/modules/{RELEASE}");
    let node = Node::new();
    node.run("load", NIC, &[]).expect(0, "Loaded");
    let calls = node.calls().len();
    node.pipe(&format!("{tree}/extra/nic.ko"));
    for file in ["modules.dep.bin", "modules.softdep"] {
        let path = node.path(&format!("{tree}/{file}"));
        fs::rename(&path, node.path("kept")).unwrap();
        pipe(&path);
        let ended = node.run("unload", NIC, &[]).expect(1, "SpecialFile");
        assert!(ended.proof().contains(file), "{}", ended.proof());
        fs::rename(node.path("kept"), &path).unwrap();
    }
    assert_eq!(node.calls().len(), calls);
    node.run("unload", NIC, &[]).expect(0, "Unloaded");
    // Nor does anything where there is nothing to do.
    node.pipe(&format!("{tree}/modules.dep.bin"));
    node.run("unload", NIC, &[]).expect(0, "NotLoaded");
}
