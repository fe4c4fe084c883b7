//! Globs as Go's `path.Match` knows them, for the labels of host names.

/// Whether a glob (`*`, `?`, `[a-z]`, `[^a-z]`, `\x`) matches a whole text. A malformed glob matches nothing.
pub(super) fn matches(glob: &str, text: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let Some(parts) = parse(&glob) else {
        return false;
    };
    let text: Vec<char> = text.chars().collect();
    // The place to return to: the last star, and how much it has taken so far.
    let mut back: Option<(usize, usize)> = None;
    let (mut part, mut place) = (0, 0);
    while place < text.len() {
        match parts.get(part) {
            Some(Part::Star) => {
                back = Some((part + 1, place));
                part += 1;
            }
            Some(one) if one.takes(text[place]) => {
                part += 1;
                place += 1;
            }
            _ => match back {
                Some((after, taken)) => {
                    back = Some((after, taken + 1));
                    (part, place) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|part| matches!(part, Part::Star))
}

enum Part {
    Star,
    Any,
    One(char),
    Class {
        inverted: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Part {
    fn takes(&self, letter: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => true,
            Self::One(one) => *one == letter,
            Self::Class { inverted, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != *inverted
            }
        }
    }
}

fn parse(glob: &[char]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = glob;
    while let [first, after @ ..] = rest {
        rest = after;
        parts.push(match first {
            '*' => Part::Star,
            '?' => Part::Any,
            '[' => class(&mut rest)?,
            '\\' => Part::One(take(&mut rest)?),
            other => Part::One(*other),
        });
    }
    Some(parts)
}

/// A class after its `[`, with its `]`.
fn class(rest: &mut &[char]) -> Option<Part> {
    let inverted = rest.first() == Some(&'^');
    if inverted {
        take(rest)?;
    }
    let mut ranges = Vec::new();
    loop {
        if rest.first() == Some(&']') && !ranges.is_empty() {
            take(rest)?;
            return Some(Part::Class { inverted, ranges });
        }
        let low = end(rest)?;
        let high = match rest.first() {
            Some('-') => {
                take(rest)?;
                end(rest)?
            }
            _ => low,
        };
        ranges.push((low, high));
    }
}

/// One end of a range.
fn end(rest: &mut &[char]) -> Option<char> {
    match take(rest)? {
        '-' | ']' => None,
        '\\' => take(rest),
        other => Some(other),
    }
}

fn take(rest: &mut &[char]) -> Option<char> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_match_as_in_go() {
        for (glob, text, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*", "", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a[a-c]d", "abd", true),
            ("a[^a-c]d", "abd", false),
            ("a[^a-c]d", "axd", true),
            ("[a-c1-3]x", "2x", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[", "[", false),
            ("[]a]", "]", false),
            ("[a", "a", false),
            ("[-]", "-", false),
            ("[\\-x]", "-", true),
            ("a\\", "a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn many_stars_end_soon() {
        assert!(!matches(&"*a".repeat(30), &"a".repeat(29)));
        assert!(!matches(&"a*".repeat(60), &format!("{}b", "ab".repeat(40))));
    }
}
