//! Unloading.

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
    assert!(
        ended.proof().contains("used 2 times, by no module"),
        "{}",
        ended.proof()
    );
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
    let words = "used 1 times, by no module that the kernel names";
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
    std::fs::write(
        node.path(&format!("tmp/opt/lib/modules/{RELEASE}/extra/nic.ko")),
        "damaged",
    )
    .unwrap();
    node.run("unload", NIC, &[]).expect(0, "Unloaded");
}
