//! The part of the grammar that people mean.

use super::letter::is_name_char;

/// Where the first `$` stands that begins none of `$NAME`, `${NAME}`, `${NAME:-text}`, `$$`.
pub(super) fn first_other_dollar(source: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += source.get(at..)?.find('$')?;
        match length_of_form(source.get(at..)?) {
            Some(length) => at += length,
            None => return Some(at),
        }
    }
}

/// The length of the form that `text` begins with.
fn length_of_form(text: &str) -> Option<usize> {
    if text.starts_with("$$") {
        return Some(2);
    }
    let Some(inner) = text.strip_prefix("${") else {
        return Some(1 + length_of_name(text.strip_prefix('$')?)?);
    };
    let name = length_of_name(inner)?;
    let after = inner.get(name..)?;
    let default = match after.strip_prefix(":-") {
        Some(default) => 2 + default.find(['$', '{', '}', '\n', '\r'])?,
        None => 0,
    };
    let close = after.get(default..)?.starts_with('}');
    close.then_some(2 + name + default + 1)
}

/// `_` alone is no name.
fn length_of_name(text: &str) -> Option<usize> {
    let length = text.find(|c| !is_name_char(c)).unwrap_or(text.len());
    (length > 0 && text.get(..length) != Some("_")).then_some(length)
}
