//! Loading.

use crate::Test;
use crate::modprobe::WAITS;
use crate::node::NIC;
use crate::node::Node;
use crate::node::RELEASE;
use crate::node::module;

pub(crate) const TESTS: &[Test] = &[
    ("load::once_and_again", once_and_again),
    ("load::every_step_is_logged", every_step_is_logged),
    (
        "load::an_in_tree_module_is_replaced",
        an_in_tree_module_is_replaced,
    ),
    (
        "load::another_module_of_the_name_is_an_error",
        another_module_of_the_name_is_an_error,
    ),
    ("load::parameters_are_looked_at", parameters_are_looked_at),
    ("load::arguments_of_ones_own", arguments_of_ones_own),
    ("load::nothing_goes_through_a_shell", nothing_goes_through_a_shell),
    (
        "load::what_modprobe_says_is_not_taken_for_it",
        what_modprobe_says_is_not_taken_for_it,
    ),
    (
        "load::a_module_of_the_kernel_itself",
        a_module_of_the_kernel_itself,
    ),
    ("load::lines_have_no_limit", lines_have_no_limit),
    ("load::the_log_has_a_limit", the_log_has_a_limit),
];

fn once_and_again() {
    let node = Node::new();
    let ended = node.run("load", NIC, &[]).expect(0, "Loaded");
    assert_eq!(ended.proof(), "/sys/module/nic is live: srcversion NIC1");
    assert_eq!(ended.result["kernel"], RELEASE);
    assert_eq!(ended.result["modules"][0]["sameAsImage"], true);
    assert!(node.is_loaded("nic") && node.is_loaded("acme_bus"));
    let calls = node.calls();
    assert_eq!(calls, ["-vd /tmp/opt nic"]);
    node.run("load", NIC, &[]).expect(0, "AlreadyLoaded");
    assert_eq!(node.calls(), calls, "modprobe was run for nothing");
}

fn every_step_is_logged() {
    let node = Node::new();
    node.write("tmp/firmware/acme.bin", "fw");
    let config = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: /firmware}\n\
                  inTreeModulesToRemove: [dummy]\n";
    node.loaded("dummy", "INTREE");
    let ended = node
        .run("load", config, &["--firmware-path", "/lib/firmware"])
        .expect(0, "Loaded");
    assert_eq!(
        ended.log,
        "\
level=info step=config message=\"configuration read\" module=nic
level=info step=precheck message=\"firmware of the image read\" folder=/tmp/firmware files=1
level=info step=precheck message=\"the kernel takes it, as far as can be seen\" kernel=6.1.0-2-amd64 modules=acme_bus,nic
level=info step=in-tree message=running command=\"modprobe -d / -rv dummy\"
level=info step=in-tree message=\"rmmod dummy\" stream=stdout
level=info step=in-tree message=ended status=\"exit status: 0\"
level=info step=in-tree message=removed modules=dummy
level=info step=firmware-class message=set path=/lib/firmware before=\"\"
level=info step=firmware message=put file=/lib/firmware/acme.bin
level=info step=firmware message=\"firmware is in its place\" files=1 written=1 kept=0
level=info step=modprobe message=running command=\"modprobe -vd /tmp/opt nic\"
level=info step=modprobe message=\"insmod /tmp/opt/lib/modules/6.1.0-2-amd64/extra/acme-bus.ko \" stream=stdout
level=info step=modprobe message=\"insmod /tmp/opt/lib/modules/6.1.0-2-amd64/extra/nic.ko \" stream=stdout
level=info step=modprobe message=ended status=\"exit status: 0\"
level=info step=proof message=loaded proof=\"/sys/module/nic is live: srcversion NIC1\"
level=info step=proof message=\"The module is loaded, and it is the one of the image.\" reason=Loaded proof=\"/sys/module/nic is live: srcversion NIC1\"
"
    );
}

fn an_in_tree_module_is_replaced() {
    let node = Node::new();
    node.image("snd-dummy", &module("snd_dummy", "OURS", &[]));
    node.depmod("tmp/opt");
    node.write(
        &format!("lib/modules/{RELEASE}/modules.dep"),
        "kernel/snd-dummy.ko:\n",
    );
    node.loaded("snd_dummy", "INTREE");
    // In any spelling; those that are not loaded and those that are no module are no fault.
    let config =
        "modprobe: {moduleName: snd-dummy, dirName: /opt}\ninTreeModulesToRemove: [snd-dummy, none, ext4]\n";
    node.folder("sys/module/ext4");
    node.run("load", config, &[])
        .expect(0, "Loaded")
        .expect_warning("BuiltIn");
    assert_eq!(node.calls(), ["-d / -rv snd_dummy", "-vd /tmp/opt snd-dummy"]);
    // A second run does not take the image's own for the in-tree one.
    node.run("load", config, &[]).expect(0, "AlreadyLoaded");
    assert_eq!(node.calls().len(), 2);
}

fn another_module_of_the_name_is_an_error() {
    let node = Node::new();
    node.loaded("nic", "ELSE");
    let ended = node.run("load", NIC, &[]).expect(1, "OtherModuleLoaded");
    assert_eq!(
        ended.proof(),
        "`nic` is loaded, and its srcversion is `ELSE`, the image has `NIC1`"
    );
    assert!(ended.result["mend"].as_str().unwrap().contains("`rmmod nic`"));
    assert_eq!(node.calls(), [""; 0]);
}

fn parameters_are_looked_at() {
    let node = Node::new();
    let config =
        |parameters| format!("modprobe: {{moduleName: nic, dirName: /opt, parameters: [{parameters}]}}\n");
    let ended = node
        .run("load", &config("queues=0x8, none=1"), &[])
        .expect(0, "Loaded");
    // `0x8` is shown as it was given here, and counts as a number.
    let ended = ended.expect_warning("ParameterUnknown");
    assert_eq!(ended.result["warnings"].as_array().unwrap().len(), 1);
    assert_eq!(node.calls(), ["-vd /tmp/opt nic queues=0x8 none=1"]);
    node.run("load", &config("queues=8"), &[])
        .expect(0, "AlreadyLoaded");
    let ended = node
        .run("load", &config("queues=9"), &[])
        .expect(1, "ParameterDiffers");
    assert_eq!(
        ended.proof(),
        "/sys/module/nic/parameters/queues is `0x8`, `9` was asked for"
    );
    // What the module made of it while it was loaded is its own matter.
    let node = Node::new();
    node.run("load", &config("mode=fast"), &[]).expect(0, "Loaded");
    node.run("unload", NIC, &[]).expect(0, "Unloaded");
    node.modprobe_does("wait");
    let mut run = node.start("load", &config("mode=fast"), &[]);
    run.until(WAITS);
    node.loaded("nic", "NIC1");
    node.write("sys/module/nic/parameters/mode", "slow\n");
    node.modprobe_goes_on();
    node.end(run)
        .expect(0, "Loaded")
        .expect_warning("ParameterDiffers");
}

fn arguments_of_ones_own() {
    let node = Node::new();
    let folder = node.path("tmp/opt");
    let config = format!(
        "modprobe: {{rawArgs: {{load: [-d, {0}, nic, queues=2], unload: [-rd, {0}, nic]}}}}\n",
        folder.display()
    );
    node.run("load", &config, &[]).expect(0, "Loaded");
    assert_eq!(node.calls(), ["-d /tmp/opt nic queues=2"]);
    node.run("unload", &config, &[]).expect(0, "Unloaded");
    assert!(!node.is_loaded("nic"));
}

fn nothing_goes_through_a_shell() {
    let node = Node::new();
    let marked = node.path("marked");
    let config = format!(
        "modprobe:\n  moduleName: nic\n  dirName: /opt\n  parameters: [\"mode=$(touch {0});`touch {0}`\"]\n",
        marked.display()
    );
    // There is no shell, and nothing else: only the program that is named.
    let mut command = node.command("load", &config, &[]);
    let child = command.env_clear().env("PATH", "/nowhere").spawn().unwrap();
    node.end(child).expect(0, "Loaded");
    assert!(!marked.exists());
    assert!(
        node.read("sys/module/nic/parameters/mode")
            .starts_with("$(touch ")
    );
}

fn what_modprobe_says_is_not_taken_for_it() {
    let node = Node::new();
    node.modprobe_does("exit 0");
    let ended = node.run("load", NIC, &[]).expect(1, "NotProved");
    assert_eq!(
        ended.proof(),
        "modprobe ended well, and /sys/module/nic is absent"
    );
}

fn a_module_of_the_kernel_itself() {
    let node = Node::new();
    node.folder("sys/module/nic/parameters");
    node.run("load", NIC, &[]).expect(1, "BuiltIn");
    assert_eq!(node.calls(), [""; 0]);
}

/// All that modprobe says is read; what is more than anybody reads is not logged.
fn the_log_has_a_limit() {
    let node = Node::new();
    node.modprobe_does("long 20000000\nerr the last word");
    let ended = node.run("load", NIC, &[]).expect(0, "Loaded");
    assert!(ended.log.len() < 18 << 20, "{} bytes of log", ended.log.len());
    assert!(
        ended.log.contains("the rest of what modprobe says is not logged"),
        "no word of the limit"
    );
    // What it said last is the cause all the same.
    node.run("unload", NIC, &[]).expect(0, "Unloaded");
    node.modprobe_does("long 20000000\nerr modprobe: ERROR: could not insert 'nic': No such device\nexit 1");
    node.run("load", NIC, &[]).expect(1, "NoDevice");
}

fn lines_have_no_limit() {
    let node = Node::new();
    node.modprobe_does("long 3000000\nerr after it\nhold");
    let ended = node.run("load", NIC, &[]).expect(0, "Loaded");
    let long: usize = ended
        .log
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("message=xx"))
        .map(|rest| rest.len() + 2)
        .sum();
    assert_eq!(long, 3_000_000);
    assert!(ended.log.contains("message=\"after it\" stream=stderr\n"));
}
