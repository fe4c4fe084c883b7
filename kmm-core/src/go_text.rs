//! Text as Go prints and cuts it: `%q`, `filepath.Clean`.
//!
//! The messages of the Go operator are part of its contract, so they are made the same way here.

use std::fmt::Write;

/// `text` in double quotes, as Go's `%q` and `strconv.Quote` write it.
///
/// Control characters and characters that Go does not print are escaped: by letter (`\n`), as `\x7f` below `U+0080`,
/// as `\u200b` or `\U0001f9ff` above.
///
/// # Example: a quoted path
///
/// ```
/// use kmm_core::go_text::quote;
///
/// assert_eq!(quote("/lib/\"x\"\n"), r#""/lib/\"x\"\n""#);
/// assert_eq!(quote("é\u{200b}"), "\"é\\u200b\"");
/// ```
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    out.push('"');
    out
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

fn push_escaped(out: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = match c {
        '"' | '\\' => write!(out, "\\{c}"),
        '\u{7}' => write!(out, "\\a"),
        '\u{8}' => write!(out, "\\b"),
        '\u{c}' => write!(out, "\\f"),
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        '\u{b}' => write!(out, "\\v"),
        ' '..='~' => write!(out, "{c}"),
        '\0'..='\u{1f}' | '\u{7f}' => write!(out, "\\x{:02x}", u32::from(c)),
        _ if is_print(c) => write!(out, "{c}"),
        '\u{80}'..='\u{ffff}' => write!(out, "\\u{:04x}", u32::from(c)),
        _ => write!(out, "\\U{:08x}", u32::from(c)),
    };
}

/// Whether Go prints `c`: letters, marks, numbers, punctuation, symbols, and the ASCII space.
fn is_print(c: char) -> bool {
    let code = u32::from(c);
    let (Ok(after) | Err(after)) = NOT_PRINTED
        .binary_search_by(|&(first, _)| first.cmp(&code))
        .map(|i| i + 1);
    after == 0 || NOT_PRINTED[after - 1].1 < code
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

include!("go_text/not_printed.rs");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_escapes_what_go_escapes() {
        for (text, quoted) in [
            ("", r#""""#),
            ("a\\b", r#""a\\b""#),
            (
                "\u{7}\u{8}\u{c}\n\r\t\u{b}\0\u{1b}\u{7f}",
                r#""\a\b\f\n\r\t\v\x00\x1b\x7f""#,
            ),
            ("\u{a0}\u{ad}\u{feff}\u{e000}", r#""\u00a0\u00ad\ufeff\ue000""#),
            ("é漢😀", "\"é漢😀\""),
            ("\u{10ffff}\u{e0001}", r#""\U0010ffff\U000e0001""#),
            ("\u{3000}\u{2028}", r#""\u3000\u2028""#),
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
}
