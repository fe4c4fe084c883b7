//! Words of instructions and of shell commands, with their places.

use std::ops::Range;

/// A word, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word without quotes; variables are left as they are.
    pub text: String,
    /// Bytes of the Dockerfile.
    pub span: Range<usize>,
}

/// Splits at blanks outside quotes; ranges are those of `text`. A variable with a blank after its `$` stays in one word.
pub(super) fn split(text: &str, from: usize, escape: char) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut start = None;
    let mut quote = None;
    let mut at = from;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let here = at;
        at += c.len_utf8();
        if quote.is_none() && c.is_whitespace() {
            if let Some(start) = start.take() {
                words.push((std::mem::take(&mut word), start..here));
            }
            continue;
        }
        start = start.or(Some(here));
        if c == '$' && quote.is_none() {
            let length = spaced(&text[here..]).unwrap_or(1);
            word.push_str(&text[here..here + length]);
            at = here + length;
        } else if c == escape && quote != Some('\'') {
            match text[at..].chars().next() {
                Some(next) if next == '$' => {
                    word.push(c);
                    word.push(next);
                    at += 1;
                }
                Some(next) => {
                    word.push(next);
                    at += next.len_utf8();
                }
                None => word.push(c),
            }
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && (c == '"' || c == '\'') {
            quote = Some(c);
        } else {
            word.push(c);
        }
    }
    if let Some(start) = start {
        words.push((word, start..text.len()));
    }
    words
}

/// The length of `$ {NAME}` at the start of a text: a variable that a blank tears apart.
pub(super) fn spaced(text: &str) -> Option<usize> {
    let after = text.strip_prefix('$')?;
    let inner = after.trim_start_matches([' ', '\t']);
    if inner.len() == after.len() {
        return None;
    }
    let name = inner.strip_prefix('{')?;
    let length = name_length(name);
    (length > 0 && name[length..].starts_with('}')).then(|| text.len() - name.len() + length + 1)
}

/// The length of the name at the start of a text.
pub(super) fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    text.bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .count()
}

/// The strings of a JSON array (the exec form); `None` where the text is none. Ranges hold the quotes.
pub(super) fn array(text: &str, from: usize) -> Option<Vec<(String, Range<usize>)>> {
    let body = text.get(from..)?;
    let skipped = body.len() - body.trim_start().len();
    if !body.trim_start().starts_with('[') {
        return None;
    }
    let values: Vec<String> = serde_json::from_str(body.trim()).ok()?;
    let mut ranges = Vec::new();
    let mut open = None;
    let mut escaped = false;
    for (offset, byte) in body.bytes().enumerate().skip(skipped) {
        match (open, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(start), b'"') => {
                ranges.push(from + start..from + offset + 1);
                open = None;
            }
            (None, b'"') => open = Some(offset),
            _ => {}
        }
    }
    (ranges.len() == values.len()).then(|| values.into_iter().zip(ranges).collect())
}
