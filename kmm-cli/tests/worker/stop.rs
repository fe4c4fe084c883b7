//! Told to stop, or killed, at every step: no half of a file, and the next run converges.

use rustix::process::Signal;

use crate::Test;
use crate::modprobe::WAITS;
use crate::node::NIC;
use crate::node::Node;

pub(crate) const TESTS: &[Test] = &[
    ("stop::at_every_step_of_loading", at_every_step_of_loading),
    ("stop::at_every_step_of_unloading", at_every_step_of_unloading),
    ("stop::modprobe_is_let_finish", modprobe_is_let_finish),
    ("stop::modprobe_is_told_too", modprobe_is_told_too),
    (
        "stop::modprobe_that_writes_for_ever",
        modprobe_that_writes_for_ever,
    ),
    ("stop::another_worker_is_waited_for", another_worker_is_waited_for),
];

const CONFIG: &str = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: /firmware}\n\
                      inTreeModulesToRemove: [dummy]\n";
const HOST: &[&str] = &["--firmware-path", "/lib/firmware"];

const LOADING: &[&str] = &[
    "config",
    "precheck",
    "in-tree",
    "firmware-class",
    "firmware",
    "modprobe",
    "proof",
];
const UNLOADING: &[&str] = &["config", "precheck", "modprobe", "firmware"];

fn node() -> Node {
    let node = Node::new();
    node.write("tmp/firmware/acme/a.bin", &"a".repeat(100_000));
    node.write("tmp/firmware/acme/new.bin", "new");
    node.write("lib/firmware/acme/a.bin", &"h".repeat(50_000));
    node.write("lib/firmware/host.bin", "host");
    node.loaded("dummy", "INTREE");
    node
}

/// Runs to a place, and gives the signal there; false where the run ended before it.
fn stopped(node: &Node, verb: &str, place: &str, signal: Signal) -> bool {
    let options = [HOST, &["--pause-before", place]].concat();
    let mut run = node.start(verb, CONFIG, &options);
    let paused = run.reaches("waiting to be told to stop");
    if paused {
        run.tell(signal);
    }
    let ended = node.end(run);
    if paused && signal == Signal::TERM && place != "proof:1" {
        ended.expect(2, "Interrupted");
    } else if paused && signal == Signal::KILL {
        // Nobody could write anything at that moment: the result says so since the step began.
        assert_eq!(ended.result["outcome"], "interrupted", "{place}");
    }
    paused
}

/// Does something at all places of some steps, and says how many there were; `at` says whether it was met.
fn places(steps: &[&str], mut at: impl FnMut(&str) -> bool) -> usize {
    let mut count = 0;
    for step in steps {
        let met = (1..).take_while(|number| at(&format!("{step}:{number}"))).count();
        assert_ne!(met, 0, "the step `{step}` has no place");
        count += met;
    }
    count
}

/// Each file is that of the host or that of the image.
fn is_whole(node: &Node, place: &str) {
    let a = node.read("lib/firmware/acme/a.bin");
    assert!(
        a == "a".repeat(100_000) || a == "h".repeat(50_000),
        "{place}: a.bin has {} bytes",
        a.len()
    );
    if node.path("lib/firmware/acme/new.bin").exists() {
        assert_eq!(node.read("lib/firmware/acme/new.bin"), "new", "{place}");
    }
    assert_eq!(node.read("lib/firmware/host.bin"), "host");
}

fn at_every_step_of_loading() {
    for signal in [Signal::TERM, Signal::KILL] {
        for then in ["load", "unload"] {
            let count = places(LOADING, |place| {
                let node = node();
                let before = node.files("lib/firmware");
                let met = stopped(&node, "load", place, signal);
                is_whole(&node, place);
                if met && then == "load" {
                    let ended = node.run("load", CONFIG, HOST);
                    assert_eq!(ended.code, Some(0), "{place}: {}", ended.log);
                    assert!(node.is_loaded("nic") && !node.is_loaded("dummy"), "{place}");
                    assert_eq!(
                        node.read("lib/firmware/acme/a.bin"),
                        "a".repeat(100_000),
                        "{place}"
                    );
                }
                let ended = node.run("unload", CONFIG, HOST);
                assert_eq!(ended.code, Some(0), "{place}: {}", ended.log);
                assert_eq!(node.files("lib/firmware"), before, "{place}, then {then}");
                assert!(!node.is_loaded("nic"));
                met
            });
            // Between steps, between files, and in the middle of files.
            assert!(count > 25, "{count} places");
        }
    }
}

fn at_every_step_of_unloading() {
    for signal in [Signal::TERM, Signal::KILL] {
        let count = places(UNLOADING, |place| {
            let node = node();
            let before = node.files("lib/firmware");
            let ended = node.run("load", CONFIG, HOST);
            assert_eq!(ended.code, Some(0), "{}", ended.log);
            let met = stopped(&node, "unload", place, signal);
            is_whole(&node, place);
            let ended = node.run("unload", CONFIG, HOST);
            assert_eq!(ended.code, Some(0), "{place}: {}", ended.log);
            assert_eq!(node.files("lib/firmware"), before, "{place}");
            assert!(!node.is_loaded("nic") && !node.is_loaded("acme_bus"), "{place}");
            met
        });
        assert!(count > 6, "{count} places");
    }
}

fn modprobe_is_let_finish() {
    let node = Node::new();
    node.modprobe_does("wait");
    let mut run = node.start("load", NIC, &[]);
    run.until(WAITS);
    run.tell(Signal::TERM);
    run.until("told to stop: waiting for modprobe");
    node.modprobe_goes_on();
    // All that was asked for is done, so that there is nothing to run again.
    node.end(run).expect(0, "Loaded");
}

/// As a terminal does it.
fn modprobe_is_told_too() {
    let node = Node::new();
    node.modprobe_does("wait\ndie");
    let mut run = node.start("load", NIC, &[]);
    run.until(WAITS);
    run.tell(Signal::TERM);
    run.until("told to stop: waiting for modprobe");
    node.modprobe_goes_on();
    node.end(run).expect(2, "Interrupted");
    // Without a word to stop it is a failure.
    let mut run = node.start("load", NIC, &[]);
    run.until(WAITS);
    node.modprobe_goes_on();
    node.end(run).expect(1, "ModprobeFailed");
}

/// One that writes without end is stopped like one that says nothing, and fills neither log nor memory.
fn modprobe_that_writes_for_ever() {
    let node = Node::new();
    node.modprobe_does("flood");
    let mut run = node.start("load", NIC, &[]);
    run.until("flood");
    run.tell(Signal::TERM);
    let ended = node.end(run).expect(2, "Interrupted");
    assert_eq!(ended.proof(), "told to stop, and modprobe did not end within 8 s");
    assert!(ended.log.len() < 20 << 20, "{} bytes of log", ended.log.len());
    let ended = node
        .run("load", NIC, &["--timeout", "1"])
        .expect(1, "ModprobeTimeout");
    assert!(ended.log.contains("flood"));
    // What modprobe started may do it too: then modprobe has ended all the same.
    node.modprobe_does("flooded");
    node.run("load", NIC, &[]).expect(0, "Loaded");
}

fn another_worker_is_waited_for() {
    let node = node();
    let options = [HOST, &["--pause-before", "firmware:3"]].concat();
    let mut first = node.start("load", CONFIG, &options);
    first.until("waiting to be told to stop");
    let mut second = node.start("load", CONFIG, HOST);
    second.until("waiting for another worker");
    assert!(!node.is_loaded("nic"), "the lock did not hold");
    first.tell(Signal::TERM);
    // Both write the same result, and the second one later.
    assert_eq!(node.end(first).code, Some(2));
    node.end(second).expect(0, "Loaded");
    assert_eq!(node.read("lib/firmware/acme/a.bin"), "a".repeat(100_000));
}
