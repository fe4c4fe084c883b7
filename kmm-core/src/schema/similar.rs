//! Which field a mistyped one may have meant.

/// The fields nearest to a name.
pub(super) enum Closest<'a> {
    /// Nothing near.
    None,
    /// One, nearer than every other.
    One(&'a str),
    /// Several, equally near.
    Many(Vec<&'a str>),
}

/// The fields of `fields` that differ from `name` in case, separators or a slip of the keyboard.
pub(super) fn closest<'a>(name: &str, fields: impl Iterator<Item = &'a str>) -> Closest<'a> {
    let plain = simplify(name);
    // Long names differ in two letters and are still plainly meant; short ones do not.
    let reach = match plain.len() {
        0..=3 => 0,
        4..=6 => 1,
        _ => 2,
    };
    let mut best = reach + 1;
    let mut found: Vec<&str> = Vec::new();
    for field in fields {
        let distance = distance(&plain, &simplify(field));
        if distance < best {
            best = distance;
            found.clear();
        }
        if distance == best && distance <= reach {
            found.push(field);
        }
    }
    match found[..] {
        [] => Closest::None,
        [field] => Closest::One(field),
        _ => Closest::Many(found),
    }
}

fn simplify(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
    // More letters than any field has make no difference to the answer, only to the time it takes.
    letters.flat_map(char::to_lowercase).take(64).collect()
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str) -> Option<&'static str> {
        let fields = [
            "selector",
            "moduleLoader",
            "modprobe",
            "load",
            "unload",
            "args",
            "rawArgs",
            "name",
        ];
        match closest(name, fields.into_iter()) {
            Closest::One(field) => Some(field),
            Closest::None | Closest::Many(_) => None,
        }
    }

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        assert_eq!(one("selectr"), Some("selector"));
        assert_eq!(one("module_loader"), Some("moduleLoader"));
        assert_eq!(one("moduleloadre"), Some("moduleLoader"));
        assert_eq!(one("modprobes"), Some("modprobe"));
        assert_eq!(one("Load"), Some("load"));
        assert_eq!(one("replicas"), None);
        assert_eq!(one("arg"), None);
        assert_eq!(one(""), None);
    }
}
