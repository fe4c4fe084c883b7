//! Taking a line apart: what stands before the message, and patterns with holes.

/// The most bytes of a line that are looked at.
pub(super) const LONGEST: usize = 4096;

/// A line without level, time, host and program in front of it.
pub(super) fn message(line: &str) -> &str {
    let mut rest = cut(line).trim();
    loop {
        let before = rest;
        rest = without_bracket(rest, '<', '>');
        rest = without_time(rest);
        rest = rest.split_once(" kernel: ").map_or(rest, |(_, rest)| rest);
        for program in [
            "modprobe: ",
            "insmod: ",
            "rmmod: ",
            "depmod: ",
            "lsmod: ",
            "ERROR: ",
            "FATAL: ",
            "WARNING: ",
            "INFO: ",
            "kernel: ",
        ] {
            rest = rest.strip_prefix(program).unwrap_or(rest);
        }
        rest = rest.trim();
        if rest.len() == before.len() {
            return rest;
        }
    }
}

/// `line`, [`LONGEST`] bytes of it at the most.
fn cut(line: &str) -> &str {
    line.get(..line.floor_char_boundary(LONGEST)).unwrap_or(line)
}

/// `<4>` of the kernel's ring.
fn without_bracket(text: &str, open: char, close: char) -> &str {
    let inner = text.strip_prefix(open).and_then(|rest| rest.split_once(close));
    match inner {
        Some((digits, rest)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            rest
        }
        Some(_) | None => text,
    }
}

/// `[   12.345678]`, with `[   T123]` (the caller) behind it where the kernel adds that; `[Mon Jan  1 00:00:00 2024]`.
fn without_time(text: &str) -> &str {
    let Some((inner, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return text;
    };
    let inner = inner.trim();
    let caller = inner.strip_prefix(['T', 'C']).unwrap_or(inner);
    let time = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b' ');
    let date = |text: &str| text.split_ascii_whitespace().count() == 5 && text.contains(':');
    if !caller.is_empty() && (caller.bytes().all(time) || date(inner)) {
        rest.trim_start()
    } else {
        text
    }
}

/// What the holes of a pattern stand for, in the order of the pattern.
pub(super) type Holes<'a> = Vec<(&'static str, &'a str)>;

/// Holds `text` to a pattern: literal text with `{holes}`. Every hole takes at least one byte, and as few as the
/// literal behind it allows; the last takes the rest. The pattern must take all of the text, but for `…` at its end.
pub(super) fn fit<'a>(pattern: &'static str, text: &'a str) -> Option<Holes<'a>> {
    let open = pattern.ends_with('…');
    let mut pattern = pattern.strip_suffix('…').unwrap_or(pattern);
    let mut text = text;
    let mut holes = Holes::new();
    loop {
        let (literal, after) = pattern.split_once('{').unwrap_or((pattern, ""));
        text = text.strip_prefix(literal)?;
        if literal.len() == pattern.len() {
            return (open || text.is_empty()).then_some(holes);
        }
        let (name, behind) = after.split_once('}')?;
        let next = behind.split_once('{').map_or(behind, |(literal, _)| literal);
        let length = if !next.is_empty() {
            let first = text.chars().next()?.len_utf8();
            first + text.get(first..)?.find(next)?
        } else if open {
            // A name: up to the blank or the punctuation behind it.
            text.find(|c: char| c.is_whitespace() || matches!(c, ':' | ','))
                .unwrap_or(text.len())
        } else {
            text.len()
        };
        let (value, rest) = text.split_at_checked(length)?;
        if value.is_empty() || (ONE_WORD.contains(&name) && value.contains(char::is_whitespace)) {
            return None;
        }
        holes.push((name, value));
        (pattern, text) = (behind, rest);
    }
}

/// Holes that stand for a name, which has no blanks.
const ONE_WORD: [&str; 6] = ["module", "symbol", "parameter", "other", "errno", "namespace"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_front_is_dropped() {
        for line in [
            "a: b",
            "[   12.345678] a: b",
            "<4>[   12.345678] a: b",
            "[   12.345678][  T123] a: b",
            "[Mon Jan  1 00:00:00 2024] a: b",
            "Jan  1 00:00:00 node-1 kernel: a: b",
            "Jan  1 00:00:00 node-1 kernel: [   12.345678] a: b",
            "modprobe: ERROR: a: b",
            "modprobe: FATAL: a: b",
        ] {
            assert_eq!(message(line), "a: b", "{line}");
        }
        assert_eq!(message("[drm] a: b"), "[drm] a: b");
        assert_eq!(message(&"é".repeat(LONGEST)).len(), LONGEST);
    }

    #[test]
    fn patterns() {
        let holes = fit(
            "{module}: Unknown symbol {symbol} (err {errno})",
            "a: Unknown symbol b_c (err -2)",
        );
        assert_eq!(
            holes,
            Some(vec![("module", "a"), ("symbol", "b_c"), ("errno", "-2")])
        );
        assert_eq!(fit("{module}: x", "a b: x"), None);
        assert_eq!(fit("x {rest}", "x "), None);
        assert_eq!(fit("x {rest}", "x y z"), Some(vec![("rest", "y z")]));
        assert_eq!(fit("x…", "xyz"), Some(vec![]));
        assert_eq!(fit("x", "xyz"), None);
    }
}
