//! Words of a POSIX shell: quoting them, and reading them back.

use std::borrow::Cow;

use thiserror::Error;

/// Why a line is not one command of plain words. `at` counts bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShellError {
    /// There is no word.
    #[error("there is no command")]
    Empty,
    /// A quote is opened and never closed, or a backslash stands at the very end.
    #[error("quote at byte {at} is not closed")]
    Unclosed {
        /// Where the quote or the backslash stands.
        at: usize,
    },
    /// A shell would not take this character as it is.
    #[error("`{character}` at byte {at} means something to a shell: put the word in single quotes")]
    Special {
        /// Which character.
        character: char,
        /// Where it stands.
        at: usize,
    },
    /// A shell takes the first word for a keyword or for the assignment of a variable.
    #[error("`{word}` is no program to a shell: put it in quotes")]
    NoProgram {
        /// The first word.
        word: String,
    },
    /// A NUL character, which no argument can hold.
    #[error("NUL character at byte {at}: no argument can hold one")]
    Nul {
        /// Where it stands.
        at: usize,
    },
}

/// The keywords of POSIX, and those of the shells in use.
const KEYWORDS: &[&str] = &[
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if",
    "in", "select", "then", "time", "until", "while", "{", "}",
];

/// `word` as an argument: as it is where a shell takes it as it is, else in single quotes.
pub(super) fn quote(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=:,./@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// `word` as the first word of a command.
pub(super) fn quote_program(word: &str) -> Cow<'_, str> {
    if word.contains('=') || KEYWORDS.contains(&word) {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    } else {
        quote(word)
    }
}

/// `word` in double quotes, whether it needs them or not.
pub(super) fn quote_double(word: &str) -> String {
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('"');
    for c in word.chars() {
        if matches!(c, '$' | '`' | '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// The words of a line, which must be one command.
pub(super) fn words(line: &str) -> Result<Vec<String>, ShellError> {
    if let Some(at) = line.find('\0') {
        return Err(ShellError::Nul { at });
    }
    let mut reader = Reader { line, at: 0 };
    let mut words = Vec::new();
    reader.skip_blanks();
    while reader.at < line.len() {
        let start = reader.at;
        let word = reader.word()?;
        let raw = line.get(start..reader.at).unwrap_or_default();
        if words.is_empty() && (KEYWORDS.contains(&raw) || is_assignment(raw)) {
            return Err(ShellError::NoProgram { word: raw.to_owned() });
        }
        words.push(word);
        reader.skip_blanks();
    }
    Ok(words)
}

fn is_assignment(raw: &str) -> bool {
    let Some((name, _)) = raw.split_once('=') else {
        return false;
    };
    // `NAME+=value` appends in bash.
    let name = name.strip_suffix('+').unwrap_or(name);
    name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

struct Reader<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
            if self.at_last_line_break() {
                self.at = self.line.len();
            }
            if !self.rest().starts_with("\\\n") {
                return;
            }
            self.at += 2;
        }
    }

    /// A line break ends the command, so nothing may follow it.
    fn at_last_line_break(&self) -> bool {
        self.rest().starts_with('\n') && self.rest().trim_start_matches([' ', '\t', '\n']).is_empty()
    }

    fn word(&mut self) -> Result<String, ShellError> {
        let mut word = String::new();
        let start = self.at;
        while let Some(c) = self.rest().chars().next() {
            let at = self.at;
            match c {
                ' ' | '\t' => break,
                '\n' if self.at_last_line_break() => break,
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                '\\' => self.backslash(&mut word)?,
                '#' | '~' if at == start => return Err(ShellError::Special { character: c, at }),
                '$' | '`' | '|' | '&' | ';' | '(' | ')' | '<' | '>' | '*' | '?' | '[' | ']' | '{' | '}'
                | '\n' => {
                    return Err(ShellError::Special { character: c, at });
                }
                _ => {
                    word.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        Ok(word)
    }

    fn single(&mut self, word: &mut String) -> Result<(), ShellError> {
        let inner = self.rest().get(1..).unwrap_or_default();
        let Some(end) = inner.find('\'') else {
            return Err(ShellError::Unclosed { at: self.at });
        };
        word.push_str(inner.get(..end).unwrap_or_default());
        self.at += end + 2;
        Ok(())
    }

    fn double(&mut self, word: &mut String) -> Result<(), ShellError> {
        let open = self.at;
        self.at += 1;
        let mut chars = self.rest().char_indices().peekable();
        while let Some((offset, c)) = chars.next() {
            let at = open + 1 + offset;
            match c {
                '"' => {
                    self.at = at + 1;
                    return Ok(());
                }
                '$' | '`' => return Err(ShellError::Special { character: c, at }),
                '\\' => match chars.next_if(|(_, next)| matches!(next, '$' | '`' | '"' | '\\' | '\n')) {
                    Some((_, '\n')) => {}
                    Some((_, escaped)) => word.push(escaped),
                    None => word.push('\\'),
                },
                _ => word.push(c),
            }
        }
        Err(ShellError::Unclosed { at: open })
    }

    fn backslash(&mut self, word: &mut String) -> Result<(), ShellError> {
        let Some(escaped) = self.rest().chars().nth(1) else {
            return Err(ShellError::Unclosed { at: self.at });
        };
        if escaped != '\n' {
            word.push(escaped);
        }
        self.at += 1 + escaped.len_utf8();
        Ok(())
    }
}
