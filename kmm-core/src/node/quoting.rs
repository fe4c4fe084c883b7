//! Words for a shell, scalars for YAML, literals for a regexp.

use crate::pattern::escape;

/// The word as a POSIX shell takes it: bare where that is safe, else in single quotes.
pub(super) fn shell(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The text as a YAML string: bare where it can be nothing else, else in quotes.
pub(super) fn yaml(text: &str) -> String {
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if bare && !is_yaml_word(text) {
        return text.to_owned();
    }
    if text.chars().any(char::is_control) {
        return serde_json::Value::from(text).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// A regexp for exactly this text.
pub(super) fn anchored(text: &str) -> String {
    format!("^{}$", escape(text))
}

/// Words that some YAML reader takes for a truth value or null.
fn is_yaml_word(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_words_are_quoted() {
        assert_eq!(shell("kmm.node/x=1"), "kmm.node/x=1");
        assert_eq!(shell("a b"), "'a b'");
        assert_eq!(shell("it's"), r"'it'\''s'");
        assert_eq!(shell(""), "''");
        assert_eq!(yaml("NoSchedule"), "NoSchedule");
        assert_eq!(yaml("6.10"), "'6.10'");
        assert_eq!(yaml("True"), "'True'");
        assert_eq!(yaml("it's"), "'it''s'");
        assert_eq!(yaml("a\nb"), r#""a\nb""#);
        assert_eq!(anchored("6.1.0+rt"), r"^6\.1\.0\+rt$");
    }
}
