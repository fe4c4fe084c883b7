//! From characters to tokens.
//!
//! Characters taken since the last token are *pending*; every token takes all that is pending, so tokens follow each
//! other without gaps.

use std::ops::Range;

use super::letter::is_name_char;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Characters that stand for themselves.
    Text,
    /// `$$`, which stands for `$`.
    Escape,
    /// A name, with the `$` before it if there is one, and with what was pending.
    Name,
    /// `${`.
    Open,
    /// `}`, with what was pending before it.
    Close,
    /// `-`, `=`, `+`, or one of them after a colon.
    Operator,
    /// The end or a line break stands where only a `}` could; the last token.
    Unclosed,
}

/// Bytes of the source and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    Name,
    Operator,
    Default,
    Done,
}

/// Gives the tokens of a template, each character looked at once.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    source: &'a str,
    state: State,
    /// The first byte that no token has.
    start: usize,
    /// The first byte that was not taken; bytes from `start` to here are pending.
    at: usize,
    /// Opens minus closes.
    depth: usize,
    /// Where the last token starts.
    last: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            state: State::Text,
            start: 0,
            at: 0,
            depth: 0,
            last: 0,
        }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn pending(&self) -> &'a str {
        self.source.get(self.start..self.at).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Whether the last token starts, in the source, at a `${`. Besides the open token a name or a text can:
    /// in `${N:-${A}` the second `$` alone is a name.
    fn at_open(&self) -> bool {
        self.source
            .get(self.last..)
            .is_some_and(|text| text.starts_with("${"))
    }

    fn token(&mut self, kind: Kind, next: State) -> Token {
        let span = self.start..self.at;
        self.last = self.start;
        self.start = self.at;
        self.state = next;
        Token { kind, span }
    }

    fn close(&mut self) -> Token {
        self.depth = self.depth.saturating_sub(1);
        self.token(Kind::Close, State::Text)
    }

    fn text(&mut self) -> Option<Token> {
        loop {
            let Some(skip) = self.rest().find('$') else {
                self.at = self.source.len();
                let more = self.start < self.at;
                let token = self.token(Kind::Text, State::Done);
                return more.then_some(token);
            };
            self.at += skip;
            let (kind, length, next) = match self.rest().chars().nth(1) {
                Some('$') => (Kind::Escape, 2, State::Text),
                Some('{') => (Kind::Open, 2, State::Operator),
                Some(c) if is_name_char(c) => (Kind::Name, 1, State::Name),
                Some(_) | None => {
                    self.at += 1;
                    continue;
                }
            };
            if self.start < self.at {
                return Some(self.token(Kind::Text, State::Text));
            }
            self.at += length;
            if kind == Kind::Name {
                self.state = next;
                return None;
            }
            self.depth += usize::from(kind == Kind::Open);
            return Some(self.token(kind, next));
        }
    }

    fn name(&mut self) -> Option<Token> {
        let rest = self.rest();
        self.at += rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        if matches!(self.pending(), "_" | "$_") {
            self.state = State::Text;
            return None;
        }
        let next = if self.depth > 0 {
            State::Operator
        } else {
            State::Text
        };
        Some(self.token(Kind::Name, next))
    }

    fn operator(&mut self) -> Option<Token> {
        let Some(next) = self.peek().filter(|c| !is_line_break(*c)) else {
            return Some(self.token(Kind::Unclosed, State::Done));
        };
        if is_name_char(next) && self.at_open() {
            self.state = State::Name;
            return None;
        }
        self.take();
        match next {
            '}' => return Some(self.close()),
            '+' | '-' | '=' => return Some(self.token(Kind::Operator, State::Default)),
            ':' if matches!(self.take(), Some('-' | '=' | '+')) => {
                return Some(self.token(Kind::Operator, State::Default));
            }
            _ => {}
        }
        self.state = State::Default;
        None
    }

    fn default(&mut self) -> Option<Token> {
        let Some(next) = self.peek().filter(|c| !is_line_break(*c)) else {
            return Some(self.token(Kind::Unclosed, State::Done));
        };
        if next == '$' || (is_name_char(next) && self.at_open()) {
            self.take();
            self.state = State::Name;
            return None;
        }
        self.take();
        Some(match next {
            '}' => self.close(),
            _ => self.token(Kind::Text, State::Default),
        })
    }
}

impl Iterator for Scanner<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let token = match self.state {
                State::Text => self.text(),
                State::Name => self.name(),
                State::Operator => self.operator(),
                State::Default => self.default(),
                State::Done => return None,
            };
            if token.is_some() {
                return token;
            }
        }
    }
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r')
}
