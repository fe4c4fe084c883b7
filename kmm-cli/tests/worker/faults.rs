//! What goes wrong: each with its reason and its proof.

use std::fs;

use crate::Test;
use crate::node::NIC;
use crate::node::Node;
use crate::node::RELEASE;
use crate::node::module;

pub(crate) const TESTS: &[Test] = &[
    ("faults::before_modprobe_is_run", before_modprobe_is_run),
    (
        "faults::before_in_tree_modules_are_removed",
        before_in_tree_modules_are_removed,
    ),
    (
        "faults::what_modprobe_and_the_kernel_say",
        what_modprobe_and_the_kernel_say,
    ),
    (
        "faults::without_the_log_of_the_kernel",
        without_the_log_of_the_kernel,
    ),
    ("faults::not_permitted_has_causes", not_permitted_has_causes),
    ("faults::modprobe_cannot_be_run", modprobe_cannot_be_run),
    ("faults::modprobe_does_not_end", modprobe_does_not_end),
    ("faults::configurations", configurations),
    (
        "faults::a_result_that_cannot_be_written",
        a_result_that_cannot_be_written,
    ),
];

/// A change to a node, and the reason and words that it must give.
type Fault = (fn(&Node), &'static str, &'static str);

fn before_modprobe_is_run() {
    let faults: &[Fault] = &[
        (
            |node| fs::remove_dir_all(node.path("tmp/opt/lib/modules")).unwrap(),
            "ModulesDepMissing",
            "is not there",
        ),
        (
            |node| {
                let folder = node.path("tmp/opt/lib/modules");
                fs::rename(folder.join(RELEASE), folder.join("6.1.0-1-amd64")).unwrap();
            },
            "ModulesDepMissing",
            "beside it is 6.1.0-1-amd64",
        ),
        (
            |node| {
                fs::remove_file(node.path(&format!("tmp/opt/lib/modules/{RELEASE}/modules.dep.bin")))
                    .unwrap();
            },
            "ModulesDepMissing",
            "modules.dep.bin",
        ),
        (
            |node| {
                fs::remove_file(node.path(&format!("tmp/opt/lib/modules/{RELEASE}/extra/acme-bus.ko")))
                    .unwrap();
            },
            "DependencyMissing",
            "extra/acme-bus.ko",
        ),
        (
            |node| {
                node.write(
                    &format!("tmp/opt/lib/modules/{RELEASE}/extra/nic.ko"),
                    "#!/bin/sh",
                );
            },
            "ModuleDamaged",
            "not a kernel object",
        ),
        (
            |node| {
                let mut other = module("nic", "X", &[]);
                other.machine = 183;
                node.image("nic", &other);
            },
            "WrongArchitecture",
            "aarch64",
        ),
        (
            |node| {
                let mut other =
                    crate::builder::Object::module(&["name=nic", "vermagic=6.1.0-1-amd64 SMP mod_unload "]);
                other.versions(&[("module_layout", 99)]);
                node.image("nic", &other);
            },
            "WrongKernel",
            "module_layout",
        ),
        (
            |node| node.write("sys/module/module/parameters/sig_enforce", "Y\n"),
            "SignatureMissing",
            "sig_enforce is `Y`",
        ),
        (
            |node| {
                node.write(
                    "sys/kernel/security/lockdown",
                    "none [integrity] confidentiality\n",
                );
            },
            "Lockdown",
            "lockdown is `integrity`",
        ),
        (
            |node| {
                node.write(
                    "proc/self/status",
                    "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000000000\n",
                );
            },
            "MissingCapability",
            "CAP_SYS_MODULE",
        ),
        (
            |node| node.write("proc/self/uid_map", "0 100000 65536\n"),
            "UserNamespace",
            "uid_map",
        ),
        (
            |node| node.write("proc/sys/kernel/modules_disabled", "1\n"),
            "ModulesDisabled",
            "modules_disabled is 1",
        ),
        (
            |node| fs::remove_file(node.path("proc/sys/kernel/osrelease")).unwrap(),
            "FileFailed",
            "/proc/sys/kernel/osrelease",
        ),
    ];
    for (change, reason, words) in faults {
        let node = Node::new();
        change(&node);
        let ended = node.run("load", NIC, &[]).expect(1, reason);
        assert!(ended.proof().contains(words), "{reason}: {}", ended.proof());
        assert_eq!(node.calls(), [""; 0], "{reason}");
        assert_eq!(ended.result["step"], "precheck");
        assert_ne!(ended.result["mend"], "", "{reason}");
    }
}

fn before_in_tree_modules_are_removed() {
    let node = Node::new();
    node.loaded("dummy", "INTREE");
    let config = "modprobe: {moduleName: none, dirName: /opt}\ninTreeModulesToRemove: [dummy]\n";
    node.run("load", config, &[]).expect(1, "ModuleMissing");
    assert!(node.is_loaded("dummy"));
    // What is in use is named.
    node.write("sys/module/dummy/holders/bond", "");
    let config = "modprobe: {moduleName: nic, dirName: /opt}\ninTreeModulesToRemove: [dummy]\n";
    let ended = node.run("load", config, &[]).expect(1, "InTreeRemoval");
    assert!(
        ended
            .proof()
            .starts_with("`dummy` is used by module bond; modprobe says: "),
        "{}",
        ended.proof()
    );
    assert!(!node.is_loaded("nic"));
    // An alias in the configuration of modprobe may stand for a module: modprobe has the last word.
    node.write("etc/modprobe.d/alias.conf", "alias none nic\n");
    let config = "modprobe: {moduleName: none, dirName: /opt}\n";
    node.run("load", config, &[]).expect(1, "ModuleMissing");
    assert_eq!(node.calls().last().unwrap(), "-vd /tmp/opt none");
}

fn what_modprobe_and_the_kernel_say() {
    for (lines, reason, words) in [
        (
            "kernel nic: Unknown symbol acme_x (err -2)\nkernel nic: Unknown symbol acme_y (err -2)\n\
             err modprobe: ERROR: could not insert 'nic': Unknown symbol in module, or unknown parameter (see dmesg)",
            "UnknownSymbol",
            "acme_x (err -2); nic: Unknown symbol acme_y",
        ),
        (
            "kernel nic 0000:00:03.0: Direct firmware load for acme/fw.bin failed with error -2\n\
             err modprobe: ERROR: could not insert 'nic': Unknown symbol in module, or unknown parameter (see dmesg)",
            "FirmwareMissing",
            "acme/fw.bin",
        ),
        (
            "kernel Loading of module with unavailable key is rejected\n\
             err modprobe: ERROR: could not insert 'nic': Key was rejected by service",
            "SignatureKeyUnknown",
            "unavailable key",
        ),
        (
            "err modprobe: ERROR: could not insert 'nic': Invalid module format\nkernel Invalid ELF header magic: != \\x7fELF",
            "ModuleDamaged",
            "Invalid ELF header magic",
        ),
        (
            "kernel module: Invalid ELF header len 9\nerr modprobe: ERROR: could not insert 'nic': Invalid module format",
            "ModuleDamaged",
            "Invalid ELF header len",
        ),
        (
            "err modprobe: ERROR: could not insert 'nic': No such device",
            "NoDevice",
            "No such device",
        ),
        ("out something", "ModprobeFailed", "exit status: 1: something"),
        ("", "ModprobeFailed", "it said nothing"),
    ] {
        let node = Node::new();
        // What the log says of an earlier time is not taken for this one.
        node.write(
            "dev/kmsg",
            "4,1,1,-;nic: exports duplicate symbol acme_z (owned by old)\n",
        );
        node.modprobe_does(format!("{lines}\nexit 1").trim_start());
        let ended = node.run("load", NIC, &[]).expect(1, reason);
        assert!(ended.proof().contains(words), "{reason}: {}", ended.proof());
        assert_eq!(ended.result["step"], "modprobe");
    }
}

fn without_the_log_of_the_kernel() {
    let no_log = |lines: &str| {
        let node = Node::new();
        fs::remove_file(node.path("dev/kmsg")).unwrap();
        node.modprobe_does(&format!(
            "err modprobe: ERROR: could not insert 'nic': {lines}\nexit 1"
        ));
        node
    };
    let symbols = "Unknown symbol in module, or unknown parameter (see dmesg)";
    let node = no_log(symbols);
    let mut nic = module("nic", "NIC1", &["firmware=acme/fw.bin"]);
    nic.imports(&["printk", "acme_gone"]);
    node.image("nic", &nic);
    node.depmod("tmp/opt");
    node.write(
        "proc/kallsyms",
        "0000000000000000 T printk\n0000000000000000 t other\n",
    );
    let ended = node.run("load", NIC, &[]).expect(1, "UnknownSymbol");
    assert!(
        ended.proof().contains("/proc/kallsyms has no acme_gone"),
        "{}",
        ended.proof()
    );
    assert!(ended.log.contains("the kernel's log cannot be read"));
    node.write("proc/kallsyms", "0 T printk\n0 r __ksymtab_acme_gone\t[other]\n");
    let ended = node.run("load", NIC, &[]).expect(1, "FirmwareMissing");
    assert!(ended.proof().contains("acme/fw.bin"), "{}", ended.proof());

    let node = no_log("Key was rejected by service");
    node.run("load", NIC, &[]).expect(1, "SignatureMissing");
    for name in ["nic", "acme-bus"] {
        let mut signed = module(&name.replace('-', "_"), "S", &[]);
        signed.sign(1, b"Acme", &[1, 2], &[0, 2, 9, 9]);
        node.image(name, &signed);
    }
    node.depmod("tmp/opt");
    let ended = node.run("load", NIC, &[]).expect(1, "SignatureKeyUnknown");
    assert!(
        ended.proof().contains("likely an unknown key"),
        "{}",
        ended.proof()
    );
    // The kernel has a line for an unknown key; where it says nothing, the signature is wrong.
    node.write("dev/kmsg", "");
    node.run("load", NIC, &[]).expect(1, "SignatureInvalid");
}

fn not_permitted_has_causes() {
    let refused = "err modprobe: ERROR: could not insert 'nic': Operation not permitted\nexit 1";
    let node = Node::new();
    node.modprobe_does(refused);
    let ended = node.run("load", NIC, &[]).expect(1, "NotPermitted");
    assert!(
        ended
            .proof()
            .contains("capabilities are there, and lockdown is off"),
        "{}",
        ended.proof()
    );
    // Where a container does not see it, a module without a signature tells.
    fs::remove_file(node.path("sys/kernel/security/lockdown")).unwrap();
    let ended = node.run("load", NIC, &[]).expect(1, "Lockdown");
    assert!(ended.proof().contains("lockdown is likely"), "{}", ended.proof());
    // Nothing is asked for that is not needed: what is loaded already takes no capability.
    let node = Node::new();
    node.run("load", NIC, &[]).expect(0, "Loaded");
    node.write(
        "proc/self/status",
        "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000000000\n",
    );
    node.run("load", NIC, &[]).expect(0, "AlreadyLoaded");
    node.run("unload", NIC, &[]).expect(1, "MissingCapability");
    assert!(node.is_loaded("nic"));
}

fn modprobe_cannot_be_run() {
    let node = Node::new();
    let ended = node
        .run("load", NIC, &["--modprobe", "/no/such/modprobe"])
        .expect(1, "ModprobeMissing");
    assert!(ended.proof().contains("`/no/such/modprobe`"), "{}", ended.proof());
}

fn modprobe_does_not_end() {
    let node = Node::new();
    node.modprobe_does("wait");
    let ended = node
        .run("load", NIC, &["--timeout", "0"])
        .expect(1, "ModprobeTimeout");
    assert_eq!(ended.proof(), "modprobe did not end within 0 s");
}

fn configurations() {
    let node = Node::new();
    for (text, words) in [
        ("", "it is empty"),
        ("modprobe: {moduleNam: nic}", "unknown key `modprobe.moduleNam`"),
        ("modprobe: {dirName: /opt}", "`modprobe.moduleName` is empty"),
        (
            "modprobe: {moduleName: '-r', dirName: /opt}",
            "`-r` is no name of a module",
        ),
        (
            "modprobe: {moduleName: nic, modulesLoadingOrder: [nic, '--force']}",
            "`--force` is no name",
        ),
    ] {
        let ended = node.run("load", text, &[]).expect(1, "ConfigInvalid");
        assert!(ended.proof().contains(words), "{}", ended.proof());
    }
    node.run("load", "modprobe: {moduleName: nic, dirName: ../x}", &[])
        .expect(1, "OutsideRoot");
    node.run("unload", "modprobe: {moduleName: nic, dirName: ../x}", &[])
        .expect(1, "OutsideRoot");
    let mut command = node.command("load", NIC, &[]);
    fs::write(node.path("config.yaml"), [0xff, 0xfe]).unwrap();
    let child = command.spawn().unwrap();
    node.end(child).expect(1, "ConfigInvalid");
    let mut command = node.command("load", NIC, &["--no-such-option"]);
    let ended = node.end(command.spawn().unwrap());
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.log.contains("invalid option '--no-such-option'"),
        "{}",
        ended.log
    );
}

fn a_result_that_cannot_be_written() {
    let node = Node::new();
    let ended = node.run("load", NIC, &["--result", "/no/such/folder/result"]);
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert_eq!(ended.log.matches("cannot be written").count(), 1);
    // A longer text that was there before leaves nothing behind.
    let mut command = node.command("load", NIC, &[]);
    node.write("result", &"x".repeat(4000));
    node.end(command.spawn().unwrap()).expect(0, "AlreadyLoaded");
}
