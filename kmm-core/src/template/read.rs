//! From tokens to pieces.

use std::iter::Peekable;
use std::ops::Range;

use super::TemplateError;
use super::scan::Kind;
use super::scan::Scanner;
use super::scan::Token;

/// A part of a template that expands by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) span: Range<usize>,
    pub(super) value: Value,
}

/// What a piece expands to. Names are bytes of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Its source.
    Text,
    /// `$`.
    Dollar,
    /// The value of a variable.
    Variable(Range<usize>),
    /// What stands between `${` and `}`.
    Substitution(Box<Substitution>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Substitution {
    pub(super) name: Range<usize>,
    pub(super) operator: Option<Operator>,
    pub(super) default: Option<Default>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Default {
    Variable(Range<usize>),
    Text(String),
}

/// When `${NAME…}` stands for its default instead of the value of the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Where the variable is unset or empty: `:-`, `:=`.
    WhereEmpty,
    /// Where the variable is unset: `-`, `=`.
    WhereUnset,
    /// Where the variable is set, even if it is empty; nothing where it is unset: `+`, `:+`.
    WhereSet,
}

/// Reads the whole of `source`; after an error, the pieces before it.
pub(super) fn read(source: &str) -> (Vec<Piece>, Option<TemplateError>) {
    let mut reader = Reader {
        source,
        tokens: Scanner::new(source).peekable(),
        pieces: Vec::new(),
    };
    let error = reader.run().err();
    (reader.pieces, error)
}

struct Reader<'a> {
    source: &'a str,
    tokens: Peekable<Scanner<'a>>,
    pieces: Vec<Piece>,
}

impl Reader<'_> {
    fn run(&mut self) -> Result<(), TemplateError> {
        while let Some(Token { kind, span }) = self.tokens.next() {
            match kind {
                Kind::Text | Kind::Close | Kind::Operator => self.push_text(span),
                Kind::Escape => self.push(span, Value::Dollar),
                Kind::Name => {
                    let name = self.without_dollar(&span);
                    self.push(span, Value::Variable(name));
                }
                Kind::Open => match self.tokens.next_if(|token| token.kind == Kind::Name) {
                    Some(name) => self.substitution(span.start, name.span)?,
                    None => self.push_text(span),
                },
                Kind::Unclosed => return Err(TemplateError::Unclosed { at: span.end }),
            }
        }
        Ok(())
    }

    fn substitution(&mut self, start: usize, name: Range<usize>) -> Result<(), TemplateError> {
        let mut operator = None;
        let mut default = None;
        while let Some(Token { kind, span }) = self.tokens.next() {
            match kind {
                Kind::Unclosed => return Err(TemplateError::Unclosed { at: span.end }),
                Kind::Name => default = Some(Default::Variable(self.without_dollar(&span))),
                Kind::Operator => operator = Some(self.operator(&span)),
                // No such token follows the name of a substitution before a text does, but the rule is the reader's:
                // what it does not know is an operator.
                Kind::Open => operator = Some(Operator::WhereUnset),
                Kind::Text | Kind::Escape => {
                    let (text, end) = self.default_text(start, kind, span)?;
                    self.push_substitution(start..end, name, operator, Some(Default::Text(text)));
                    return Ok(());
                }
                Kind::Close => {
                    self.push_substitution(start..span.end, name, operator, default);
                    return Ok(());
                }
            }
        }
        Err(TemplateError::NeverClosed { start })
    }

    /// A text takes the source of every token up to the close into the default. Gives the end of the close, too.
    fn default_text(
        &mut self,
        start: usize,
        kind: Kind,
        span: Range<usize>,
    ) -> Result<(String, usize), TemplateError> {
        let mut text = String::new();
        let mut token = Some(Token { kind, span });
        while let Some(Token { kind, span }) = token {
            match kind {
                Kind::Close => return Ok((text, span.end)),
                Kind::Unclosed => return Err(TemplateError::Unclosed { at: span.end }),
                Kind::Escape => text.push('$'),
                Kind::Text | Kind::Name | Kind::Open | Kind::Operator => {
                    text.push_str(self.source.get(span).unwrap_or_default());
                }
            }
            token = self.tokens.next();
        }
        Err(TemplateError::NeverClosed { start })
    }

    fn operator(&self, span: &Range<usize>) -> Operator {
        match self.source.get(span.clone()) {
            Some(":-" | ":=") => Operator::WhereEmpty,
            Some("+" | ":+") => Operator::WhereSet,
            _ => Operator::WhereUnset,
        }
    }

    fn without_dollar(&self, span: &Range<usize>) -> Range<usize> {
        let text = self.source.get(span.clone()).unwrap_or_default();
        span.start + usize::from(text.starts_with('$'))..span.end
    }

    fn push_substitution(
        &mut self,
        span: Range<usize>,
        name: Range<usize>,
        operator: Option<Operator>,
        default: Option<Default>,
    ) {
        let substitution = Substitution {
            name,
            operator,
            default,
        };
        self.push(span, Value::Substitution(Box::new(substitution)));
    }

    fn push_text(&mut self, span: Range<usize>) {
        if let Some(last) = self.pieces.last_mut()
            && last.value == Value::Text
        {
            last.span.end = span.end;
            return;
        }
        self.push(span, Value::Text);
    }

    fn push(&mut self, span: Range<usize>, value: Value) {
        self.pieces.push(Piece { span, value });
    }
}
