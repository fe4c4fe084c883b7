//! Where the links of a tree lead.

use std::collections::HashMap;
use std::collections::HashSet;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use kmm_core::worker::Reason;

use crate::beneath::is_of_node;

use super::CopyError;
use super::ended;
use super::scan::Kind;
use super::scan::Tree;

/// Links to the headers that modules were built with. Nothing that loads modules reads them.
const HEADERS: [&str; 2] = ["build", "source"];
/// Links on one way, as the kernel has it.
const HOPS: usize = 40;
/// Steps on the ways of all links together: the links of a whole kernel with its firmware take a thousandth of them.
const STEPS: usize = 20_000_000;
/// The most bytes of a path, as the kernel has it.
const LONGEST: usize = 4096;

/// Refuses links that lead out, and takes out those to headers, which it returns.
pub(super) fn check(tree: &mut Tree, stopped: &dyn Fn() -> bool) -> Result<Vec<String>, CopyError> {
    within(tree, stopped, STEPS)
}

fn within(tree: &mut Tree, stopped: &dyn Fn() -> bool, mut steps: usize) -> Result<Vec<String>, CopyError> {
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
        ended(stopped)?;
        match walk(&links, path, &mut steps) {
            Way::Stays => continue,
            Way::Out => {}
            Way::TooLong => {
                let proof = format!(
                    "`{}`: the links of `{}` lead through each other more often than is looked at",
                    tree.root.join(path).display(),
                    tree.root.display()
                );
                return Err(CopyError::new(Reason::LinkOutside, proof));
            }
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
    let paths: HashSet<&PathBuf> = left_out.iter().map(|(path, _)| path).collect();
    tree.entries.retain(|(path, _)| !paths.contains(path));
    let said = left_out.iter();
    Ok(said
        .map(|(path, target)| format!("{} -> {}", path.display(), target.display()))
        .collect())
}

/// Where a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It stays in its tree, or leads to the modules of the node.
    Stays,
    /// It leads anywhere else.
    Out,
    /// Nobody knows: too many steps were gone before its end.
    TooLong,
}

/// Walks as the kernel would, through the other links of the tree: `..` behind a link is above what the link leads to.
/// What does not exist is no fault. Each step is taken off `steps`.
fn walk(links: &HashMap<&Path, &Path>, link: &Path, steps: &mut usize) -> Way {
    let mut at = PathBuf::new();
    // What is still to be walked, the next part last.
    let mut rest: Vec<Component<'_>> = link.components().rev().collect();
    let mut hops = 0;
    while let Some(part) = rest.pop() {
        let Some(left) = steps.checked_sub(1) else {
            return Way::TooLong;
        };
        *steps = left;
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !at.pop() {
                    return Way::Out;
                }
            }
            Component::Normal(name) => {
                at.push(name);
                if at.as_os_str().len() > LONGEST {
                    // The kernel goes no further either.
                    return Way::Stays;
                }
                let Some(target) = links.get(at.as_path()) else {
                    continue;
                };
                hops += 1;
                if hops > HOPS {
                    // A loop leads nowhere.
                    return Way::Stays;
                }
                if target.is_absolute() {
                    let whole: PathBuf = target.components().chain(rest.into_iter().rev()).collect();
                    return if is_of_node(&whole) { Way::Stays } else { Way::Out };
                }
                at.pop();
                rest.extend(target.components().rev());
            }
            Component::RootDir | Component::Prefix(_) => return Way::Out,
        }
    }
    Way::Stays
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
            assert_eq!(check(&mut given, &|| false), Ok(Vec::new()), "{entries:?}");
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
            let error = check(&mut tree(entries), &|| false).unwrap_err();
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
        let left = check(&mut given, &|| false).unwrap();
        assert_eq!(
            left,
            [
                "build -> /usr/src/linux-headers-6.1.0",
                "source -> ../../../usr/src/linux"
            ]
        );
        assert_eq!(given, tree(&[("", ""), ("extra", "")]));
    }

    /// Links that lead through each other may take more steps than there are entries.
    #[test]
    fn steps_are_bounded() {
        let long = "a/b/".repeat(500);
        let mut names: Vec<String> = (0..20).map(|number| format!("l{number}")).collect();
        names.push("end".to_owned());
        let targets: Vec<String> = names
            .iter()
            .skip(1)
            .map(|next| format!("./{next}/{long}"))
            .collect();
        let entries: Vec<(&str, &str)> = names
            .iter()
            .zip(&targets)
            .map(|(name, target)| (name.as_str(), target.as_str()))
            .collect();
        let mut given = tree(&entries);
        assert_eq!(within(&mut given.clone(), &|| false, 1_000_000), Ok(Vec::new()));
        let error = within(&mut given.clone(), &|| false, 10_000).unwrap_err();
        assert!(
            error.to_string().contains("more often than is looked at"),
            "{error}"
        );
        let error = check(&mut given, &|| true).unwrap_err();
        assert_eq!(error.reason(), Reason::Interrupted);
    }
}
