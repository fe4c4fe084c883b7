//! What goes wrong: each with its reason and its proof.

use std::fs;
use std::os::unix::fs::symlink;

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
    ("faults::the_log_by_a_call", the_log_by_a_call),
    ("faults::not_permitted_has_causes", not_permitted_has_causes),
    ("faults::a_kernel_without_modules", a_kernel_without_modules),
    ("faults::a_call_that_is_not_there", a_call_that_is_not_there),
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

/// Without the device there is `syslog(2)`, for those who have the capability.
fn the_log_by_a_call() {
    const FOUND: &str = "nic: Unknown symbol acme_x (err -2)";
    let node = Node::new();
    fs::remove_file(node.path("dev/kmsg")).unwrap();
    let symbols = "Unknown symbol in module, or unknown parameter (see dmesg)";
    node.modprobe_does(&format!(
        "kernel {FOUND}\nerr modprobe: ERROR: could not insert 'nic': {symbols}\nexit 1"
    ));
    let load = || node.run("load", NIC, &[]).expect(1, "UnknownSymbol");
    let without = load();
    let words = "syslog(2) is for CAP_SYSLOG alone, as kernel.dmesg_restrict is 1: CAP_SYSLOG is not among";
    assert!(
        without.log.contains("/dev/kmsg is not there") && without.log.contains(words),
        "{}",
        without.log
    );
    assert!(!without.proof().contains(FOUND));
    node.write(
        "proc/self/status",
        "Uid:\t0\t0\t0\t0\nCapEff:\t0000000400010000\n",
    );
    let without = load();
    assert!(
        without
            .log
            .contains("`dmesg`, which would call syslog(2), cannot be started"),
        "{}",
        without.log
    );
    node.folder("bin");
    symlink(std::env::current_exe().unwrap(), node.path("bin/dmesg")).unwrap();
    // What was said before is not taken for what is said now.
    node.write(
        "ring",
        "<4>[    1.000000] nic: exports duplicate symbol acme_z (owned by old)\n",
    );
    for _ in 0..2 {
        let ended = load();
        assert_eq!(ended.proof(), FOUND);
        assert_eq!(ended.log.matches("stream=kernel").count(), 1, "{}", ended.log);
    }
    // Everybody may read it on a kernel without the restriction, and some other rule may refuse it.
    node.write(
        "proc/self/status",
        "Uid:\t0\t0\t0\t0\nCapEff:\t0000000000010000\n",
    );
    node.write("proc/sys/kernel/dmesg_restrict", "0\n");
    assert_eq!(load().proof(), FOUND);
    fs::remove_file(node.path("ring")).unwrap();
    let refused = load();
    let words = "syslog(2): dmesg: klogctl: Operation not permitted: CAP_SYSLOG is not among";
    assert!(refused.log.contains(words), "{}", refused.log);
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

/// Such a kernel has no such call, and no list of modules.
fn a_kernel_without_modules() {
    let node = Node::new();
    fs::remove_file(node.path("proc/modules")).unwrap();
    node.write("tmp/firmware/a.bin", "a");
    let config = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: /firmware}\n";
    let ended = node
        .run("load", config, &["--firmware-path", "/lib/firmware"])
        .expect(1, "NoModuleSupport");
    assert_eq!(ended.result["step"], "precheck");
    assert!(
        ended.proof().contains("/proc/modules is not there"),
        "{}",
        ended.proof()
    );
    assert!(ended.result["mend"].as_str().unwrap().contains("CONFIG_MODULES"));
    assert!(node.calls().is_empty() && node.files("lib/firmware").is_empty());
    // What is a part of such a kernel is there all the same, and modprobe says so.
    node.folder("sys/module/loop");
    node.write(
        "tmp/opt/lib/modules/6.1.0-2-amd64/modules.builtin",
        "kernel/loop.ko\n",
    );
    node.depmod("tmp/opt");
    node.modprobe_does("exit 0");
    node.run("load", "modprobe: {moduleName: loop, dirName: /opt}\n", &[])
        .expect(0, "Loaded");
    // Nothing is loaded on it, so that nothing has to be unloaded.
    node.run("unload", NIC, &[]).expect(0, "NotLoaded");
    // A process that sees no /proc at all knows nothing of the kernel.
    fs::remove_file(node.path("proc/self/status")).unwrap();
    node.modprobe_does("");
    node.run("load", NIC, &[]).expect(0, "Loaded");
}

/// modprobe has the same words for a file that it cannot unpack.
fn a_call_that_is_not_there() {
    let node = Node::new();
    node.modprobe_does("err modprobe: ERROR: could not insert 'nic': Function not implemented\nexit 1");
    let ended = node.run("load", NIC, &[]).expect(1, "NotPermitted");
    assert!(
        ended.proof().contains("/proc/modules is there"),
        "{}",
        ended.proof()
    );
    assert!(
        ended.result["mend"].as_str().unwrap().contains("seccomp"),
        "{}",
        ended.result
    );
    let packed = zstd_of(&module("nic", "NIC1", &["depends=acme_bus"]).build());
    let extra = format!("tmp/opt/lib/modules/{RELEASE}/extra");
    node.write_bytes(&format!("{extra}/nic.ko.zst"), &packed);
    fs::remove_file(node.path(&format!("{extra}/nic.ko"))).unwrap();
    node.depmod("tmp/opt");
    let ended = node.run("load", NIC, &[]).expect(1, "CompressionUnknown");
    assert!(
        ended.proof().contains("nic.ko.zst` is compressed"),
        "{}",
        ended.proof()
    );
    // With a line of the list gone meanwhile, the kernel itself is what is shown.
    node.modprobe_does("gone\nerr modprobe: ERROR: could not insert 'nic': Function not implemented\nexit 1");
    node.run("load", NIC, &[]).expect(1, "NoModuleSupport");
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

/// A frame of one block that is not compressed.
fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap();
    assert!(size < 128 << 10, "a block has no more");
    let header = (size << 3 | 1).to_le_bytes();
    [
        b"\x28\xb5\x2f\xfd\xa0",
        &size.to_le_bytes()[..],
        &header[..3],
        bytes,
    ]
    .concat()
}
