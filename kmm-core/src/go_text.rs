//! Text as Go prints and cuts it: `%q`, `filepath.Clean`, `filepath.Join`.
//!
//! The messages and command lines of the Go operator are part of its contract, so they are made the same way here.

mod not_printable;

use self::not_printable::NOT_PRINTABLE;

/// The text in double quotes, as Go's `%q` and `strconv.Quote` print it.
///
/// # Example: what is escaped
///
/// ```
/// use kmm_core::go_text::quote;
///
/// assert_eq!(quote("é \"x\"\t\u{1}\u{a0}"), r#""é \"x\"\t\x01\u00a0""#);
/// ```
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        push_escaped(&mut quoted, c);
    }
    quoted.push('"');
    quoted
}

/// `number` as Go's `%v` writes it: the shortest form, with an exponent from a million on and below 0.0001.
pub(crate) fn float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let parts = scientific.split_once('e');
    match parts.and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?))) {
        None | Some((_, -4..6)) => number.to_string(),
        Some((digits, exponent)) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
    }
}

fn push_escaped(quoted: &mut String, c: char) {
    let code = u32::from(c);
    match c {
        '"' => quoted.push_str("\\\""),
        '\\' => quoted.push_str("\\\\"),
        '\u{7}' => quoted.push_str("\\a"),
        '\u{8}' => quoted.push_str("\\b"),
        '\u{c}' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\u{b}' => quoted.push_str("\\v"),
        _ if code < 0x20 || code == 0x7f => quoted.push_str(&format!("\\x{code:02x}")),
        _ if is_printable(code) => quoted.push(c),
        _ if code <= 0xffff => quoted.push_str(&format!("\\u{code:04x}")),
        _ => quoted.push_str(&format!("\\U{code:08x}")),
    }
}

fn is_printable(code: u32) -> bool {
    let after = NOT_PRINTABLE.partition_point(|&(first, _)| first <= code);
    let before = after.checked_sub(1).and_then(|at| NOT_PRINTABLE.get(at));
    before.is_none_or(|&(_, last)| last < code)
}

/// The shortest path that names the same, as Go's `filepath.Clean` gives it on Linux: by text alone, without links.
///
/// # Example: dots go
///
/// ```
/// use kmm_core::go_text::clean_path;
///
/// assert_eq!(clean_path("/var/../etc//x/."), "/etc/x");
/// assert_eq!(clean_path(""), ".");
/// ```
pub fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// The parts of a path in one, cleaned, as Go's `filepath.Join` gives them on Linux; empty parts do not count.
///
/// # Example: the folder of an image as a worker sees it
///
/// ```
/// use kmm_core::go_text::join_path;
///
/// assert_eq!(join_path(&["/tmp", "/opt//kmods/../v1/"]), "/tmp/opt/v1");
/// assert_eq!(join_path(&["/tmp", "../x"]), "/x");
/// assert_eq!(join_path(&["", ""]), "");
/// ```
pub fn join_path(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        String::new()
    } else {
        clean_path(&parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_as_go_quotes_them() {
        for (text, quoted) in [
            ("", r#""""#),
            ("5.14.0-427.el9_4.x86_64+rt", r#""5.14.0-427.el9_4.x86_64+rt""#),
            (r"^.+\.fc37$", r#""^.+\\.fc37$""#),
            ("a\u{7}\u{8}\u{c}\n\r\t\u{b}", r#""a\a\b\f\n\r\t\v""#),
            ("\0\u{1f}\u{7f}", r#""\x00\x1f\x7f""#),
            ("\u{80}\u{ad}\u{200b}\u{feff}", r#""\u0080\u00ad\u200b\ufeff""#),
            ("\u{fffd}日本", "\"\u{fffd}日本\""),
            ("\u{e000}\u{10ffff}\u{1f600}", "\"\\ue000\\U0010ffff\u{1f600}\""),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn float_is_gos() {
        for (number, text) in [
            (1e5, "100000"),
            (123_456.5, "123456.5"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
            (1.5e300, "1.5e+300"),
            (0.0, "0"),
        ] {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn clean_path_is_gos() {
        for (path, clean) in [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("//", "/"),
            ("/..", "/"),
            ("/../a", "/a"),
            ("a/..", "."),
            ("../a/../..", "../.."),
            ("/a/b/../../..", "/"),
            ("a//b/./c/", "a/b/c"),
            ("dev", "dev"),
            (" /dev", " /dev"),
        ] {
            assert_eq!(clean_path(path), clean, "{path:?}");
        }
    }

    #[test]
    fn join_path_is_gos() {
        for (parts, joined) in [
            (&["/tmp", "/opt"][..], "/tmp/opt"),
            (&["/tmp", "opt"], "/tmp/opt"),
            (&["/tmp", "./opt"], "/tmp/opt"),
            (&["/tmp", "/opt/."], "/tmp/opt"),
            (&["/tmp", "/"], "/tmp"),
            (&["/tmp", ""], "/tmp"),
            (&["/tmp", "/a b"], "/tmp/a b"),
            (&["/tmp", "/.."], "/"),
            (&["/tmp", "/../../.."], "/"),
            (&["/tmp", "/opt//kmod/../x"], "/tmp/opt/x"),
            (&["", "/a"], "/a"),
            (&["a", "..", "..", "b"], "../b"),
            (&["a/.."], "."),
            (&["..", ".."], "../.."),
            (&["//a"], "/a"),
        ] {
            assert_eq!(join_path(parts), joined, "{parts:?}");
        }
    }
}
