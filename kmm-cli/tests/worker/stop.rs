//! Told to stop, or killed, at every step: no half of a file, and the next run converges.

use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use crate::Test;
use crate::node::Node;

pub(crate) const TESTS: &[Test] = &[
    ("stop::at_every_step_of_loading", at_every_step_of_loading),
    ("stop::at_every_step_of_unloading", at_every_step_of_unloading),
    ("stop::modprobe_is_let_finish", modprobe_is_let_finish),
    ("stop::modprobe_is_told_too", modprobe_is_told_too),
    ("stop::another_worker_is_waited_for", another_worker_is_waited_for),
];

const CONFIG: &str = "modprobe: {moduleName: nic, dirName: /opt, firmwarePath: /firmware}\n\
                      inTreeModulesToRemove: [dummy]\n";
const HOST: &[&str] = &["--firmware-path", "/lib/firmware"];

/// All places of a run: steps, and `STEP:N` for those in a step.
const LOADING: &[&str] = &[
    "config",
    "precheck",
    "precheck:2",
    "precheck:3",
    "precheck:4",
    "in-tree",
    "firmware-class",
    "firmware",
    "firmware:2",
    "firmware:3",
    "firmware:4",
    "firmware:5",
    "firmware:6",
    "firmware:7",
    "firmware:8",
    "firmware:9",
    "firmware:10",
    "firmware:11",
    "modprobe",
    "proof",
];
const UNLOADING: &[&str] = &[
    "config",
    "precheck",
    "modprobe",
    "firmware",
    "firmware:2",
    "firmware:3",
];

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
fn stopped(node: &Node, verb: &str, place: &str, signal: &str) -> bool {
    let options = [HOST, &["--pause-before", place]].concat();
    let mut command = node.command(verb, CONFIG, &options);
    let log = node.path("log");
    let mut child = command
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let paused = loop {
        if node.read("log").contains("waiting to be told to stop") {
            break true;
        }
        if child.try_wait().unwrap().is_some() {
            break false;
        }
        sleep(Duration::from_millis(1));
    };
    if paused {
        tell(&child, signal);
    }
    let status = child.wait().unwrap();
    let result = node.read("result");
    if paused && signal == "TERM" && place != "proof" {
        assert_eq!(status.code(), Some(2), "{place}: {}", node.read("log"));
        assert!(result.contains("\"reason\":\"Interrupted\""), "{place}: {result}");
    }
    if paused && signal == "KILL" {
        // Nobody could write anything at that moment: the result says so since the step began.
        assert!(
            result.contains("\"outcome\":\"interrupted\""),
            "{place}: {result}"
        );
    }
    paused
}

fn tell(child: &Child, signal: &str) {
    let pid = rustix::process::Pid::from_child(child);
    let signal = match signal {
        "TERM" => rustix::process::Signal::TERM,
        _ => rustix::process::Signal::KILL,
    };
    rustix::process::kill_process(pid, signal).unwrap();
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
    for signal in ["TERM", "KILL"] {
        let mut count = 0;
        for place in LOADING {
            for then in ["load", "unload"] {
                let node = node();
                let before = node.files("lib/firmware");
                count += usize::from(stopped(&node, "load", place, signal));
                is_whole(&node, place);
                if then == "load" {
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
            }
        }
        assert_eq!(count, 2 * LOADING.len(), "not all places were met");
    }
}

fn at_every_step_of_unloading() {
    for signal in ["TERM", "KILL"] {
        let mut count = 0;
        for place in UNLOADING {
            let node = node();
            let before = node.files("lib/firmware");
            let ended = node.run("load", CONFIG, HOST);
            assert_eq!(ended.code, Some(0), "{}", ended.log);
            count += usize::from(stopped(&node, "unload", place, signal));
            is_whole(&node, place);
            let ended = node.run("unload", CONFIG, HOST);
            assert_eq!(ended.code, Some(0), "{place}: {}", ended.log);
            assert_eq!(node.files("lib/firmware"), before, "{place}");
            assert!(!node.is_loaded("nic") && !node.is_loaded("acme_bus"), "{place}");
        }
        assert_eq!(count, UNLOADING.len(), "not all places were met");
    }
}

fn modprobe_is_let_finish() {
    let node = node();
    let config = "modprobe: {moduleName: nic, dirName: /opt}\n";
    node.modprobe_does("wait");
    let child = node.command("load", config, &[]).spawn().unwrap();
    node.wait("modprobe runs", || node.path("modprobe.waits").exists());
    tell(&child, "TERM");
    sleep(Duration::from_millis(50));
    node.write("modprobe.go", "");
    // All that was asked for is done, so that there is nothing to run again.
    let ended = node.end(child).expect(0, "Loaded");
    assert!(
        ended.log.contains("told to stop: waiting for modprobe"),
        "{}",
        ended.log
    );
}

/// As a terminal does it.
fn modprobe_is_told_too() {
    let node = node();
    node.modprobe_does("wait\ndie");
    let child = node
        .command("load", "modprobe: {moduleName: nic, dirName: /opt}\n", &[])
        .spawn()
        .unwrap();
    node.wait("modprobe runs", || node.path("modprobe.waits").exists());
    tell(&child, "TERM");
    node.write("modprobe.go", "");
    node.end(child).expect(2, "Interrupted");
    // Without a word to stop it is a failure.
    node.run("load", "modprobe: {moduleName: nic, dirName: /opt}\n", &[])
        .expect(1, "ModprobeFailed");
}

fn another_worker_is_waited_for() {
    let node = node();
    let options = [HOST, &["--pause-before", "firmware:3"]].concat();
    let first: Command = {
        let mut command = node.command("load", CONFIG, &options);
        command.stderr(Stdio::from(std::fs::File::create(node.path("log")).unwrap()));
        command
    };
    let mut first = { first }.spawn().unwrap();
    node.wait("the first is there", || {
        node.read("log").contains("waiting to be told to stop")
    });
    let second = node.command("load", CONFIG, HOST).spawn().unwrap();
    sleep(Duration::from_millis(100));
    assert!(!node.is_loaded("nic"), "the lock did not hold");
    tell(&first, "TERM");
    first.wait().unwrap();
    node.end(second).expect(0, "Loaded");
    assert_eq!(node.read("lib/firmware/acme/a.bin"), "a".repeat(100_000));
}
