//! Command lines of modprobe: recorded answers of the Go operator, the differences to it, and properties.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it must be"
)]

use kmm_core::api::ModprobeArgs;
use kmm_core::api::ModprobeSpec;
use kmm_core::api::ModuleConfig;
use kmm_core::kernel::KernelVersion;
use kmm_core::modprobe::Command;
use kmm_core::modprobe::HostModules;
use kmm_core::modprobe::OutsideRoot;
use kmm_core::modprobe::Presence;
use kmm_core::modprobe::ShellError;
use kmm_core::modprobe::WORKER_ROOT;
use kmm_core::modprobe::container_load;
use kmm_core::modprobe::container_unload;
use kmm_core::modprobe::in_tree_modules;
use kmm_core::modprobe::load;
use kmm_core::modprobe::load_on;
use kmm_core::modprobe::softdep_conf;
use kmm_core::modprobe::unload;
use proptest::prelude::any;
use proptest::prelude::prop_assert;
use proptest::prelude::prop_assert_eq;
use proptest::proptest;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    config: String,
    kernel: String,
    module: kmm_core::api::Module,
    firmware: bool,
    load: Vec<Vec<String>>,
    unload: Vec<Vec<String>>,
    host_files: Option<Vec<String>>,
    load_on_host: Option<Vec<Vec<String>>>,
}

fn recorded() -> Vec<(Recorded, ModuleConfig)> {
    let records: Vec<Recorded> = serde_json::from_str(include_str!("data/upstream/modprobe.json")).unwrap();
    assert_eq!(records.len(), 60);
    let config = |record: &Recorded| serde_json::from_value(plain_yaml(&record.config)).unwrap();
    records
        .into_iter()
        .map(|record| {
            let config = config(&record);
            (record, config)
        })
        .collect()
}

fn argv(commands: &[Command]) -> Vec<Vec<String>> {
    commands
        .iter()
        .map(|command| command.argv().map(str::to_owned).collect())
        .collect()
}

/// In the records, the folders that leave `/tmp`: there the Go operator goes outside, see B-29.
fn leaves_root(config: &ModuleConfig) -> bool {
    config.modprobe.raw_args.is_none() && matches!(config.modprobe.dir_name.as_str(), "../x" | "/..")
}

#[test]
fn recorded_answers_of_the_go_operator() {
    let mut outside = 0;
    for (record, config) in recorded() {
        assert_eq!(
            config.kernel_version,
            KernelVersion::from(record.kernel.as_str()).matched()
        );
        assert_eq!(config.modprobe.firmware_path.is_empty(), !record.firmware);
        let spec = &record
            .module
            .spec
            .module_loader
            .as_ref()
            .unwrap()
            .container
            .modprobe;
        assert_eq!(config.modprobe.parameters, spec.parameters);
        if leaves_root(&config) {
            outside += 1;
            let by_go = &record.load.last().unwrap()[2];
            assert!(by_go == "/" || by_go == "/x", "{by_go}");
            assert_eq!(load(&config, WORKER_ROOT).unwrap_err().field, "dirName");
            assert_eq!(unload(&config, WORKER_ROOT).unwrap_err().field, "dirName");
            continue;
        }
        assert_eq!(
            argv(&load(&config, WORKER_ROOT).unwrap()),
            record.load,
            "{}",
            record.config
        );
        assert_eq!(
            argv(&[unload(&config, WORKER_ROOT).unwrap()]),
            record.unload,
            "{}",
            record.config
        );
    }
    assert_eq!(outside, OUTSIDE);
}

/// How many records have a folder that leaves `/tmp`.
const OUTSIDE: usize = 2;

/// For `docs/compat.md`, B-29: `dirName: ../x` gives `modprobe -vd /x` in the Go operator.
#[test]
fn compat_b29_a_folder_outside_of_the_root_is_an_error() {
    for folder in ["../x", "/..", "/opt/../../x", "..//tmpfiles"] {
        let mut config = driver();
        config.modprobe.dir_name = folder.to_owned();
        let error = OutsideRoot {
            field: "dirName",
            path: folder.to_owned(),
            root: "/tmp".to_owned(),
        };
        assert_eq!(load(&config, WORKER_ROOT), Err(error.clone()));
        assert_eq!(unload(&config, WORKER_ROOT), Err(error));
        config.modprobe.raw_args = Some(ModprobeArgs::default());
        assert!(
            load(&config, WORKER_ROOT).is_ok(),
            "with rawArgs the folder is not used"
        );
    }
}

/// What the Go operator finds: a file whose name the regexp `^<name>.ko` matches. Enough for names in which `.` is the
/// only special character.
fn found_by_go(name: &str, files: &[String]) -> bool {
    let pattern: Vec<char> = name.chars().chain(".ko".chars()).collect();
    files.iter().any(|path| {
        let file: Vec<char> = path.rsplit('/').next().unwrap().chars().collect();
        let same = |(want, have): (&char, &char)| want == have || *want == '.';
        file.len() >= pattern.len() && pattern.iter().zip(&file).all(same)
    })
}

#[test]
fn recorded_in_tree_removals_on_a_host() {
    let mut differences = Vec::new();
    for (record, config) in recorded() {
        let (Some(files), Some(expected)) = (record.host_files, record.load_on_host) else {
            continue;
        };
        let host = HostModules::from_files(&files);
        let mut by_go = config.clone();
        let names = in_tree_modules(&config);
        by_go.in_tree_modules_to_remove =
            Some(names.iter().filter(|n| found_by_go(n, &files)).cloned().collect());
        by_go.in_tree_module_to_remove = String::new();
        for name in names {
            let ours = host.presence(name) == Presence::Loadable;
            if ours != found_by_go(name, &files) {
                differences.push((name.clone(), ours));
            }
        }
        if leaves_root(&config) {
            continue;
        }
        assert_eq!(
            argv(&load(&by_go, WORKER_ROOT).unwrap()),
            expected,
            "{}",
            record.config
        );
        if host.removable(names) == in_tree_modules(&by_go) {
            assert_eq!(
                argv(&load_on(&config, WORKER_ROOT, &host).unwrap()),
                expected,
                "{}",
                record.config
            );
        }
    }
    differences.sort();
    differences.dedup();
    // `a-b.ko.xz` holds `a_b`; `ice.koala` does not hold `ice`.
    assert_eq!(differences, [("a_b".to_owned(), true), ("ice".to_owned(), false)]);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InTree {
    name: String,
    file: String,
    found: bool,
    found_by_go: bool,
}

/// For `docs/compat.md`, B-19 and B-30: modules are found by the names that the kernel gives them.
#[test]
fn compat_b19_b30_in_tree_modules_are_found_by_name() {
    let cases: Vec<InTree> = serde_json::from_str(include_str!("data/modprobe/in_tree.json")).unwrap();
    for case in cases {
        let files = [case.file.clone()];
        let found = HostModules::from_files(&files).presence(&case.name) == Presence::Loadable;
        assert_eq!(found, case.found, "{} {}", case.name, case.file);
        assert_eq!(
            found_by_go(&case.name, &files),
            case.found_by_go,
            "{} {}",
            case.name,
            case.file
        );
    }
}

/// For `docs/compat.md`, B-19: a module that is part of the kernel is named as such, and never handed to modprobe.
#[test]
fn compat_b19_built_in_modules_are_never_removed() {
    let host = HostModules::from_files(["kernel/ice.ko"]).with_built_in(["kernel/net/foo-bar.ko\n"]);
    assert_eq!(host.presence("foo_bar"), Presence::BuiltIn);
    let mut config = driver();
    config.in_tree_modules_to_remove = Some(vec!["foo_bar".to_owned()]);
    let commands = load_on(&config, WORKER_ROOT, &host).unwrap();
    assert_eq!(argv(&commands), [["modprobe", "-vd", "/tmp/opt", "drv"]]);
}

/// For `docs/compat.md`, B-19: the Go operator searches the folders of all kernels that a host has. Here the caller
/// gives the files of the running one, so a module that only another kernel has is absent.
#[test]
fn compat_b19_only_the_running_kernel_counts() {
    let files = ["6.1.0/kernel/ice.ko", "6.2.0/kernel/i40e.ko"];
    let running = files.iter().filter_map(|file| file.strip_prefix("6.2.0/"));
    let host = HostModules::from_files(running);
    assert_eq!(host.removable(&["ice", "i40e"]), ["i40e"]);
}

/// For `docs/compat.md`, B-20: the Go operator joins the names in its error without a separator.
#[test]
fn compat_b20_removed_modules_stay_apart() {
    let mut config = driver();
    config.in_tree_modules_to_remove = Some(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(
        load(&config, WORKER_ROOT).unwrap()[0].to_shell(),
        "modprobe -rv a b"
    );
}

#[test]
fn the_deprecated_in_tree_field_counts_only_without_a_list() {
    let mut config = driver();
    config.in_tree_module_to_remove = "old".to_owned();
    assert_eq!(in_tree_modules(&config), ["old"]);
    config.in_tree_modules_to_remove = Some(Vec::new());
    assert!(in_tree_modules(&config).is_empty());
    assert_eq!(load(&config, WORKER_ROOT).unwrap().len(), 1);
}

fn driver() -> ModuleConfig {
    let modprobe = ModprobeSpec {
        module_name: "drv".to_owned(),
        dir_name: "/opt".to_owned(),
        ..Default::default()
    };
    ModuleConfig {
        modprobe,
        ..Default::default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Mode {
    config: ModuleConfig,
    load: Vec<String>,
    unload: String,
    container_load: String,
    container_unload: String,
}

#[test]
fn modes_in_both_forms() {
    let modes: Vec<Mode> = serde_json::from_str(include_str!("data/modprobe/modes.json")).unwrap();
    for mode in modes {
        let loads = load(&mode.config, WORKER_ROOT).unwrap();
        assert_eq!(loads.iter().map(Command::to_shell).collect::<Vec<_>>(), mode.load);
        assert_eq!(unload(&mode.config, WORKER_ROOT).unwrap().to_shell(), mode.unload);
        let script = |script| Command::new("/bin/sh", ["-c".to_owned(), script]);
        assert_eq!(container_load(&mode.config), script(mode.container_load));
        assert_eq!(container_unload(&mode.config), script(mode.container_unload));
    }
}

#[test]
fn softdeps_pair_neighbours() {
    assert_eq!(softdep_conf::<&str>(&[]), "");
    assert_eq!(softdep_conf(&["a"]), "");
    assert_eq!(softdep_conf(&["a", "b"]), "softdep a pre: b\n");
}

#[test]
fn lines_that_are_one_command() {
    for (line, words) in [
        ("modprobe", &["modprobe"][..]),
        ("  modprobe\t-v  a\n", &["modprobe", "-v", "a"]),
        ("a '' \"\" b''c", &["a", "", "", "bc"]),
        (r"a b\ c \'d \\", &["a", "b c", "'d", "\\"]),
        (r#"a "b\$c\`\"\\" "d\e""#, &["a", "b$c`\"\\", "d\\e"]),
        ("a 'b\nc' \"d\ne\"", &["a", "b\nc", "d\ne"]),
        ("a \\\n b\\\nc \"d\\\ne\"", &["a", "bc", "de"]),
        ("a b#c x=y~ -- é\u{a0}ü", &["a", "b#c", "x=y~", "--", "é\u{a0}ü"]),
        ("'if' x", &["if", "x"]),
        ("'A=b' x", &["A=b", "x"]),
        ("./a=b", &["./a=b"]),
    ] {
        let command = Command::parse_shell(line).unwrap();
        assert_eq!(command.argv().collect::<Vec<_>>(), words, "{line}");
    }
}

#[test]
fn lines_that_are_more_than_one_command_or_none() {
    for line in ["", " \t\n", "\\\n"] {
        assert_eq!(Command::parse_shell(line), Err(ShellError::Empty), "{line:?}");
    }
    for (line, at) in [
        ("a 'b", 2),
        ("a \"b", 2),
        ("a \"b\\", 2),
        ("a b\\", 3),
        ("é 'x", 3),
    ] {
        assert_eq!(
            Command::parse_shell(line),
            Err(ShellError::Unclosed { at }),
            "{line:?}"
        );
    }
    for (line, character, at) in [
        ("a $b", '$', 2),
        ("a \"$b\"", '$', 3),
        ("a `b`", '`', 2),
        ("a;b", ';', 1),
        ("a && b", '&', 2),
        ("a | b", '|', 2),
        ("a > b", '>', 2),
        ("a < b", '<', 2),
        ("a (b)", '(', 2),
        ("a *", '*', 2),
        ("a b?", '?', 3),
        ("a [b]", '[', 2),
        ("a {b,c}", '{', 2),
        ("a #b", '#', 2),
        ("a ~b", '~', 2),
        ("a\nb", '\n', 1),
    ] {
        assert_eq!(
            Command::parse_shell(line),
            Err(ShellError::Special { character, at }),
            "{line:?}"
        );
    }
    for word in ["A=b", "A+=b", "if", "!", "while", "_x="] {
        let found = Command::parse_shell(&format!("{word} modprobe"));
        assert_eq!(
            found,
            Err(ShellError::NoProgram {
                word: word.to_owned()
            })
        );
    }
    // The time taken is in proportion to the length, whatever is repeated.
    for unit in ["a ", "\n", " ", "\\\n", "''", "\\a", "a\n"] {
        let _ = Command::parse_shell(&format!("a {}{}", unit.repeat(1 << 16), "\n".repeat(1 << 16)));
    }
    assert_eq!(Command::parse_shell("a \0"), Err(ShellError::Nul { at: 2 }));
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 2048, failure_persistence: None, ..Default::default() })]

    #[test]
    fn printing_and_reading_is_the_identity(
        program in "[^\0]{0,6}|[a-z=!{}\\[]{1,5}",
        args in proptest::collection::vec("[^\0]{0,8}|[ -~\n\t]{0,12}|['\"\\\\$` #~=]{0,6}", 0..6),
    ) {
        let command = Command::new(program, args);
        prop_assert_eq!(Command::parse_shell(&command.to_shell()), Ok(command));
    }

    #[test]
    fn any_line_is_read_or_refused(line in any::<String>()) {
        if let Ok(command) = Command::parse_shell(&line) {
            prop_assert_eq!(Command::parse_shell(&command.to_shell()), Ok(command));
        }
    }

    #[test]
    fn container_scripts_hold_the_worker_words(
        module in "[^\0]{0,8}",
        parameters in proptest::collection::vec("[^\0]{0,8}", 0..4),
        folder in "/[^\0./]{1,8}",
    ) {
        let mut config = driver();
        config.modprobe.module_name = module;
        config.modprobe.parameters = parameters;
        config.modprobe.dir_name = folder.clone();
        let container = Command::parse_shell(&container_load(&config).args[1]).unwrap();
        let worker = &load(&config, WORKER_ROOT).unwrap()[0];
        prop_assert_eq!(&container.args[..3], &["-v".to_owned(), "-d".to_owned(), folder]);
        prop_assert!(container.args[3..] == worker.args[2..]);
    }
}

/// Reads what the YAML writer of the records writes for these objects: maps by indentation, lists of scalars, and
/// scalars that are plain or in quotes. All scalars are strings, but for the only boolean.
fn plain_yaml(text: &str) -> Value {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    block(&mut lines.as_slice(), 0)
}

fn block(lines: &mut &[&str], indent: usize) -> Value {
    let mut map = serde_json::Map::new();
    let mut list = Vec::new();
    while let Some((line, rest)) = lines.split_first() {
        let body = line.trim_start();
        let depth = line.len() - body.len();
        if depth < indent || (depth == indent && body.starts_with("- ") && !map.is_empty()) {
            break;
        }
        *lines = rest;
        if let Some(item) = body.strip_prefix("- ") {
            list.push(scalar(item));
            if lines
                .first()
                .is_some_and(|next| !next.trim_start().starts_with("- "))
            {
                break;
            }
        } else if let Some(key) = body.strip_suffix(':') {
            let next = lines
                .first()
                .map_or(0, |next| next.len() - next.trim_start().len());
            map.insert(key.to_owned(), block(lines, next));
        } else {
            let (key, value) = body.split_once(": ").unwrap();
            map.insert(key.to_owned(), scalar(value));
        }
    }
    if list.is_empty() {
        Value::Object(map)
    } else {
        Value::Array(list)
    }
}

fn scalar(text: &str) -> Value {
    match text {
        "false" | "true" => Value::Bool(text == "true"),
        "{}" => serde_json::json!({}),
        "[]" => serde_json::json!([]),
        _ => match (
            text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')),
            text.starts_with('"'),
        ) {
            (Some(inner), _) => Value::String(inner.replace("''", "'")),
            (None, true) => serde_json::from_str(text).unwrap(),
            (None, false) => Value::String(text.to_owned()),
        },
    }
}
