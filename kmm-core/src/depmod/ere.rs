//! POSIX extended regular expressions, in which `depmod.d` names kernels.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// Whether a kernel version matches a pattern of `depmod.d`: `*` alone is every kernel, a pattern that is none
/// matches none.
pub(crate) fn matches(pattern: &str, kernel: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let settings = syntax::Config::new()
        .unicode(false)
        .utf8(false)
        .dot_matches_new_line(true);
    let regex = translate(pattern).and_then(|text| Regex::builder().syntax(settings).build(&text).ok());
    regex.is_some_and(|regex| regex.is_match(kernel))
}

/// The same expression as the regex crate writes it; `None` where it is none.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    // Where the last atom starts, if there is one to be repeated, and whether it is repeated already.
    let mut atom: Option<usize> = None;
    let mut repeated = false;
    let mut open: Vec<usize> = Vec::new();
    while let Some(c) = chars.next() {
        let start = out.len();
        match c {
            '(' => {
                out.push_str("(?:");
                open.push(start);
                atom = None;
                continue;
            }
            ')' if !open.is_empty() => {
                out.push(')');
                atom = open.pop();
                repeated = false;
                continue;
            }
            '|' | '^' | '$' => {
                out.push(c);
                atom = None;
                continue;
            }
            '*' | '+' | '?' | '{' => {
                let from = atom?;
                if repeated {
                    // `a+?` is `(a+)?` here, not a lazy `a+`.
                    out.insert_str(from, "(?:");
                    out.push(')');
                }
                out.push(c);
                if c == '{' {
                    loop {
                        let c = chars
                            .next()
                            .filter(|c| c.is_ascii_digit() || matches!(c, ',' | '}'))?;
                        out.push(c);
                        if c == '}' {
                            break;
                        }
                    }
                }
                repeated = true;
                continue;
            }
            '.' => out.push('.'),
            '[' => bracket(&mut chars, &mut out)?,
            '\\' => match chars.next()? {
                class @ ('w' | 'W' | 's' | 'S') => out.extend(['\\', class]),
                '0'..='9' => return None,
                literal => escape(literal, &mut out),
            },
            literal => escape(literal, &mut out),
        }
        atom = Some(start);
        repeated = false;
    }
    open.is_empty().then_some(out)
}

/// A bracket expression: `\` is itself in it, and `]` as well where it comes first.
fn bracket(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if chars.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    loop {
        match chars.next()? {
            ']' => break,
            '[' if chars.next_if_eq(&':').is_some() => {
                out.push_str("[:");
                loop {
                    match chars.next()? {
                        ':' => break,
                        c => out.push(c),
                    }
                }
                chars.next_if_eq(&']')?;
                out.push_str(":]");
            }
            '-' => match chars.peek()? {
                // Last, it is itself.
                ']' => out.push_str("\\-"),
                _ => out.push('-'),
            },
            literal => escape(literal, out),
        }
    }
    out.push(']');
    Some(())
}

fn escape(c: char, out: &mut String) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_posix_ones() {
        for (pattern, kernel, expected) in [
            ("*", "6.1.0", true),
            ("6.1.*", "6.1.0-56-amd64", true),
            ("^6\\.1\\.", "6x1.0", false),
            ("[0-9]+\\.12\\..*deb", "6.12.117+deb12", true),
            ("[[:digit:]]{1,2}-amd64$", "6.1.0-56-amd64", true),
            ("a+?b", "b", true),
            ("*6", "6", false),
            ("(6", "6", false),
            ("6)", "6)", true),
            ("[]6]", "]", true),
            ("[\\d]", "d", true),
            ("\\d", "6", false),
            ("6.1.0-56-amd64|x", "x", true),
        ] {
            assert_eq!(matches(pattern, kernel), expected, "{pattern} on {kernel}");
        }
    }
}
