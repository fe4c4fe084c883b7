//! From source lines to logical lines: directives, comments, continuations and here-documents.

use std::ops::Range;

use super::Fault;
use super::FaultKind;

/// One instruction with its continuations joined; every byte knows where it came from.
#[derive(Clone, Debug)]
pub(super) struct Logical {
    pub(super) text: String,
    origin: Vec<usize>,
    pub(super) span: Range<usize>,
    pub(super) bodies: Vec<Range<usize>>,
}

impl Logical {
    /// The bytes of the source that `range` of the text came from.
    pub(super) fn source(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.origin.get(range.start).copied().unwrap_or(self.span.end);
        let end = match range.end.checked_sub(1).and_then(|last| self.origin.get(last)) {
            Some(last) if range.end > range.start => last + 1,
            _ => start,
        };
        start..end.max(start)
    }

    fn push(&mut self, source: &str, range: Range<usize>) {
        self.text.push_str(&source[range.clone()]);
        self.origin.extend(range);
    }
}

/// The escape character and the logical lines of `source`.
pub(super) fn read(source: &str, faults: &mut Vec<Fault>) -> (char, Vec<Logical>) {
    let lines = physical(source);
    let escape = directives(source, &lines);
    let mut logical = Vec::new();
    let mut next = 0;
    while let Some(line) = lines.get(next) {
        next += 1;
        let text = &source[line.clone()];
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        let indent = text.len() - text.trim_start().len();
        let mut current = Logical {
            text: String::new(),
            origin: Vec::new(),
            span: line.start + indent..line.end,
            bodies: Vec::new(),
        };
        let mut rest = line.start + indent..line.end;
        loop {
            let Some(end) = continued(&source[rest.clone()], escape) else {
                current.push(source, rest.clone());
                current.span.end = rest.end;
                break;
            };
            current.push(source, rest.start..rest.start + end);
            let more = (next..lines.len()).find(|&i| {
                let text = source[lines[i].clone()].trim();
                !text.is_empty() && !text.starts_with('#')
            });
            let Some(more) = more else {
                current.span.end = rest.end;
                next = lines.len();
                break;
            };
            rest = lines[more].clone();
            next = more + 1;
        }
        next = bodies(source, &lines, next, &mut current, faults);
        logical.push(current);
    }
    (escape, logical)
}

/// The lines without their ends.
fn physical(source: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    source
        .split_inclusive('\n')
        .map(|line| {
            let text = line.strip_suffix('\n').unwrap_or(line);
            let text = text.strip_suffix('\r').unwrap_or(text);
            let range = start..start + text.len();
            start += line.len();
            range
        })
        .collect()
}

/// `# escape=` counts only above everything else but other directives.
fn directives(source: &str, lines: &[Range<usize>]) -> char {
    for line in lines {
        let Some(comment) = source[line.clone()].trim_start().strip_prefix('#') else {
            break;
        };
        let Some((key, value)) = comment.split_once('=') else {
            break;
        };
        if key.trim().eq_ignore_ascii_case("escape") && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}

/// Where the text of a line ends that goes on in the next one.
fn continued(line: &str, escape: char) -> Option<usize> {
    let text = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    Some(text.len())
}

/// Takes the bodies of the here-documents that the line opens; gives the number of the line after them.
fn bodies(
    source: &str,
    lines: &[Range<usize>],
    mut next: usize,
    current: &mut Logical,
    faults: &mut Vec<Fault>,
) -> usize {
    let mut words = current.text.split_ascii_whitespace();
    let first = match words.next() {
        Some(word) if word.eq_ignore_ascii_case("ONBUILD") => words.next(),
        word => word,
    };
    let takes = ["RUN", "COPY", "ADD"];
    if !first.is_some_and(|word| takes.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))) {
        return next;
    }
    for (tabs, name, at) in heredocs(&current.text) {
        let start = lines.get(next).map_or(source.len(), |line| line.start);
        let end = (next..lines.len()).find(|&i| {
            let line = &source[lines[i].clone()];
            (if tabs { line.trim_start_matches('\t') } else { line }) == name
        });
        match end {
            Some(end) => {
                current.bodies.push(start..lines[end].start);
                current.span.end = lines[end].end;
                next = end + 1;
            }
            None => {
                faults.push(Fault {
                    kind: FaultKind::OpenHeredoc(name.clone()),
                    span: current.source(&at),
                });
                current.bodies.push(start..source.len());
                current.span.end = source.len().max(current.span.start);
                return lines.len();
            }
        }
    }
    next
}

/// Here-documents that a text opens: whether leading tabs go, the end word, and where.
fn heredocs(text: &str) -> Vec<(bool, String, Range<usize>)> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            quote @ (b'\'' | b'"') => {
                at += 1;
                while at < bytes.len() && bytes[at] != quote {
                    at += 1;
                }
                at += 1;
            }
            b'<' if bytes.get(at + 1) == Some(&b'<') => {
                let start = at;
                at += 2;
                if bytes.get(at) == Some(&b'<') {
                    at += 1;
                    continue;
                }
                let tabs = bytes.get(at) == Some(&b'-');
                at += usize::from(tabs);
                let quote = bytes.get(at).copied().filter(|b| matches!(b, b'\'' | b'"'));
                at += usize::from(quote.is_some());
                let word = at;
                while bytes
                    .get(at)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
                {
                    at += 1;
                }
                let name = &text[word..at];
                if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    at += usize::from(quote.is_some());
                    found.push((tabs, name.to_owned(), start..at.min(text.len())));
                }
            }
            _ => at += 1,
        }
    }
    found
}
