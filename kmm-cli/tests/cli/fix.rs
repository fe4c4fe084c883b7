//! `kmm validate --fix`: what it changes, and what it leaves alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::data;
use super::kmm;
use super::kmm_with_input;
use super::manifests;
use super::stderr;
use super::stdout;
use super::workspace;

const KERNELS: [&str; 6] = [
    "5.14.0-570.12.1.el9_6.x86_64",
    "6.1.0-37-amd64",
    "6.8.0-60-generic",
    "6.14.9-300.fc42.x86_64",
    "5.10.0",
    "4.18.0-553.el8_10.x86_64",
];

/// How many findings of each code there are.
fn codes(path: &str) -> BTreeMap<String, usize> {
    let output = kmm(&["validate", "-o", "json", path]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut codes = BTreeMap::new();
    for found in report["diagnostics"].as_array().unwrap() {
        *codes
            .entry(found["code"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    codes
}

/// What each kernel gets in each Module; `None` where the file cannot be read.
fn meaning(path: &str) -> Option<Vec<[Value; 9]>> {
    let mut args = vec!["resolve", "-o", "json", "-f", path];
    KERNELS.iter().for_each(|kernel| args.extend(["-k", kernel]));
    let output = kmm(&args);
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    let results = answer["results"].as_array()?;
    let of = |result: &Value| {
        [
            "/module",
            "/kernel",
            "/mapping/index",
            "/containerImage",
            "/imagePullPolicy",
            "/registryTLS",
            "/tolerations",
            "/commands",
            "/error/code",
        ]
        .map(|pointer| result.pointer(pointer).cloned().unwrap_or_default())
    };
    Some(results.iter().map(of).collect())
}

fn comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        if line.trim_start().starts_with('#') {
            Some(line.trim())
        } else {
            line.split_once(" # ").map(|(_, comment)| comment.trim())
        }
    })
}

#[test]
fn fixes_hold_and_change_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.yaml");
    let name = path.to_str().unwrap();
    let mut fixed_files = 0;
    for manifest in manifests()
        .into_iter()
        .chain([workspace().join(data("broken.yaml"))])
    {
        let Ok(before) = fs::read_to_string(&manifest) else {
            continue;
        };
        let shown = manifest.display();
        fs::write(&path, &before).unwrap();
        let (codes_before, meaning_before) = (codes(name), meaning(name));

        let first = kmm(&["validate", "--fix", name]);
        let said = stderr(&first);
        assert!(matches!(first.status.code(), Some(0 | 1)), "{shown}: {said}");
        let after = fs::read_to_string(&path).unwrap();
        assert_eq!(
            said.contains(": 0 fixes applied"),
            after == before,
            "{shown}: {said}"
        );

        let second = kmm(&["validate", "--fix", name]);
        assert!(
            stderr(&second).contains(": 0 fixes applied"),
            "{shown}: {}",
            stderr(&second)
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), after, "{shown}");
        assert_eq!(
            (stdout(&second), second.status),
            (stdout(&first), first.status),
            "{shown}"
        );
        if after == before {
            continue;
        }
        fixed_files += 1;
        for comment in comments(&before) {
            assert!(after.contains(comment), "{shown}: `{comment}` is gone");
        }
        if meaning_before.is_some() {
            assert_eq!(meaning(name), meaning_before, "{shown}");
        }
        let fewer = |(code, count): (&String, &usize)| codes(name).get(code).is_none_or(|left| left < count);
        assert!(codes_before.iter().any(fewer), "{shown}");
    }
    assert!(fixed_files > 0);
}

#[test]
fn fixed_codes_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.yaml");
    fs::copy(workspace().join(data("broken.yaml")), &path).unwrap();
    let name = path.to_str().unwrap();
    let output = kmm(&["validate", "--fix", "--unsafe-fixes", name]);
    assert_eq!(output.status.code(), Some(1));
    let left = codes(name);
    for fixed in [
        "KMM0003", "KMM0101", "KMM1004", "KMM1005", "KMM1021", "KMM1040", "KMM1041", "KMM1080", "KMM2002",
        "KMM2010", "KMM2012", "KMM2020",
    ] {
        assert!(!left.contains_key(fixed), "{fixed} is left");
    }
}

/// Both lines go to the same place, so that one round takes one of them.
#[test]
fn fixes_at_one_place_take_rounds() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: dockerfile, namespace: drivers}
data:
  dockerfile: |
    FROM registry.example.com/base:1
    RUN depmod -b /opt ${KERNEL_FULL_VERSION} # ${MOD_NAME}
    RUN echo ${MOD_NAME} ${MOD_NAMESPACE} ${KERNEL_FULL_VERSION}
";
    let module = "---
apiVersion: kmm.sigs.x-k8s.io/v1beta1
kind: Module
metadata: {name: nic, namespace: drivers}
spec:
  selector: {}
  moduleLoader:
    container:
      modprobe: {moduleName: nic}
      build: {dockerfileConfigMap: {name: dockerfile}}
      kernelMappings:
        - {literal: 6.1.0-37-amd64, containerImage: 'registry.example.com/nic:${KERNEL_FULL_VERSION}'}
";
    let output = kmm_with_input(&["validate", "--fix", "-"], format!("{text}{module}").as_bytes());
    for variable in ["KERNEL_FULL_VERSION", "MOD_NAME", "MOD_NAMESPACE"] {
        let line = format!("    ARG {variable}\n");
        assert_eq!(stdout(&output).matches(&line).count(), 1, "{}", stdout(&output));
    }
    assert!(!stderr(&output).contains("is not fixed"), "{}", stderr(&output));
}

#[test]
fn standard_input_is_fixed_to_standard_output() {
    let text = fs::read(workspace().join(data("broken.yaml"))).unwrap();
    let first = kmm_with_input(&["validate", "--fix", "-"], &text);
    assert!(!stderr(&first).contains("<stdin>: 0"), "{}", stderr(&first));
    let second = kmm_with_input(&["validate", "--fix", "-"], &first.stdout);
    assert!(stderr(&second).contains("<stdin>: 0 fixes applied"));
    assert_eq!(second.stdout, first.stdout);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file.yaml"), folder.path().join("link.yaml"));
    fs::copy(workspace().join(data("broken.yaml")), &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file.yaml", &link).unwrap();
    kmm(&["validate", "--fix", link.to_str().unwrap()]);
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("file.yaml"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::read_to_string(&file).unwrap().contains("\n---\n"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn an_alias_is_not_quoted_as_text() {
    let manifest = "apiVersion: kmm.sigs.x-k8s.io/v1beta1\nkind: Module\nmetadata: {name: a, namespace: b}\n\
        spec:\n  selector: {x: &t true, z: *t}\n";
    let output = kmm_with_input(&["validate", "--fix", "-"], manifest.as_bytes());
    // Quoting the anchor would change what the alias stands for as well, so nothing is changed, and it is said.
    assert_eq!(stdout(&output), manifest);
    assert!(stderr(&output).contains("is not fixed"), "{}", stderr(&output));
}
