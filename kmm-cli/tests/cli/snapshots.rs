//! What commands print, with exit codes: the `console` blocks of the cases and of the guides.
//!
//! A block holds commands (`$ kmm …`, with `< FILE` at the end where they read standard input), the exit code where it is
//! not 0 (`? 1`), and what comes out: standard output and standard error as a terminal shows them.
//! `SNAPSHOTS=overwrite cargo test` writes what comes out into the blocks.
//!
//! trycmd, which runs such blocks too, takes every backslash for one of a path and turns it round; the regexps of kernel
//! mappings are full of them.

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::command;
use super::kmm;
use super::stdout;
use super::workspace;

#[test]
fn commands() {
    let cases = files_of(&workspace().join("kmm-cli/tests/cli/cases"));
    assert!(!cases.is_empty());
    cases.iter().for_each(|case| check(case));
}

#[test]
fn guides() {
    let mut guides = vec![workspace().join("README.md")];
    guides.extend(files_of(&workspace().join("docs/guide")));
    let examples = files_of(&workspace().join("examples"));
    guides.extend(examples.iter().map(|folder| folder.join("README.md")));
    guides.retain(|guide| guide.is_file());
    guides.iter().for_each(|guide| check(guide));
}

/// What mends a reason may name a command, which nobody has run here: it is there, with these options.
#[test]
fn the_commands_that_mends_name_exist() {
    let mut seen = 0;
    for guide in ["troubleshooting.md", "reasons.md"] {
        let text = fs::read_to_string(workspace().join("docs/guide").join(guide)).unwrap();
        let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for quoted in quoted.chain(text.lines()) {
            let Some(line) = quoted.strip_prefix("kmm ") else {
                continue;
            };
            let mut words = line.split(' ');
            let help = kmm(&[words.next().unwrap(), "--help"]);
            assert_eq!(help.status.code(), Some(0), "{guide}: {quoted}");
            for option in words.filter(|word| word.starts_with('-')) {
                let is_named = |line: &str| line.split([' ', ',']).any(|word| word == option);
                assert!(stdout(&help).lines().any(is_named), "{guide}: {quoted}");
            }
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = kmm(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        for word in ["validate", "coverage", "kubernetes"] {
            assert!(stdout(&output).contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn man_pages_are_written_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("new/man1");
    let output = kmm(&["man", "--dir", pages.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let names: Vec<PathBuf> = files_of(&pages)
        .iter()
        .map(|page| page.file_name().unwrap().into())
        .collect();
    for name in ["kmm.1", "kmm-validate.1", "kmm-match.1"] {
        assert!(names.contains(&name.into()), "{names:?}");
    }
}

#[test]
fn the_page_of_a_command_below_another_can_be_printed() {
    for name in [&["image", "check"][..], &["image-check"], &["image check"]] {
        let output = kmm(&[&["man"], name].concat());
        assert_eq!(output.status.code(), Some(0), "{name:?}");
        assert!(stdout(&output).contains(r"kmm\-image\-check"), "{name:?}");
    }
    let output = kmm(&["man", "image", "chek"]);
    assert_eq!(output.status.code(), Some(2));
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Runs what the blocks of a file show. A command with nothing below it is one that nobody has run yet: every one prints
/// something. A block of the guides in which nothing runs is none of these, and says so: `sh`, or `console,ignore`.
fn check(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let overwrite = env::var("SNAPSHOTS").is_ok_and(|mode| mode == "overwrite");
    let mut after = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    let mut fence = None;
    while let Some(line) = lines.next() {
        after.push_str(line);
        let bare = line.trim_end();
        if fence == Some(bare) {
            fence = None;
        } else if fence.is_none() {
            fence = bare
                .strip_suffix("console")
                .filter(|fence| fence.starts_with("```"));
            let runs = lines.peek().is_some_and(|next| next.starts_with("$ "));
            assert!(
                fence.is_none() || runs,
                "{}: a console block without `$ `",
                path.display()
            );
        }
        let Some(end) = fence else {
            continue;
        };
        let Some(shown) = line.strip_prefix("$ kmm ").filter(|rest| !rest.contains(" | ")) else {
            continue;
        };
        let mut before = String::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ") && line.trim_end() != end) {
            before.push_str(line);
        }
        let last = lines.peek().is_none_or(|next| next.trim_end() == end);
        assert!(
            overwrite || !before.trim().is_empty(),
            "{}: nothing stands below `$ kmm {}`: SNAPSHOTS=overwrite fills it in",
            path.display(),
            shown.trim_end()
        );
        let printed = run(shown.trim_end());
        if !overwrite {
            snapbox::assert_data_eq!(
                format!("$ kmm {shown}{printed}"),
                snapbox::Data::text(format!("$ kmm {shown}{}\n", before.trim_end())).raw()
            );
        }
        after.push_str(&printed);
        if !last {
            after.push('\n');
        }
    }
    if overwrite && after != text {
        fs::write(path, after).unwrap();
    }
}

/// What stands below the command: the exit code, and everything that is printed.
fn run(shown: &str) -> String {
    let (shown, input) = match shown.split_once(" < ") {
        Some((shown, input)) => (shown, fs::read(workspace().join(input)).unwrap()),
        None => (shown, Vec::new()),
    };
    let args = shlex::split(shown).unwrap();
    let output = command(&args)
        .env("COLUMNS", "100")
        .stdin(input)
        .stderr_to_stdout()
        .output()
        .unwrap();
    let code = match output.status.code() {
        Some(0) => String::new(),
        code => format!("? {}\n", code.unwrap()),
    };
    let printed: Vec<&str> = stdout(&output).trim_end().lines().map(str::trim_end).collect();
    format!("{code}{}\n", printed.join("\n"))
}
