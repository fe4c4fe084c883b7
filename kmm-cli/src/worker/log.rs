//! The log: one line for each step, as `key=value` pairs on standard error.
//!
//! There is no time in them: whoever collects them adds it.

use std::fmt::Write as _;
use std::io::Write as _;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What was done.
    Info,
    /// What is not as it should be.
    Warning,
    /// Why it ended.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Writes a line.
pub fn line(level: Level, step: &str, message: &str, fields: &[(&str, &str)]) {
    let text = text(level, step, message, fields);
    // A log that cannot be written keeps nothing from being done.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn text(level: Level, step: &str, message: &str, fields: &[(&str, &str)]) -> String {
    let mut out = format!(
        "level={} step={} message={}",
        level.name(),
        value(step),
        value(message)
    );
    for (key, text) in fields {
        let _ = write!(out, " {key}={}", value(text));
    }
    out.push('\n');
    out
}

/// A value as it is where it is one plain word, else quoted as JSON quotes.
fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    // A text can always be quoted. What a terminal would obey is escaped too.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let mut out = String::with_capacity(quoted.len());
    for c in quoted.chars() {
        if c.is_control() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_where_they_need_it() {
        let fields = [
            ("module", "nic"),
            ("argv", "modprobe -v \"x\"\u{1b}[1m\u{9b}"),
            ("none", ""),
        ];
        assert_eq!(
            text(Level::Info, "modprobe", "done", &fields),
            "level=info step=modprobe message=done module=nic \
             argv=\"modprobe -v \\\"x\\\"\\u001b[1m\\u009b\" none=\"\"\n"
        );
    }
}
