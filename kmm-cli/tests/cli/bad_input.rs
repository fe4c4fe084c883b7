//! Files too large to be kept: each command says what is wrong with them, in bounded time and memory.
//!
//! The smaller ones are among the snapshots.

use std::fs::File;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;

use super::data;
use super::kmm;
use super::kmm_with_input;
use super::stderr;
use super::stdout;

/// Runs every command that reads manifests, and the one that reads nodes, and gives the exit codes and messages.
fn refused_by_all(file: &Path, validated: i32, message: &str) {
    let file = file.to_str().expect("a path in UTF-8");
    let module = data("module.yaml");
    let calls: [(&[&str], i32); 9] = [
        (&["validate", file], validated),
        (&["validate", "--old", file, &module], 2),
        (&["resolve", "-f", file, "-k", "6.1.0"], 2),
        (&["explain", "-f", file, "-k", "6.1.0"], 2),
        (&["coverage", "-f", file, "-k", "6.1.0"], 2),
        (&["modprobe", "-f", file, "-k", "6.1.0"], 2),
        (&["explain", "-f", &module, "--nodes", file], 2),
        (&["simulate", "-f", file, "--nodes", "examples/nodes.json"], 2),
        (&["simulate", "-f", &module, "--nodes", file], 2),
    ];
    for (call, code) in calls {
        let output = kmm(call);
        let said = format!("{}{}", stdout(&output), stderr(&output));
        // What is stored may be broken where it does not matter.
        let code = if call[1] == "--old" && validated == 1 {
            0
        } else {
            code
        };
        assert_eq!(output.status.code(), Some(code), "{call:?}: {said}");
        assert!(said.contains(message) || call[1] == "--old", "{call:?}: {said}");
        assert!(!said.contains("panicked"), "{call:?}: {said}");
        assert!(said.len() < 10_000, "{call:?}: {} bytes", said.len());
    }
}

#[test]
fn a_hundred_mebibytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let line = [b'#'; 1024];
    for _ in 0..100 << 10 {
        file.write_all(&line).unwrap();
    }
    drop(file);
    for (call, code, message) in [
        (
            ["validate"].as_slice(),
            2,
            "is too large: at most 32 MiB are read",
        ),
        (
            &["resolve", "-k", "6.1.0", "-f"],
            2,
            "is too large: at most 32 MiB are read",
        ),
        (
            &["explain", "-f", &data("module.yaml"), "--nodes"],
            2,
            "there is no Node in",
        ),
    ] {
        let output = kmm(&[call, &[path.to_str().unwrap()]].concat());
        assert_eq!(output.status.code(), Some(code), "{call:?}");
        assert!(stderr(&output).contains(message), "{call:?}: {}", stderr(&output));
    }
}

#[test]
fn a_hundred_thousand_brackets() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("open", "[".repeat(100_000)),
        ("balanced", "[".repeat(100_000) + &"]".repeat(100_000)),
        ("braces", "# YAML\n".to_owned() + &"{a: ".repeat(100_000)),
        (
            "in a field",
            format!("kind: Module\nspec: {}", "[".repeat(100_000)),
        ),
        ("dashes", "- ".repeat(100_000)),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        refused_by_all(&path, 1, "KMM0004");
    }
    // JSON has a reader of its own for nodes.
    let nodes = folder.path().join("nodes.json");
    std::fs::write(&nodes, "{\"items\":".repeat(100_000)).unwrap();
    let output = kmm(&[
        "explain",
        "-f",
        &data("module.yaml"),
        "--nodes",
        nodes.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("is no list of nodes"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn aliases_that_multiply() {
    refused_by_all(Path::new(&data("alias-bomb.yaml")), 1, "KMM0004");
}

#[test]
fn many_documents_long_lines_and_odd_line_ends() {
    for text in [
        "---\n".repeat(100_000),
        "a".repeat(1 << 20),
        format!("a: \"{}\"", "\\u00e9".repeat(100_000)),
        "kind: Module\r\nmetadata:\r\n  name: a\r\n".to_owned(),
        "\u{feff}kind: Module\n".to_owned(),
        "%YAML 9.9\n---\na: 1\n".to_owned(),
        "? [a]\n: b\n".to_owned(),
        "&a [*a]\n".to_owned(),
        "<<: {<<: {<<: 1}}\n".to_owned(),
    ] {
        for call in [
            ["validate", "-"].as_slice(),
            &["resolve", "-f", "-", "-k", "6.1.0"],
        ] {
            let output = kmm_with_input(call, text.as_bytes());
            let code = output.status.code();
            assert!(matches!(code, Some(0..=2)), "{call:?} {code:?} {text:.80}");
            assert!(!stderr(&output).contains("panicked"), "{call:?} {text:.80}");
        }
    }
}
