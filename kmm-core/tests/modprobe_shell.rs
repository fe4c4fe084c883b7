//! Printed commands, read by the shell that is there.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test may start a process: it asks the real shell what it makes of a line"
)]

use kmm_core::api::ModprobeSpec;
use kmm_core::api::ModuleConfig;
use kmm_core::modprobe::Command;
use kmm_core::modprobe::container_load;
use kmm_core::modprobe::container_unload;
use proptest::prelude::prop_assert_eq;
use proptest::proptest;

/// The arguments that `/bin/sh` gives to a command of this line.
fn arguments(script: &str) -> Vec<String> {
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", script])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words: Vec<String> = text.split('\0').map(str::to_owned).collect();
    assert_eq!(words.pop().as_deref(), Some(""));
    words
}

/// Every ASCII character but NUL, alone and between letters.
#[test]
fn every_ascii_character_comes_through() {
    let mut args = vec!["%s\\0".to_owned()];
    for c in '\x01'..='\x7f' {
        args.extend([
            c.to_string(),
            format!("{c}{c}"),
            format!("a{c}b"),
            format!("{c}=b"),
            format!("a={c}"),
        ]);
    }
    let command = Command::new("printf", &args);
    assert_eq!(arguments(&command.to_shell()), args[1..]);
}

#[test]
fn a_program_that_looks_like_a_keyword_is_a_program() {
    for program in ["if", "!", "{", "while", "A=b", "case", "#x", "~", "a b"] {
        let line = Command::new(program, ["x"]).to_shell();
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", &line])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(127), "{line}");
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_shell_reads_what_was_printed(
        args in proptest::collection::vec("[^\0]{0,8}|[ -~\n\t]{0,12}|['\"\\\\$` #~=!*]{0,6}", 1..8),
    ) {
        let command = Command::new("printf", std::iter::once("%s\\0").chain(args.iter().map(String::as_str)));
        prop_assert_eq!(arguments(&command.to_shell()), args);
    }

    #[test]
    fn a_shell_reads_the_script_of_a_container(
        module in "[^\0]{0,8}|['\"\\\\$` #~=!*]{0,6}",
        folder in "/[^\0./]{1,8}|/['\"\\\\$` #~=!*]{1,6}",
        parameters in proptest::collection::vec("[^\0]{0,8}|['\"\\\\$` #~=!*]{0,6}", 0..4),
        in_tree in proptest::collection::vec("[^\0]{0,8}", 0..3),
    ) {
        let modprobe = ModprobeSpec {
            module_name: module.clone(),
            dir_name: folder.clone(),
            parameters: parameters.clone(),
            ..Default::default()
        };
        let config = ModuleConfig {
            modprobe,
            in_tree_modules_to_remove: Some(in_tree.clone()),
            ..Default::default()
        };
        // A function in the place of modprobe prints what it gets.
        let run = |command: Command| arguments(&format!("modprobe() {{ printf '%s\\0' \"$@\"; }}; {}", command.args[1]));
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();

        let mut expected = Vec::new();
        if !in_tree.is_empty() {
            expected = words(&["-r", "-v"]);
            expected.extend(in_tree);
        }
        expected.extend(words(&["-v", "-d", &folder, &module]));
        expected.extend(parameters);
        prop_assert_eq!(run(container_load(&config)), expected);
        prop_assert_eq!(run(container_unload(&config)), words(&["-r", "-v", "-d", &folder, &module]));
    }
}
