//! Names of kernel modules, and of the build arguments that every build is given.

/// The build arguments that every build is given.
pub(super) const DEFAULT_ARGUMENTS: [&str; 4] = [
    "KERNEL_FULL_VERSION",
    "KERNEL_VERSION",
    "MOD_NAME",
    "MOD_NAMESPACE",
];

/// Why a text is no name of a module, in the words that follow it in a message.
pub(super) fn fault(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    if name.contains('/') {
        return Some("is a path, not the name of a module".to_owned());
    }
    if without_ending(name) != name {
        return Some("is the name of a file, not of a module".to_owned());
    }
    if name.starts_with('-') {
        return Some("is taken as an option".to_owned());
    }
    let odd = name
        .chars()
        .find(|&c| c.is_whitespace() || c.is_control() || "\"'$*?,;&|<>(){}[]\\`".contains(c))?;
    Some(format!("holds {odd:?}"))
}

/// The name that was meant, where only folder, ending or blanks at the ends are too much.
pub(super) fn mended(name: &str) -> Option<&str> {
    let name = without_ending(name.trim().rsplit('/').next()?);
    (!name.is_empty() && fault(name).is_none()).then_some(name)
}

/// The name with `_` for `-`, as modprobe compares names.
pub(super) fn folded(name: &str) -> String {
    name.replace('-', "_")
}

fn without_ending(name: &str) -> &str {
    let plain = [".xz", ".gz", ".zst"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    plain.strip_suffix(".ko").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_paths_are_no_names() {
        for (given, meant) in [
            ("a.ko", "a"),
            ("a.ko.xz", "a"),
            ("extra/a", "a"),
            (" a ", "a"),
            ("/x/a-b.ko", "a-b"),
        ] {
            assert!(fault(given).is_some(), "{given}");
            assert_eq!(mended(given), Some(meant));
        }
        for name in ["a", "a-b", "kmm_ci_a", "m.x", "zstd.xz"] {
            assert_eq!(fault(name), None, "{name}");
        }
        assert_eq!(mended("a b"), None);
        assert_eq!(mended("x/"), None);
    }
}
