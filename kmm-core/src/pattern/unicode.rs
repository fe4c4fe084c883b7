//! Unicode classes and simple folding, as Go has them.
//!
//! Names are looked up without regard to case, blanks, `_` and `-`, with one surprise: the scripts
//! of Go's table whose names have two words (`Old_Italic`) cannot be reached at all.

use super::charset::{CharSet, MAX};
use super::unicode_tables::{ALIASES, CATEGORIES, FOLDS, SCRIPTS, UNFOLDED, UNIONS};

/// The class that `\p{name}` stands for, folded if asked; `None` if Go knows no such name.
pub(super) fn class(name: &str, fold: bool) -> Option<CharSet> {
    let name = canonical(name);
    let (set, folds) = match name.as_str() {
        "Any" => (CharSet::from_ranges(vec![(0, MAX)]), false),
        "Ascii" => (CharSet::from_ranges(vec![(0, 0x7F)]), true),
        "Assigned" => (table(CATEGORIES, "Cn")?.negated(), false),
        "Lc" => named("LC")?,
        name => named(name).or_else(|| {
            let (_, short) = ALIASES.iter().find(|(long, _)| canonical(long) == name)?;
            named(short)
        })?,
    };
    Some(if fold && folds { set.folded() } else { set })
}

fn named(name: &str) -> Option<(CharSet, bool)> {
    let folds = !UNFOLDED.contains(&name);
    if let Some((_, parts)) = UNIONS.iter().find(|(union, _)| *union == name) {
        let mut all = CharSet::default();
        for part in *parts {
            all = all.union(&table(CATEGORIES, part)?);
        }
        return Some((all, folds));
    }
    let set = table(CATEGORIES, name).or_else(|| table(SCRIPTS, name))?;
    Some((set, folds))
}

fn table(tables: &[(&str, &[(u32, u32)])], name: &str) -> Option<CharSet> {
    let (_, ranges) = tables.iter().find(|(key, _)| *key == name)?;
    Some(CharSet::from_ranges(ranges.to_vec()))
}

/// One capital, then small letters, without `_`, `-` and blanks.
fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        out.push(if out.is_empty() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        });
    }
    out
}

/// The next code point of the orbit `c` is in; `c` itself if it folds to nothing else.
pub(super) fn simple_fold(c: u32) -> u32 {
    let end = FOLDS.partition_point(|&(first, ..)| first <= c);
    for &(first, last, step, distance) in FOLDS[..end].iter().rev().take(2) {
        if c <= last && (c - first).is_multiple_of(step) {
            return c.wrapping_add_signed(distance);
        }
    }
    c
}

/// Everything that folds to `c`, without `c`.
pub(super) fn orbit(c: u32) -> impl Iterator<Item = u32> {
    let mut at = c;
    std::iter::from_fn(move || {
        at = simple_fold(at);
        (at != c).then_some(at)
    })
}

/// Calls `f` for each code point from `lo` to `hi` that folds to another.
pub(super) fn for_each_folding(lo: u32, hi: u32, mut f: impl FnMut(u32)) {
    for &(first, last, step, _) in FOLDS {
        if first > hi {
            break;
        }
        if last < lo {
            continue;
        }
        let skipped = lo.saturating_sub(first).div_ceil(step);
        let mut c = first + skipped * step;
        while c <= last.min(hi) {
            f(c);
            c += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_dress() {
        for name in [
            "Greek",
            "greek",
            " G_r-eek",
            "Lu",
            "lu",
            "L",
            "letter",
            "Uppercase_Letter",
            "uppercase letter",
            "LC",
            "lc",
            "any",
            "ASCII",
            "Assigned",
            "cn",
        ] {
            assert!(class(name, false).is_some(), "{name}");
        }
        for name in [
            "",
            "Latn",
            "Alphabetic",
            "Emoji",
            "space",
            "IsGreek",
            "Old_Italic",
            "SignWriting",
            "é",
        ] {
            assert!(class(name, false).is_none(), "{name}");
        }
    }

    #[test]
    fn orbits_are_cycles() {
        for c in 0..=MAX {
            assert!(orbit(c).take(5).count() < 5, "{c:x}");
        }
        assert_eq!(orbit('s' as u32).collect::<Vec<_>>(), [0x17F, 0x53]);
    }
}
