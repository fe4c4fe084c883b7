//! Where the links of a tree lead.

use std::collections::HashMap;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::worker::Reason;

use super::CopyError;
use super::scan::Kind;
use super::scan::Tree;

/// Where a worker finds the modules of its node. Images link to them, so that depmod finds what is in the kernel.
const NODE: [&str; 3] = ["/lib/modules", "/usr/lib/modules", "/host/lib/modules"];
/// Links to the headers that modules were built with. Nothing that loads modules reads them.
const HEADERS: [&str; 2] = ["build", "source"];
/// Links on one way, as the kernel has it.
const HOPS: usize = 40;

/// Refuses links that lead out, and takes out those to headers, which it returns.
pub(super) fn check(tree: &mut Tree) -> Result<Vec<String>, CopyError> {
    let links: HashMap<&Path, &Path> = tree
        .entries
        .iter()
        .filter_map(|(path, kind)| match kind {
            Kind::Link { target } => Some((path.as_path(), target.as_path())),
            Kind::Folder { .. } | Kind::File { .. } => None,
        })
        .collect();
    let mut left_out = Vec::new();
    for (path, kind) in &tree.entries {
        let Kind::Link { target } = kind else {
            continue;
        };
        if stays(&links, path) {
            continue;
        }
        if path
            .file_name()
            .is_some_and(|name| HEADERS.iter().any(|known| name == *known))
        {
            left_out.push((path.clone(), target.clone()));
            continue;
        }
        let proof = format!(
            "`{}` is a link to `{}`, which leads out of `{}`",
            tree.root.join(path).display(),
            target.display(),
            tree.root.display()
        );
        return Err(CopyError::new(Reason::LinkOutside, proof));
    }
    tree.entries
        .retain(|(path, _)| !left_out.iter().any(|(left, _)| left == path));
    let said = left_out.iter();
    Ok(said
        .map(|(path, target)| format!("{} -> {}", path.display(), target.display()))
        .collect())
}

/// Whether a link stays in its tree, or leads to the modules of the node. Walks as the kernel would, through the other
/// links of the tree: `..` behind a link is above what the link leads to. What does not exist is no fault.
fn stays(links: &HashMap<&Path, &Path>, link: &Path) -> bool {
    let mut at = PathBuf::new();
    // What is still to be walked, the next part last.
    let mut rest: Vec<Component<'_>> = link.components().rev().collect();
    let mut hops = 0;
    while let Some(part) = rest.pop() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !at.pop() {
                    return false;
                }
            }
            Component::Normal(name) => {
                at.push(name);
                let Some(target) = links.get(at.as_path()) else {
                    continue;
                };
                hops += 1;
                if hops > HOPS {
                    // A loop leads nowhere.
                    return true;
                }
                if target.is_absolute() {
                    let whole: PathBuf = target.components().chain(rest.into_iter().rev()).collect();
                    return of_node(&whole);
                }
                at.pop();
                rest.extend(target.components().rev());
            }
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// Whether an absolute path is one of the node's modules, without any `..` that could lead elsewhere.
fn of_node(path: &Path) -> bool {
    path.components().all(|part| part != Component::ParentDir)
        && NODE
            .iter()
            .any(|node| path.strip_prefix(node).is_ok_and(|rest| rest != Path::new("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, &str)]) -> Tree {
        let entry = |(path, target): &(&str, &str)| {
            let kind = match *target {
                "" => Kind::Folder { mode: 0o755 },
                target => Kind::Link {
                    target: target.into(),
                },
            };
            (PathBuf::from(path), kind)
        };
        Tree {
            root: "/from".into(),
            entries: entries.iter().map(entry).collect(),
        }
    }

    #[test]
    fn links_that_stay() {
        for entries in [
            &[("a", "b")][..],
            &[("a/b/c", "../../x")],
            &[("a/b", "./../a/./c/")],
            &[("a", ".")],
            &[("host", "/lib/modules/6.1.0")],
            &[("host", "/host/lib/modules/6.1.0/kernel")],
            &[("host", "/usr/lib/modules/6.1.0"), ("a", "host/kernel")],
            // A loop leads nowhere.
            &[("a", "b"), ("b", "a")],
            &[("a", "a/a")],
            &[("d/e/up", "../.."), ("f", "d/e/up/d")],
        ] {
            let mut given = tree(entries);
            let before = given.clone();
            assert_eq!(check(&mut given), Ok(Vec::new()), "{entries:?}");
            assert_eq!(given, before);
        }
    }

    #[test]
    fn links_that_lead_out() {
        for entries in [
            &[("a", "..")][..],
            &[("a", "../from/a")],
            &[("a/b", "../../c")],
            &[("a/b", "../c/../../d")],
            &[("a", "/etc/passwd")],
            &[("a", "/from/b")],
            &[("a", "/lib/modules")],
            &[("a", "/lib/modulesx/b")],
            &[("a", "/lib/modules/../../etc")],
            // It looks as if it stayed, and does not: `up` is the root.
            &[("d/e/up", "../.."), ("d/e/f", "up/../x")],
            // So does this one: behind `host` is the node.
            &[("host", "/lib/modules/6.1.0"), ("a", "host/../../../etc")],
        ] {
            let error = check(&mut tree(entries)).unwrap_err();
            assert_eq!(error.reason(), Reason::LinkOutside, "{entries:?}");
            assert!(error.to_string().contains("leads out of `/from`"), "{error}");
        }
    }

    #[test]
    fn links_to_headers_are_left_out() {
        let mut given = tree(&[
            ("", ""),
            ("build", "/usr/src/linux-headers-6.1.0"),
            ("extra", ""),
            ("source", "../../../usr/src/linux"),
        ]);
        let left = check(&mut given).unwrap();
        assert_eq!(
            left,
            [
                "build -> /usr/src/linux-headers-6.1.0",
                "source -> ../../../usr/src/linux"
            ]
        );
        assert_eq!(given, tree(&[("", ""), ("extra", "")]));
    }
}
