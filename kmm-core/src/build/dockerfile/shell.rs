//! Shell commands as far as needed: which words stand in one command, and which names are assigned.

use std::ops::Range;

use super::words;

/// One simple command: its words, without leading assignments and shell keywords.
pub(super) type Command = Vec<(String, Range<usize>)>;

/// The simple commands of a script; ranges are those of `text`.
pub(super) fn commands(text: &str, escape: char) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut start = 0;
    let mut quote = None;
    let mut at = 0;
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let byte = bytes[at];
        let length = match (quote, byte) {
            (None | Some(b'"'), _) if char::from(byte) == escape => {
                at += 1 + text
                    .get(at + 1..)
                    .and_then(|rest| rest.chars().next())
                    .map_or(0, char::len_utf8);
                continue;
            }
            (Some(open), _) => {
                if byte == open {
                    quote = None;
                }
                0
            }
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                0
            }
            (None, b'$') if bytes.get(at + 1) == Some(&b'{') => {
                // The braces of a variable are no braces of a group.
                at += text[at..].find('}').map_or(2, |close| close + 1);
                continue;
            }
            (None, b'$') => words::spaced(&text[at..]).map_or(0, |length| {
                at += length - 1;
                0
            }),
            (None, b'&' | b'|') if bytes.get(at + 1) == Some(&byte) => 2,
            (None, b'&' | b'|' | b';' | b'\n' | b'(' | b')' | b'`') => 1,
            (None, b'#') if at == 0 || bytes[at - 1].is_ascii_whitespace() => {
                push(&mut commands, text, start..at, escape);
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                start = at;
                continue;
            }
            _ => 0,
        };
        if length > 0 {
            push(&mut commands, text, start..at, escape);
            start = at + length;
        }
        at += length.max(1);
    }
    push(&mut commands, text, start..text.len(), escape);
    commands
}

/// Whether the script gives `name` a value itself.
pub(super) fn assigns(text: &str, name: &str) -> bool {
    let boundary = |c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | '{' | '"' | '\'' | '`');
    text.match_indices(name).any(|(at, _)| {
        let before = &text[..at];
        let after = &text[at + name.len()..];
        let starts = before.is_empty() || before.ends_with(boundary);
        let word = before.split_whitespace().next_back().unwrap_or_default();
        let ends = after.is_empty() || after.starts_with(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        starts && (after.starts_with('=') || ends && matches!(word, "for" | "read" | "-r" | "getopts"))
    })
}

fn push(commands: &mut Vec<Command>, text: &str, range: Range<usize>, escape: char) {
    let words = words::split(&text[..range.end], range.start, escape);
    let keyword = |word: &str| {
        let assignment = words::name_length(word);
        assignment > 0 && word[assignment..].starts_with('=')
            || matches!(
                word,
                "if" | "then"
                    | "else"
                    | "elif"
                    | "while"
                    | "until"
                    | "do"
                    | "!"
                    | "{"
                    | "exec"
                    | "sudo"
                    | "env"
                    | "time"
            )
    };
    let command: Command = words.into_iter().skip_while(|(word, _)| keyword(word)).collect();
    if !command.is_empty() {
        commands.push(command);
    }
}
