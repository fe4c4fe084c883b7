//! Colours, control characters, and readers that go away.

use std::io::Write;
use std::process::Command;
use std::process::Stdio;

use super::command;
use super::data;
use super::kmm;
use super::stderr;
use super::stdout;
use super::workspace;

const ESCAPE: char = '\u{1b}';

#[test]
fn colours_are_for_who_asks() {
    let broken = data("broken.yaml");
    let plain = kmm(&["validate", &broken]);
    assert!(!stdout(&plain).contains(ESCAPE));
    let coloured = kmm(&["--color", "always", "validate", &broken]);
    assert!(stdout(&coloured).contains(ESCAPE));
    let never = kmm(&["validate", "--color", "never", &broken]);
    assert_eq!(never, plain);
    let asked_not_to = command(&["validate", &broken])
        .env("NO_COLOR", "1")
        .env("CLICOLOR_FORCE", "1");
    assert_eq!(asked_not_to.output().unwrap(), plain);
    let forced = command(&["validate", &broken]).env("CLICOLOR_FORCE", "1");
    assert_eq!(forced.output().unwrap().stdout, coloured.stdout);
    let data = kmm(&["--color", "always", "validate", "-o", "json", &broken]);
    assert!(!stdout(&data).contains(ESCAPE));
}

#[test]
fn data_and_the_rest_go_apart() {
    let (broken, module) = (data("broken.yaml"), data("module.yaml"));
    let checked = kmm(&["validate", &broken]);
    assert!(stdout(&checked).starts_with("error[") && !stdout(&checked).contains("1 file:"));
    assert_eq!(stderr(&checked), "1 file: 10 errors, 7 warnings, 1 note\n");
    let refused = kmm(&["resolve", "-f", &broken, "-k", "6.1.0"]);
    assert!(stdout(&refused).is_empty() && stderr(&refused).contains("kmm: the manifests cannot be read"));
    let resolved = kmm(&["resolve", "-f", &module, "-k", "6.1.0-1-amd64", "-k", "9"]);
    assert!(stdout(&resolved).contains("error") && stderr(&resolved).is_empty());
    let fixed = kmm(&["validate", "--fix", &data("empty.yaml")]);
    assert!(stdout(&fixed).is_empty() && stderr(&fixed).contains("0 fixes applied"));
}

/// With `--color always` nothing is stripped, so what comes out is what a terminal would get.
#[test]
fn control_characters_do_not_reach_the_terminal() {
    let (module, node) = (
        data("control-characters.yaml"),
        data("control-characters-node.yaml"),
    );
    let kernels = [
        "-k",
        "5.2.1",
        "-k",
        "6\u{1b}[31m.1.1",
        "-k",
        "4.4.4\u{9b}31m\u{202e}",
    ];
    let on = |command: &'static str, rest: &[&str]| {
        let mut args = vec![command.to_owned(), "-f".to_owned(), module.clone()];
        args.extend(kernels.iter().chain(rest).map(|&arg| arg.to_owned()));
        args
    };
    let to = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect::<Vec<String>>();
    let calls = [
        to(&["validate", &module]),
        to(&["validate", "no\u{1b}[31m-such"]),
        to(&["validate", "--explain", "KMM\u{1b}[31m"]),
        on("resolve", &[]),
        on("resolve", &["-m", "no\u{1b}[31m-such"]),
        on("explain", &["--nodes", &node]),
        on("explain", &["--nodes", &node, "--node", "no\u{1b}[31m-such"]),
        on("coverage", &["--nodes", &node]),
        on("modprobe", &[]),
        on("modprobe", &["--unload"]),
        on("modprobe", &["--form", "container"]),
        on("modprobe", &["--form", "container", "--unload"]),
        to(&["match", "6\u{1b}\u{9b}", "6\u{1b}\u{9b}", "\u{202e}"]),
        to(&["match", "(\u{1b}[31m", "6"]),
        to(&["template", "-k", "6.1.0", "\u{1b}[31m", "\u{202e}${"]),
        to(&["man", "no\u{1b}[31m-such"]),
        to(&["simulate", "--all", "-f", &module, "--nodes", &node]),
        to(&[
            "simulate",
            "-f",
            &module,
            "--nodes",
            &node,
            "--event",
            "cordon \u{1b}[31m",
        ]),
        to(&[
            "simulate",
            "-f",
            &module,
            "--nodes",
            &node,
            "--event",
            "\u{1b}[31m",
        ]),
    ];
    for call in calls {
        let mut args = to(&["--color", "always"]);
        args.extend(call);
        let output = kmm(&args);
        for text in [stdout(&output), stderr(&output)] {
            assert!(!text.is_empty() || output.stderr.is_empty() || output.stdout.is_empty());
            let text = without_colours(text);
            let raw = text
                .chars()
                .find(|&c| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}'));
            assert_eq!(raw, None, "{args:?}:\n{text:?}");
        }
    }
}

/// The text without the sequences that `kmm` itself writes: those of bold, and of its own colours, which end in `1m` or
/// `0m` and never are the bare red that the inputs hold.
fn without_colours(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(ESCAPE) {
        out.push_str(before);
        let ours = [
            "[0m", "[1m", "[91m", "[92m", "[93m", "[94m", "[96m", "[33m", "[36m", "[32m",
        ];
        if let Some(next) = ours.iter().find_map(|code| after.strip_prefix(code)) {
            rest = next;
        } else {
            out.push(ESCAPE);
            rest = after;
        }
    }
    out + rest
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let stream = std::fs::read(workspace().join(data("module.yaml"))).unwrap();
    let calls: [&[&str]; 6] = [
        &["validate", "-"],
        &["validate", "-", "-o", "json"],
        &["validate", "-", "--fix"],
        &["resolve", "-f", "-", "-k", "6.1.0-1-amd64"],
        &["explain", "-f", "-", "-k", "6.1.0-1-amd64", "-o", "yaml"],
        &["modprobe", "-f", "-", "-k", "6.1.0-1-amd64"],
    ];
    for call in calls {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kmm"))
            .args(call)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The reader is gone before there is anything to write.
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            !stderr(&output).contains("panicked"),
            "{call:?}: {}",
            stderr(&output)
        );
        assert_eq!(output.status.code(), Some(0), "{call:?}: {}", stderr(&output));
    }
}
