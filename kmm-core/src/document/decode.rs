//! How a scalar is written, and which bytes of the source each byte of its string comes from.

use std::ops::Range;

use super::gap;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Without quotes.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// How the scalar `source` is written.
pub(crate) fn form(source: &str) -> Form {
    match source.as_bytes().first() {
        Some(b'\'') => Form::Single,
        Some(b'"') => Form::Double,
        Some(b'|') => Form::Literal,
        Some(b'>') => Form::Folded,
        _ => Form::Plain,
    }
}

/// A string, and where its bytes come from.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    text: String,
    runs: Vec<Run>,
    end: usize,
}

/// Bytes of the string that come from neighbouring bytes of the source.
#[derive(Debug)]
struct Run {
    at: usize,
    source: Range<usize>,
    /// Byte for byte, or as a whole.
    exact: bool,
}

/// Decodes the scalar at `span` of `text`, which is known to be `value`; `None` where it cannot be followed.
pub(crate) fn decode(text: &str, span: &Range<usize>, value: &str) -> Option<Decoded> {
    let source = text.get(span.clone())?;
    let mut out = Decoded::default();
    match form(source) {
        Form::Plain => {
            out.end = span.end;
            flow(text, span.clone(), Form::Plain, &mut out)?;
        }
        quoted @ (Form::Single | Form::Double) => {
            let inner = span.start + 1..span.end.checked_sub(1)?.max(span.start + 1);
            out.end = inner.end;
            flow(text, inner, quoted, &mut out)?;
        }
        Form::Literal => block(text, span, value, false, &mut out)?,
        Form::Folded => block(text, span, value, true, &mut out)?,
    }
    (out.text == value).then_some(out)
}

/// How far the lines of the block scalar at `span` are indented, which is known to be `value`.
pub(crate) fn block_indent(text: &str, span: &Range<usize>, value: &str) -> Option<usize> {
    let filled = |line: &&str| !line.trim_matches([' ', '\r', '\n']).is_empty();
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let content = text.get(gap::next_line(text, span.start)..gap::line_end(text, span.end))?;
    let written = content.split('\n').find(filled)?;
    let read = value.split('\n').find(filled)?;
    blanks(written).checked_sub(blanks(read))
}

impl Decoded {
    /// Where the bytes `range` of the string stand in the source.
    pub(crate) fn source(&self, range: &Range<usize>) -> Range<usize> {
        let start = match self.run(range.start) {
            Some(run) if run.exact => run.source.start + (range.start - run.at),
            Some(run) => run.source.start,
            None => self.end,
        };
        if range.end <= range.start {
            return start..start;
        }
        let end = match self.run(range.end - 1) {
            Some(run) if run.exact => run.source.start + (range.end - run.at),
            Some(run) => run.source.end,
            None => self.end,
        };
        start..end.max(start)
    }

    /// The run that holds byte `at` of the string.
    fn run(&self, at: usize) -> Option<&Run> {
        if at >= self.text.len() {
            return None;
        }
        let next = self.runs.partition_point(|run| run.at <= at);
        self.runs.get(next.checked_sub(1)?)
    }

    fn exact(&mut self, text: &str, source: Range<usize>) -> Option<()> {
        let piece = text.get(source.clone())?;
        if piece.is_empty() {
            return Some(());
        }
        let at = self.text.len();
        self.text.push_str(piece);
        match self.runs.last_mut() {
            Some(last) if last.exact && last.source.end == source.start => last.source.end = source.end,
            _ => self.runs.push(Run {
                at,
                source,
                exact: true,
            }),
        }
        Some(())
    }

    fn whole(&mut self, piece: &str, source: Range<usize>) {
        if piece.is_empty() {
            return;
        }
        let at = self.text.len();
        self.text.push_str(piece);
        self.runs.push(Run {
            at,
            source,
            exact: false,
        });
    }
}

fn flow(text: &str, inner: Range<usize>, form: Form, out: &mut Decoded) -> Option<()> {
    let bytes = text.as_bytes();
    let mut at = inner.start;
    // Bytes from `from` on are taken as they stand, once it is known where that ends.
    let mut from = at;
    // Blanks in front of `held` are kept even before a line end, for an escape wrote them.
    let mut held = at;
    while at < inner.end {
        match bytes[at] {
            b'\n' | b'\r' => {
                let blank = text.get(held.max(from)..at)?;
                let kept = held.max(from) + blank.trim_end_matches([' ', '\t']).len();
                out.exact(text, from..kept)?;
                let (folded, next) = fold(text, at, inner.end);
                let folded = if folded == 0 {
                    " ".to_owned()
                } else {
                    "\n".repeat(folded)
                };
                out.whole(&folded, kept..next);
                (at, from, held) = (next, next, next);
            }
            b'\'' if form == Form::Single && bytes.get(at + 1) == Some(&b'\'') => {
                out.exact(text, from..at)?;
                out.whole("'", at..at + 2);
                at += 2;
                (from, held) = (at, at);
            }
            b'\\' if form == Form::Double => {
                out.exact(text, from..at)?;
                at = escape(text, at, inner.end, out)?;
                (from, held) = (at, at);
            }
            _ => at += 1,
        }
    }
    out.exact(text, from..inner.end)
}

/// The line ends from `at` on: how many empty lines they enclose, and where the text goes on.
fn fold(text: &str, mut at: usize, end: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let mut breaks = 0_usize;
    while at < end {
        match bytes[at] {
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => {
                breaks += 1;
                at += 2;
            }
            b'\n' | b'\r' => {
                breaks += 1;
                at += 1;
            }
            b' ' | b'\t' => at += 1,
            _ => break,
        }
    }
    (breaks.saturating_sub(1), at)
}

/// Takes the escape at `at`; gives where it ends.
fn escape(text: &str, at: usize, end: usize, out: &mut Decoded) -> Option<usize> {
    let code = *text.as_bytes().get(at + 1)?;
    let simple = match code {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{b}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'e' => '\u{1b}',
        b' ' => ' ',
        b'"' => '"',
        b'/' => '/',
        b'\\' => '\\',
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        b'\n' | b'\r' => {
            let (folded, next) = fold(text, at + 1, end);
            out.whole(&"\n".repeat(folded), at..next);
            return Some(next);
        }
        b'x' | b'u' | b'U' => return coded(text, at, code, out),
        _ => return None,
    };
    out.whole(simple.encode_utf8(&mut [0; 4]), at..at + 2);
    Some(at + 2)
}

/// Takes the escape `\x`, `\u` or `\U` at `at`; gives where it ends.
fn coded(text: &str, at: usize, code: u8, out: &mut Decoded) -> Option<usize> {
    let length = match code {
        b'x' => 2,
        b'u' => 4,
        _ => 8,
    };
    let number = |from: usize, length: usize| u32::from_str_radix(text.get(from..from + length)?, 16).ok();
    let mut end = at + 2 + length;
    let mut value = number(at + 2, length)?;
    if (0xd800..0xdc00).contains(&value) {
        let low = number(end + 2, 4).filter(|low| (0xdc00..0xe000).contains(low))?;
        value = 0x1_0000 + ((value - 0xd800) << 10) + (low - 0xdc00);
        end += 6;
    }
    out.whole(char::from_u32(value)?.encode_utf8(&mut [0; 4]), at..end);
    Some(end)
}

fn block(text: &str, span: &Range<usize>, value: &str, folded: bool, out: &mut Decoded) -> Option<()> {
    let body = value.trim_end_matches('\n');
    let last = gap::line_end(text, span.end);
    let mut at = gap::next_line(text, span.start);
    out.end = at;
    if body.is_empty() {
        out.whole(value, at.min(last)..last.max(at));
        return Some(());
    }
    let indent = block_indent(text, span, value)?;
    let mut pending: Option<(usize, bool)> = None;
    let mut blanks = 0;
    let first = at;
    while out.text.len() < body.len() && at <= last {
        let end = gap::line_end(text, at);
        let content = (at + indent).min(end);
        let line = text.get(content..end)?;
        let more = line.starts_with([' ', '\t']);
        if line.is_empty() {
            blanks += 1;
        } else {
            let breaks = match pending {
                None => "\n".repeat(blanks),
                Some((_, before)) if folded && !before && !more && blanks == 0 => " ".to_owned(),
                Some((_, before)) if folded && !before && !more => "\n".repeat(blanks),
                Some(_) => "\n".repeat(blanks + 1),
            };
            let from = pending.map_or(first, |(end, _)| end);
            if folded || blanks > 0 {
                out.whole(&breaks, from..content);
            } else {
                // One line end: its bytes only, not the indentation behind it.
                out.whole(&breaks, from..gap::next_line(text, from));
            }
            out.exact(text, content..end)?;
            pending = Some((end, more));
            blanks = 0;
        }
        let next = gap::next_line(text, end);
        if next == at {
            break;
        }
        at = next;
    }
    let (mut end, _) = pending?;
    for _ in 0..value.len() - body.len() {
        let next = gap::next_line(text, end);
        out.whole("\n", end..next);
        end = next;
    }
    out.end = end;
    Some(())
}
