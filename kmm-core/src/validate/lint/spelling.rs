//! Which known name was most likely meant.

/// The known name that is at most two typing mistakes away; `None` where none is, or several are equally near.
pub(super) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match name.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    let mut best: Option<(usize, &str)> = None;
    let mut tied = false;
    for candidate in known {
        if candidate.eq_ignore_ascii_case(name) {
            return Some(candidate);
        }
        if candidate.len().abs_diff(name.len()) > limit {
            continue;
        }
        let distance = distance(name.as_bytes(), candidate.as_bytes());
        match best {
            Some((least, _)) if distance > least => {}
            Some((least, _)) if distance == least => tied = true,
            Some(_) | None => {
                tied = false;
                best = Some((distance, candidate));
            }
        }
    }
    best.filter(|(distance, _)| *distance <= limit && !tied)
        .map(|(_, name)| name)
}

/// How many bytes to insert, remove or replace.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = [
            "KERNEL_VERSION",
            "KERNEL_FULL_VERSION",
            "KERNEL_X",
            "KERNEL_Y",
            "MOD_NAME",
        ];
        let closest = |name| closest(name, known.into_iter());
        assert_eq!(closest("KERNEL_VERSON"), Some("KERNEL_VERSION"));
        assert_eq!(closest("kernel_full_version"), Some("KERNEL_FULL_VERSION"));
        assert_eq!(closest("KERNEL_W"), None);
        assert_eq!(closest("TAG"), None);
    }
}
