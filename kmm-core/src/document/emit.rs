//! Writing strings so that they are read back as the same strings.

use super::Scalar;
use super::decode::Form;
use super::resolve_scalar;
use super::scalar;

/// Writes `text` as `form`, or as the next one that can hold it. `flow`: inside brackets.
pub(crate) fn string(text: &str, form: Form, flow: bool) -> String {
    let form = match form {
        Form::Plain if is_plain(text, flow) => return text.to_owned(),
        // Backslashes and quotes stand as they are in single quotes.
        Form::Plain if text.contains(['\\', '"']) => Form::Single,
        Form::Literal | Form::Folded if text.contains('\\') => Form::Single,
        other => other,
    };
    if form == Form::Single && is_single(text) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    format!("\"{}\"", escaped(text))
}

/// Whether `text` without quotes is read as this string.
pub(crate) fn is_plain(text: &str, flow: bool) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let starts = first.is_alphanumeric() || matches!(first, '_' | '/' | '$' | '^' | '(' | '\\' | '+' | '.');
    let inside = |c: char| {
        c.is_alphanumeric()
            || (' '..='~').contains(&c) && !(flow && matches!(c, ',' | '[' | ']' | '{' | '}' | ':'))
    };
    let sexagesimal = first.is_ascii_digit() && text.contains(':');
    starts
        && text.chars().all(inside)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && !sexagesimal
        && !scalar::is_date(text)
        && resolve_scalar(text) == Scalar::String
}

/// Whether single quotes can hold `text`.
pub(crate) fn is_single(text: &str) -> bool {
    text.chars().all(is_printable)
}

/// `text` for double quotes, in the escapes that YAML and JSON share.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04x}", c as u32)),
        }
    }
    out
}

/// Writes `text` as a literal block whose lines are indented by `indent`; `None` where none can hold it.
pub(crate) fn literal(text: &str, indent: usize, newline: &str) -> Option<String> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let holds = !body.is_empty()
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\n', '\t'])
        && body.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
        && body
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty());
    if !holds || indent == 0 {
        return None;
    }
    let mut out = String::from(if text.ends_with('\n') { "|" } else { "|-" });
    for line in body.split('\n') {
        out.push_str(newline);
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent));
            out.push_str(line);
        }
    }
    Some(out)
}

/// Characters that stand for themselves in every reader.
fn is_printable(c: char) -> bool {
    let odd = matches!(
        c,
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    );
    c >= ' ' && !odd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for (text, expected) in [
            ("5.10", "\"5.10\""),
            ("5.14.0-1.el9", "5.14.0-1.el9"),
            ("yes", "\"yes\""),
            ("", "\"\""),
            (r"^5\.14\.", r"^5\.14\."),
            (r"a: \.", r"'a: \.'"),
            ("${KERNEL}", "${KERNEL}"),
            ("- a", "\"- a\""),
            ("2001-01-01", "\"2001-01-01\""),
            ("a\u{7}\n", "\"a\\u0007\\n\""),
        ] {
            assert_eq!(string(text, Form::Plain, false), expected);
        }
        assert_eq!(string("a:b", Form::Plain, true), "\"a:b\"");
    }
}
