//! The indexes of modules that are part of the kernel, from `modules.builtin` and `modules.builtin.modinfo`.

use crate::depmod::Finding;
use crate::depmod::select::module_name;
use crate::depmod::trie::Trie;

/// The most bytes of a name or alias, with its end.
const PATH_MAX: usize = 4096;

/// The keys of `modules.builtin.bin`: the names of the modules, without values.
pub(crate) fn names(text: &[u8], findings: &mut Vec<Finding>) -> Trie {
    let mut trie = Trie::default();
    for line in text
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| line.chunks(PATH_MAX - 1))
    {
        let line = String::from_utf8_lossy(line.split(|byte| *byte == 0).next().unwrap_or_default());
        if !line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            findings.push(Finding::BadBuiltinLine {
                line: line.into_owned(),
            });
            continue;
        }
        let base = line.rsplit('/').next().unwrap_or(&line);
        if !base.is_empty() {
            trie.insert(module_name(base).as_bytes(), b"", 0);
        }
    }
    trie
}

/// The keys of `modules.builtin.alias.bin`, from strings `module.key=value`.
pub(crate) fn aliases(text: &[u8], findings: &mut Vec<Finding>) -> Trie {
    let mut trie = Trie::default();
    let mut rest = text;
    while !rest.is_empty() {
        let module = take(&mut rest, b'.');
        if module.is_empty() {
            continue;
        }
        if take(&mut rest, b'=') != b"alias" {
            rest = rest
                .iter()
                .position(|byte| *byte == 0)
                .map_or(&[], |end| rest.get(end + 1..).unwrap_or_default());
            continue;
        }
        let alias = take(&mut rest, 0);
        if alias.is_empty() {
            continue;
        }
        match normalize(alias) {
            Some(alias) => trie.insert(&alias, module, 0),
            None => findings.push(Finding::unmatched_bracket(alias)),
        }
    }
    trie
}

/// What stands before `end`, which is dropped; nothing if a string or the text ends first, or it is too long.
fn take<'a>(rest: &mut &'a [u8], end: u8) -> &'a [u8] {
    let stop = rest
        .iter()
        .take(PATH_MAX)
        .position(|byte| *byte == end || *byte == 0);
    let stop = stop.unwrap_or(PATH_MAX.min(rest.len()));
    let (taken, after) = rest.split_at_checked(stop).unwrap_or((rest, &[]));
    let stopped_by = after.first().copied();
    *rest = after.get(1..).unwrap_or_default();
    if stopped_by == Some(end) { taken } else { &[] }
}

/// An alias with `_` for `-` outside of brackets; `None` where brackets do not match.
pub(crate) fn normalize(alias: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(alias.len());
    let mut inside = false;
    for byte in alias.iter().take(PATH_MAX - 1) {
        match (byte, inside) {
            (b']', false) => return None,
            (b']', true) => inside = false,
            (b'[', _) => inside = true,
            _ => {}
        }
        out.push(if *byte == b'-' && !inside { b'_' } else { *byte });
    }
    (!inside).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_in_brackets_stay() {
        assert_eq!(normalize(b"a-b[0-9]c-d").as_deref(), Some(&b"a_b[0-9]c_d"[..]));
        assert_eq!(normalize(b"a[b"), None);
        assert_eq!(normalize(b"a]b"), None);
    }
}
