//! Unloading.

use std::fs;
use std::os::unix::fs::symlink;

use crate::Test;
use crate::node::NIC;
use crate::node::Node;
use crate::node::RELEASE;
use crate::node::module;

pub(crate) const TESTS: &[Test] = &[
    ("unload::once_and_again", once_and_again),
    (
        "unload::a_module_in_use_names_its_holders",
        a_module_in_use_names_its_holders,
    ),
    (
        "unload::a_process_with_its_device_open_is_named",
        a_process_with_its_device_open_is_named,
    ),
    (
        "unload::a_module_that_got_hold_of_a_symbol_is_named",
        a_module_that_got_hold_of_a_symbol_is_named,
    ),
    ("unload::holders_go_first", holders_go_first),
    (
        "unload::another_build_is_unloaded_too",
        another_build_is_unloaded_too,
    ),
    ("unload::an_image_that_changed", an_image_that_changed),
];

fn once_and_again() {
    let node = Node::new();
    node.run("load", NIC, &[]).expect(0, "Loaded");
    let ended = node.run("unload", NIC, &[]).expect(0, "Unloaded");
    assert_eq!(ended.proof(), "/sys/module has none of nic");
    assert!(!node.is_loaded("nic") && !node.is_loaded("acme_bus"));
    let calls = node.calls();
    assert_eq!(calls[1], "-rvd /tmp/opt nic");
    node.run("unload", NIC, &[]).expect(0, "NotLoaded");
    assert_eq!(node.calls(), calls);
}

fn a_module_in_use_names_its_holders() {
    let node = Node::new();
    node.run("load", NIC, &[]).expect(0, "Loaded");
    let bus = "modprobe: {moduleName: acme-bus, dirName: /opt}\n";
    let ended = node.run("unload", bus, &[]).expect(1, "InUse");
    assert_eq!(ended.proof(), "`acme_bus` is used by module nic");
    assert_eq!(ended.result["mend"], "Unload first what holds it: nic.");
    assert_eq!(node.calls().len(), 1);
    // By processes: only modprobe can tell whether they still do.
    node.write("sys/module/nic/refcnt", "2\n");
    let ended = node.run("unload", NIC, &[]).expect(1, "InUse");
    let words = "`nic` is held: its `refcnt` is 2 and its `holders` is empty";
    assert!(ended.proof().contains(words), "{}", ended.proof());
    let words = "no process and no mount that can be seen from here";
    assert!(ended.proof().contains(words), "{}", ended.proof());
    assert!(ended.result["mend"].as_str().unwrap().contains("`lsof`"));
}

/// What a process has open is the module's where its driver, or the list of devices, says so; else nothing is said.
fn a_process_with_its_device_open_is_named() {
    let node = Node::new();
    node.run("load", NIC, &[]).expect(0, "Loaded");
    node.write("sys/module/nic/refcnt", "1\n");
    node.write("proc/77/comm", "daemon\n");
    node.folder("proc/77/fd");
    symlink("/dev/null", node.path("proc/77/fd/3")).unwrap();
    node.write("proc/77/fd/4", "no device");
    let unload = || node.run("unload", NIC, &[]).expect(1, "InUse");
    let unknown = unload();
    assert!(!unknown.proof().contains("process 77"), "{}", unknown.proof());
    // By its number: `/dev/null` is 1:3.
    node.write(
        "proc/devices",
        "Character devices:\n  1 mem\n\nBlock devices:\n  1 nic\n",
    );
    assert!(!unload().proof().contains("process 77"));
    node.write(
        "proc/devices",
        "Character devices:\n  1 nic\n\nBlock devices:\n  8 sd\n",
    );
    let words =
        "process 77 (daemon) has /dev/null open, a device with the number 1, which /proc/devices lists";
    let listed = unload();
    assert!(listed.proof().contains(words), "{}", listed.proof());
    // By its driver.
    fs::remove_file(node.path("proc/devices")).unwrap();
    node.folder("sys/devices/platform/nic.0/misc/nic");
    node.folder("sys/bus/platform/drivers/nic");
    node.folder("sys/dev/char");
    for (link, target) in [
        ("sys/dev/char/1:3", "../../devices/platform/nic.0/misc/nic"),
        (
            "sys/devices/platform/nic.0/driver",
            "../../../bus/platform/drivers/nic",
        ),
        ("sys/bus/platform/drivers/nic/module", "../../../../module/nic"),
    ] {
        symlink(target, node.path(link)).unwrap();
    }
    let words = "process 77 (daemon) has /dev/null open, a device that its driver drives";
    let driven = unload();
    assert!(driven.proof().contains(words), "{}", driven.proof());
    // A driver of another module is no user of this one.
    fs::remove_file(node.path("sys/bus/platform/drivers/nic/module")).unwrap();
    symlink(
        "../../../../module/acme_bus",
        node.path("sys/bus/platform/drivers/nic/module"),
    )
    .unwrap();
    assert!(!unload().proof().contains("process 77"));
    node.write(
        "proc/self/mounts",
        "none /data nic rw 0 0\nnone /other ext4 rw 0 0\n",
    );
    let mounted = unload();
    let words = "a file system `nic` is mounted at /data";
    assert!(mounted.proof().contains(words), "{}", mounted.proof());
}

/// `symbol_get` counts a user, and puts nobody among the holders.
fn a_module_that_got_hold_of_a_symbol_is_named() {
    let node = Node::new();
    let mut quiet = module("quiet", "Q1", &[]);
    quiet.section(".rodata.str1.1", b"quiet\0acme_bus_add\0");
    node.image("quiet", &quiet);
    node.depmod("tmp/opt");
    let bus = "modprobe: {moduleName: acme-bus, dirName: /opt}\n";
    node.run("load", bus, &[]).expect(0, "Loaded");
    node.loaded("quiet", "Q1");
    node.write("sys/module/acme_bus/refcnt", "1\n");
    let ended = node.run("unload", bus, &[]).expect(1, "InUse");
    let words = "its `refcnt` is 1 and its `holders` is empty";
    assert!(ended.proof().contains(words), "{}", ended.proof());
    assert!(
        ended.proof().contains("likely quiet, which names a symbol of it"),
        "{}",
        ended.proof()
    );
}

fn holders_go_first() {
    let node = Node::new();
    node.image("top", &module("top", "TOP1", &[]));
    node.depmod("tmp/opt");
    let config =
        "modprobe: {moduleName: acme-bus, dirName: /opt, modulesLoadingOrder: [acme-bus, top, nic]}\n";
    node.run("load", NIC, &[]).expect(0, "Loaded");
    node.loaded("top", "TOP1");
    // `acme-bus` stands first, and is held by `nic`.
    node.run("unload", config, &[]).expect(0, "Unloaded");
    assert_eq!(node.calls()[1], "-rvd /tmp/opt top nic acme-bus");
    assert!(!node.is_loaded("nic") && !node.is_loaded("acme_bus") && !node.is_loaded("top"));
}

fn another_build_is_unloaded_too() {
    let node = Node::new();
    node.loaded("nic", "OLDER");
    node.run("unload", NIC, &[])
        .expect(0, "Unloaded")
        .expect_warning("OtherModuleLoaded");
}

fn an_image_that_changed() {
    let node = Node::new();
    node.run("load", NIC, &[]).expect(0, "Loaded");
    fs::write(
        node.path(&format!("tmp/opt/lib/modules/{RELEASE}/extra/nic.ko")),
        "damaged",
    )
    .unwrap();
    node.run("unload", NIC, &[]).expect(0, "Unloaded");
}
