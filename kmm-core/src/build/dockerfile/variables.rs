//! Uses of variables: `$NAME`, `${NAME}`, and what was meant as one.

use std::ops::Range;

use super::words;

/// How a variable is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `$NAME`.
    Bare,
    /// `${NAME}`.
    Braced,
    /// `${NAME:-text}` and the like: absence is thought of.
    Guarded,
    /// `$ {NAME}`: no variable at all.
    Spaced,
    /// `$(NAME)`: a command of that name, in a shell.
    Parenthesised,
}

/// A use of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Its name.
    pub name: String,
    /// How it is written.
    pub form: Form,
    /// Bytes of the Dockerfile.
    pub span: Range<usize>,
    /// Which instruction.
    pub instruction: usize,
}

/// The uses in a text, with ranges of that text; single quotes and escapes hide a `$`.
pub(super) fn scan(text: &str, escape: char, quotes: bool) -> Vec<(String, Form, Range<usize>)> {
    let mut found = Vec::new();
    let mut single = false;
    let mut double = false;
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let here = at;
        at += c.len_utf8();
        match c {
            '\'' if quotes && !double => single = !single,
            '"' if quotes && !single => double = !double,
            _ if c == escape && !single => {
                at += text[at..].chars().next().map_or(0, char::len_utf8);
            }
            '$' if !single => {
                let rest = &text[here..];
                if let Some((name, form, length)) = one(rest) {
                    found.push((name, form, here..here + length));
                    // The default of a guarded one may hold further ones.
                    at = match form {
                        Form::Guarded => here + 2,
                        Form::Bare | Form::Braced | Form::Spaced | Form::Parenthesised => here + length,
                    };
                } else if rest[1..].starts_with('$') {
                    at += 1;
                }
            }
            _ => {}
        }
    }
    found
}

fn one(text: &str) -> Option<(String, Form, usize)> {
    let rest = text.strip_prefix('$')?;
    if let Some(inner) = rest.strip_prefix('{') {
        let length = words::name_length(inner);
        let name = inner[..length].to_owned();
        let after = &inner[length..];
        return match after.chars().next() {
            _ if length == 0 => None,
            Some('}') => Some((name, Form::Braced, length + 3)),
            Some(_) => {
                let close = after.find('}').map_or(after.len(), |close| close + 1);
                Some((name, Form::Guarded, 2 + length + close))
            }
            None => None,
        };
    }
    if let Some(inner) = rest.strip_prefix('(') {
        let length = words::name_length(inner);
        let upper = inner[..length].bytes().all(|b| !b.is_ascii_lowercase());
        return (length > 1 && upper && inner[length..].starts_with(')'))
            .then(|| (inner[..length].to_owned(), Form::Parenthesised, length + 3));
    }
    if let Some(length) = words::spaced(text) {
        let open = text.find('{')?;
        return Some((text[open + 1..length - 1].to_owned(), Form::Spaced, length));
    }
    let length = words::name_length(rest);
    (length > 0).then(|| (rest[..length].to_owned(), Form::Bare, length + 1))
}
