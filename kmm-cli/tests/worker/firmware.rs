//! Firmware.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use crate::Test;
use crate::node::Node;

pub(crate) const TESTS: &[Test] = &[
    ("firmware::put_and_taken_away", put_and_taken_away),
    ("firmware::what_it_covers_comes_back", what_it_covers_comes_back),
    ("firmware::two_modules_share_a_file", two_modules_share_a_file),
    ("firmware::links_stay_inside", links_stay_inside),
    ("firmware::the_host_has_links_too", the_host_has_links_too),
    (
        "firmware::a_file_that_somebody_changed_is_left",
        a_file_that_somebody_changed_is_left,
    ),
    (
        "firmware::a_newer_image_has_other_files",
        a_newer_image_has_other_files,
    ),
    (
        "firmware::a_failed_load_leaves_nothing",
        a_failed_load_leaves_nothing,
    ),
    (
        "firmware::a_failed_load_leaves_what_may_be_needed",
        a_failed_load_leaves_what_may_be_needed,
    ),
    (
        "firmware::folders_that_cannot_be_used",
        folders_that_cannot_be_used,
    ),
    (
        "firmware::the_class_path_is_set_where_it_differs",
        the_class_path_is_set_where_it_differs,
    ),
    (
        "firmware::a_damaged_ledger_is_an_error",
        a_damaged_ledger_is_an_error,
    ),
    (
        "firmware::a_ledger_that_leads_out_is_an_error",
        a_ledger_that_leads_out_is_an_error,
    ),
];

const WITH: &str = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: /firmware}\n";
const BUS: &str = "modprobe: {moduleName: acme_bus, dirName: /opt, firmwarePath: /other}\n";
const HOST: &[&str] = &["--firmware-path", "/lib/firmware"];

fn mode(node: &Node, path: &str) -> u32 {
    fs::metadata(node.path(path)).unwrap().permissions().mode() & 0o7777
}

fn set_mode(node: &Node, path: &str, mode: u32) {
    fs::set_permissions(node.path(path), fs::Permissions::from_mode(mode)).unwrap();
}

fn put_and_taken_away() {
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", "a");
    node.write("tmp/firmware/acme/deep/b.bin", "b");
    set_mode(&node, "tmp/firmware", 0o700);
    set_mode(&node, "tmp/firmware/acme/a.bin", 0o4640);
    set_mode(&node, "lib/firmware", 0o750);
    node.run("load", WITH, HOST).expect(0, "Loaded");
    assert_eq!(node.read("lib/firmware/acme/a.bin"), "a");
    assert_eq!(node.read("lib/firmware/acme/deep/b.bin"), "b");
    assert_eq!(mode(&node, "lib/firmware"), 0o750);
    assert_eq!(mode(&node, "lib/firmware/acme/a.bin"), 0o640);
    node.run("unload", WITH, HOST).expect(0, "Unloaded");
    assert_eq!(node.files("lib/firmware"), []);
    assert_eq!(mode(&node, "lib/firmware"), 0o750);
}

fn what_it_covers_comes_back() {
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", "ours");
    node.write("tmp/firmware/acme/same.bin", "the same");
    node.write("lib/firmware/acme/a.bin", "the host's");
    node.write("lib/firmware/acme/same.bin", "the same");
    node.write("lib/firmware/acme/other.bin", "another");
    set_mode(&node, "lib/firmware/acme/a.bin", 0o600);
    let before = node.files("lib/firmware");
    node.run("load", WITH, HOST).expect(0, "Loaded");
    assert_eq!(node.read("lib/firmware/acme/a.bin"), "ours");
    // A second run finds all in its place, and does not take its own file for the host's.
    node.run("load", WITH, HOST).expect(0, "AlreadyLoaded");
    node.run("unload", WITH, HOST).expect(0, "Unloaded");
    assert_eq!(node.files("lib/firmware"), before);
    assert_eq!(mode(&node, "lib/firmware/acme/a.bin"), 0o600);
    node.run("unload", WITH, HOST).expect(0, "NotLoaded");
    assert_eq!(node.files("lib/firmware"), before);
}

fn two_modules_share_a_file() {
    for first_gone in [WITH, BUS] {
        let node = Node::new();
        node.write("tmp/firmware/shared.bin", "of nic");
        node.write("tmp/other/shared.bin", "of the bus");
        node.write("tmp/other/bus.bin", "of the bus");
        node.run("load", BUS, HOST).expect(0, "Loaded");
        node.run("load", WITH, HOST).expect(0, "Loaded");
        assert_eq!(node.read("lib/firmware/shared.bin"), "of nic");
        if first_gone == WITH {
            node.run("unload", WITH, HOST).expect(0, "Unloaded");
            assert_eq!(node.read("lib/firmware/shared.bin"), "of the bus");
            node.run("unload", BUS, HOST);
        } else {
            // The module is held by `nic`; its firmware stays with it.
            node.run("unload", BUS, HOST).expect(1, "InUse");
            assert_eq!(node.read("lib/firmware/bus.bin"), "of the bus");
            node.run("unload", WITH, HOST).expect(0, "Unloaded");
            node.run("unload", BUS, HOST).expect(0, "NotLoaded");
        }
        assert_eq!(node.files("lib/firmware"), []);
    }
}

fn links_stay_inside() {
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", "a");
    symlink("a.bin", node.path("tmp/firmware/acme/b.bin")).unwrap();
    node.run("load", WITH, HOST).expect(0, "Loaded");
    assert_eq!(
        node.files("lib/firmware/acme"),
        [
            ("a.bin".to_owned(), "a".to_owned()),
            ("b.bin".to_owned(), "-> a.bin".to_owned())
        ]
    );
    node.run("unload", WITH, HOST).expect(0, "Unloaded");
    assert_eq!(node.files("lib/firmware"), []);
    for target in ["/etc/passwd", "../../../etc/passwd", "down/up/..", "nowhere"] {
        let node = Node::new();
        node.write("tmp/firmware/acme/a.bin", "a");
        // By its words `down/up/..` stays inside.
        node.folder("tmp/firmware/acme/down");
        symlink("../..", node.path("tmp/firmware/acme/down/up")).unwrap();
        symlink(target, node.path("tmp/firmware/acme/link.bin")).unwrap();
        let ended = node.run("load", WITH, HOST).expect(1, "FirmwareLink");
        assert!(ended.proof().contains("acme/link.bin"), "{}", ended.proof());
        assert_eq!(node.files("lib/firmware"), []);
        assert_eq!(node.calls(), [""; 0]);
    }
}

fn the_host_has_links_too() {
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", "ours");
    node.folder("lib/firmware/acme");
    symlink("/usr/lib/firmware/a.bin", node.path("lib/firmware/acme/a.bin")).unwrap();
    let before = node.files("lib/firmware");
    node.run("load", WITH, HOST).expect(0, "Loaded");
    assert_eq!(node.read("lib/firmware/acme/a.bin"), "ours");
    node.run("unload", WITH, HOST).expect(0, "Unloaded");
    assert_eq!(node.files("lib/firmware"), before);
    // A folder that is a link out of the folder is not gone through.
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", "ours");
    node.folder("elsewhere");
    symlink(node.path("elsewhere"), node.path("lib/firmware/acme")).unwrap();
    node.run("load", WITH, HOST).expect(1, "FirmwareFolder");
    assert_eq!(node.files("elsewhere"), []);
    assert_eq!(node.calls(), [""; 0]);
}

fn a_file_that_somebody_changed_is_left() {
    let node = Node::new();
    node.write("tmp/firmware/a.bin", "ours");
    node.run("load", WITH, HOST).expect(0, "Loaded");
    node.write("lib/firmware/a.bin", "somebody's");
    let ended = node
        .run("unload", WITH, HOST)
        .expect(0, "Unloaded")
        .expect_warning("FirmwareChanged");
    assert!(ended.log.contains("is left"));
    assert_eq!(
        node.files("lib/firmware"),
        [("a.bin".to_owned(), "somebody's".to_owned())]
    );
}

fn a_newer_image_has_other_files() {
    let node = Node::new();
    node.write("tmp/firmware/a.bin", "1");
    node.write("tmp/firmware/old/b.bin", "1");
    node.run("load", WITH, HOST).expect(0, "Loaded");
    fs::remove_dir_all(node.path("tmp/firmware")).unwrap();
    node.write("tmp/firmware/a.bin", "2");
    node.run("load", WITH, HOST).expect(0, "AlreadyLoaded");
    assert_eq!(node.read("lib/firmware/a.bin"), "2");
    assert!(!node.path("lib/firmware/old").exists());
    // What was put is taken away by what is known of it, not by what the image has.
    fs::remove_dir_all(node.path("tmp/firmware")).unwrap();
    node.run("unload", WITH, HOST).expect(0, "Unloaded");
    assert_eq!(node.files("lib/firmware"), []);
}

fn a_failed_load_leaves_nothing() {
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", "ours");
    node.write("lib/firmware/b.bin", "the host's");
    let before = node.files("lib/firmware");
    node.modprobe_does("err modprobe: ERROR: could not insert 'nic': No such device\nexit 1");
    node.run("load", WITH, HOST).expect(1, "NoDevice");
    assert_eq!(node.files("lib/firmware"), before);
}

/// What a module may still ask for stays, and what none can ask for goes.
fn a_failed_load_leaves_what_may_be_needed() {
    let fails = "err modprobe: ERROR: could not insert 'nic': Connection timed out\nexit 1";
    for (script, module) in [
        ("module nic coming", "nic"),
        ("module nic going", "nic"),
        ("module nic live", "nic"),
        // It stays when what needs it cannot be loaded, and may want the same files.
        ("module acme_bus live", "acme_bus"),
    ] {
        let node = Node::new();
        node.write("tmp/firmware/acme/a.bin", "ours");
        let before = node.files("lib/firmware");
        node.modprobe_does(&format!("{script}\n{fails}"));
        let ended = node.run("load", WITH, HOST);
        assert_eq!(ended.code, Some(1), "{script}");
        assert_eq!(node.read("lib/firmware/acme/a.bin"), "ours", "{script}");
        let state = script.rsplit_once(' ').unwrap().1;
        let line =
            format!("message=\"firmware is left: a module may need it\" module={module} state={state}");
        assert!(ended.log.contains(&line), "{script}: {}", ended.log);
        // When it is gone, the next failure takes them away.
        fs::remove_dir_all(node.path("sys/module").join(module)).unwrap();
        node.modprobe_does(fails);
        assert_eq!(node.run("load", WITH, HOST).code, Some(1));
        assert_eq!(node.files("lib/firmware"), before, "{script}");
    }
    // One that was there before is no reason.
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", "ours");
    node.loaded("acme_bus", "BUS1");
    node.modprobe_does(fails);
    assert_eq!(node.run("load", WITH, HOST).code, Some(1));
    assert_eq!(node.files("lib/firmware"), []);
    // Where the kernel does not let modprobe go, nobody knows what comes.
    node.modprobe_does("wait");
    let options = [HOST, &["--timeout", "0"]].concat();
    node.run("load", WITH, &options).expect(1, "ModprobeTimeout");
    assert_eq!(node.read("lib/firmware/acme/a.bin"), "ours");
    node.modprobe_does("");
    node.run("load", WITH, HOST).expect(0, "Loaded");
    node.run("unload", WITH, HOST).expect(0, "Unloaded");
    assert_eq!(node.files("lib/firmware"), []);
}

fn folders_that_cannot_be_used() {
    let node = Node::new();
    node.write("tmp/firmware/a.bin", "ours");
    node.run("load", WITH, &[]).expect(1, "FirmwareFolder");
    let ended = node
        .run("load", WITH, &["--firmware-path", "/no/such"])
        .expect(1, "FirmwareFolder");
    assert!(ended.proof().contains("`/no/such`"), "{}", ended.proof());
    node.folder("lib/firmware/a.bin");
    let ended = node.run("load", WITH, HOST).expect(1, "FirmwareFolder");
    assert!(ended.proof().contains("a folder lies there"), "{}", ended.proof());
    let outside = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: ../etc}\n";
    node.run("load", outside, HOST).expect(1, "OutsideRoot");
    fs::remove_dir_all(node.path("tmp/firmware")).unwrap();
    let ended = node.run("load", WITH, HOST).expect(1, "FirmwareFolder");
    assert!(
        ended.proof().contains("the image's `/tmp/firmware`"),
        "{}",
        ended.proof()
    );
    assert_eq!(node.calls(), [""; 0]);
}

fn the_class_path_is_set_where_it_differs() {
    let file = "sys/module/firmware_class/parameters/path";
    let node = Node::new();
    let plain = "modprobe: {moduleName: nic, dirName: /opt}\n";
    node.run("load", plain, &["--firmware-path", "/var/lib/firmware"])
        .expect(0, "Loaded");
    assert_eq!(node.read(file), "/var/lib/firmware");
    // The kernel shows it with a line feed.
    node.write(file, "/var/lib/firmware\n");
    node.run("load", plain, &["--firmware-path", "/var/lib/firmware"])
        .expect(0, "AlreadyLoaded");
    assert_eq!(node.read(file), "/var/lib/firmware\n");
    node.run("load", plain, &["--firmware-path", ""])
        .expect(0, "AlreadyLoaded");
    assert_eq!(node.read(file), "\0");
    node.run("load", plain, &["--firmware-path", ""])
        .expect(0, "AlreadyLoaded");
    // The file may be somewhere else; without it there is an error before anything is loaded.
    node.run("unload", plain, &[]).expect(0, "Unloaded");
    node.write("fwparam/path", "/x\n");
    let other = node.path("fwparam/path");
    let other = other.to_str().unwrap();
    let options = ["--firmware-path", "/y", "--firmware-class-file", other];
    node.run("load", plain, &options).expect(0, "Loaded");
    assert_eq!(
        (node.read("fwparam/path"), node.read(file)),
        ("/y".to_owned(), "\0".to_owned())
    );
    node.run("unload", plain, &[]).expect(0, "Unloaded");
    fs::remove_file(other).unwrap();
    let ended = node.run("load", plain, &options).expect(1, "FirmwareClassPath");
    assert!(ended.proof().contains("/fwparam/path`"), "{}", ended.proof());
    assert!(!node.is_loaded("nic"));
}

/// Whoever wrote the ledger: nothing outside of the folder is touched.
fn a_ledger_that_leads_out_is_an_error() {
    for (path, folder) in [
        ("../../outside.bin", "a"),
        ("link/outside.bin", "a"),
        ("a.bin", "../../empty"),
    ] {
        let node = Node::new();
        node.write("outside.bin", "x");
        node.folder("empty");
        symlink(node.path(""), node.path("lib/firmware/link")).unwrap();
        let put = "{\"file\":{\"digest\":\"af63f54c86021707\",\"size\":1,\"mode\":420}}";
        let layers = format!(
            "[{{\"owner\":\"\",\"content\":\"absent\",\"kept\":null}},{{\"owner\":\"nic\",\"content\":{put},\"kept\":null}}]"
        );
        let ledger = format!(
            "{{\"version\":1,\"next\":0,\"files\":{{\"{path}\":{layers}}},\"folders\":[\"{folder}\"]}}"
        );
        node.write("lib/firmware/.kmm-worker/ledger.json", &ledger);
        let ended = node.run("unload", WITH, HOST).expect(0, "NotLoaded");
        ended.expect_warning("FirmwareFolder");
        assert_eq!(node.read("outside.bin"), "x");
        assert!(node.path("empty").is_dir());
    }
}

fn a_damaged_ledger_is_an_error() {
    let node = Node::new();
    node.write("tmp/firmware/a.bin", "ours");
    for text in ["{", "{\"version\":2}"] {
        node.write("lib/firmware/.kmm-worker/ledger.json", text);
        let ended = node.run("load", WITH, HOST).expect(1, "FirmwareFolder");
        assert!(ended.proof().contains("ledger.json"), "{}", ended.proof());
        assert!(!node.path("lib/firmware/a.bin").exists());
    }
}
