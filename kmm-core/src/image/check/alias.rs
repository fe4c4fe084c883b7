//! Whether `modprobe` takes a name for an alias: `modules.alias` has patterns, which are matched as `fnmatch` does.

/// Whether the alias of a module matches a name. `-` and `_` are the same in both, but not in brackets.
pub(super) fn matches(alias: &str, name: &str) -> bool {
    fnmatch(&folded(alias), &folded(name))
}

/// With `_` for each `-` outside of brackets.
fn folded(text: &str) -> Vec<u8> {
    let mut inside = false;
    let fold = |byte| {
        match byte {
            b'[' => inside = true,
            b']' => inside = false,
            b'-' if !inside => return b'_',
            _ => {}
        }
        byte
    };
    text.bytes().map(fold).collect()
}

/// `*`, `?`, brackets and `\`, without flags. A later `*` takes the place of an earlier one, so it takes no longer than the
/// product of both lengths.
fn fnmatch(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut taken) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(at..).unwrap_or_default();
        if rest.first() == Some(&b'*') {
            at += 1;
            star = Some((at, taken));
            continue;
        }
        let next = match name.get(taken) {
            None if rest.is_empty() => return true,
            None => None,
            Some(byte) => one(rest, *byte),
        };
        match (next, star) {
            (Some(length), _) => {
                at += length;
                taken += 1;
            }
            (None, Some((after, from))) if from < name.len() => {
                star = Some((after, from + 1));
                (at, taken) = (after, from + 1);
            }
            (None, _) => return false,
        }
    }
}

/// How much of the pattern stands for this byte; `None` where it does not.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', rest @ ..] => match brackets(rest, byte) {
            Some((true, length)) => Some(1 + length),
            Some((false, _)) => None,
            // Brackets that are not closed stand for themselves.
            None => (byte == b'[').then_some(1),
        },
        [first, ..] => (*first == byte).then_some(1),
    }
}

/// Whether what is in brackets has this byte, and how long it is with the bracket that closes it.
fn brackets(rest: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let mut at = start;
    let mut has = false;
    loop {
        match rest.get(at..)? {
            [b']', ..] if at > start => return Some((has != negated, at + 1)),
            [first, b'-', last, ..] if *last != b']' => {
                has |= (*first..=*last).contains(&byte);
                at += 3;
            }
            [first, ..] => {
                has |= *first == byte;
                at += 1;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `modprobe -R` of kmod 30 says of a tree with these aliases.
    #[test]
    fn names_are_taken_as_modprobe_takes_them() {
        for (alias, name, expected) in [
            ("fs-acme", "fs-acme", true),
            ("fs-acme", "fs_acme", true),
            ("block-major-8-*", "block-major-8-1", true),
            ("block-major-8-*", "block_major-8-1", true),
            ("block-major-8-*", "block-major-8-*", true),
            ("block-major-8-*", "block-major-8-", true),
            ("block-major-8-*", "block-major-9-1", false),
            ("net-pf-[0-9]", "net-pf-3", true),
            ("net-pf-[0-9]", "net_pf_3", true),
            ("net-pf-[0-9]", "net-pf-x", false),
            ("plain?name", "plain-name", true),
            ("plain?name", "plainname", false),
            ("set[a-b-c]x", "setbx", true),
            ("set[a-b-c]x", "set-x", false),
            ("acme-fs", "acme-*", false),
            ("acme-fs", "*", false),
            ("pci:v00001B36d*sv*bc*", "pci:v00001B36d00004B4Dsv1AF4bc02", true),
            ("pci:v00001B36d*sv*bc*", "pci:v00001B37d00004B4Dsv1AF4bc02", false),
            ("", "", true),
            ("*", "", true),
            ("a[", "a[", true),
            ("[!a]", "b", true),
            ("[!a]", "a", false),
            ("[]]", "]", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
        ] {
            assert_eq!(matches(alias, name), expected, "`{alias}`, `{name}`");
        }
    }

    /// Many stars against a name that almost fits: the time is bounded.
    #[test]
    fn stars_do_not_multiply() {
        let name = "a".repeat(4096);
        assert!(!matches(&"*a".repeat(200), &format!("{name}b")));
        assert!(matches(&"*a".repeat(200), &name));
    }
}
