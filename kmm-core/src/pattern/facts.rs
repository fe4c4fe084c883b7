//! What can be seen in a pattern without running it.

use std::ops::Range;

use super::Pattern;
use super::syntax::{Ast, Kind, Look, NodeId};

/// An escape that hardly means what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddEscape {
    /// The bytes of the pattern.
    pub span: Range<usize>,
    /// What it means, such as `a form feed`.
    pub meaning: &'static str,
}

impl Pattern {
    /// Whether every match starts at the start of the text, whichever alternative matches.
    pub fn is_anchored_start(&self) -> bool {
        self.engine().anchored_start
    }

    /// Whether every match ends at the end of the text, whichever alternative matches.
    pub fn is_anchored_end(&self) -> bool {
        self.engine().anchored_end
    }

    /// The unescaped dots that read like the dots of a version: `5.14`, `el9.x86_64`, `\d.\d`.
    ///
    /// Such a dot stands, without a repetition, between two letters or digits, of which one is a digit.
    ///
    /// # Example: find what should be `\.`
    ///
    /// ```
    /// use kmm_core::pattern::Pattern;
    ///
    /// let pattern = Pattern::parse(r"^5.14\.0-.*el9.x86_64")?;
    /// assert_eq!(pattern.version_dots(), [2..3, 14..15]);
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn version_dots(&self) -> Vec<Range<usize>> {
        let ast = self.ast();
        let mut dots = Vec::new();
        for node in &ast.nodes {
            let Kind::Concat(items) = &node.kind else { continue };
            for window in items.windows(3) {
                let &[before, dot, after] = window else { continue };
                if !matches!(ast.kind(dot), Kind::Dot { .. }) {
                    continue;
                }
                let sides = (edge(ast, before, false), edge(ast, after, true));
                if let (Some(before), Some(after)) = sides
                    && (before == Edge::Digit || after == Edge::Digit)
                {
                    dots.push(ast.node(dot).span());
                }
            }
        }
        dots.sort_unstable_by_key(|dot| dot.start);
        dots
    }

    /// The escapes that hardly mean what was typed: `\fc37` starts with a form feed, `\beta` with a
    /// word boundary between two characters that are written out.
    ///
    /// Control characters written as numbers (`\x0c`) are taken to be meant.
    pub fn odd_escapes(&self) -> Vec<OddEscape> {
        let ast = self.ast();
        let mut found = Vec::new();
        for node in &ast.nodes {
            let span = node.span();
            match &node.kind {
                Kind::Literal { .. } | Kind::Class(_) => self.odd_in(span, &mut found),
                Kind::Concat(items) => {
                    for window in items.windows(3) {
                        if let &[before, look, after] = window
                            && let Some(meaning) = boundary(ast, before, look, after)
                        {
                            found.push(OddEscape {
                                span: ast.node(look).span(),
                                meaning,
                            });
                        }
                    }
                }
                _ => {}
            }
        }
        found.sort_unstable_by_key(|escape| escape.span.start);
        found
    }

    /// The escapes in one character or class.
    fn odd_in(&self, span: Range<usize>, found: &mut Vec<OddEscape>) {
        let Some(written) = self.as_str().get(span.clone()) else {
            return;
        };
        let mut bytes = written.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            if byte != b'\\' {
                continue;
            }
            let meaning = match bytes.next() {
                Some((_, b'a')) => "a bell",
                Some((_, b'f')) => "a form feed",
                Some((_, b'n')) => "a newline",
                Some((_, b'r')) => "a carriage return",
                Some((_, b't')) => "a tab",
                Some((_, b'v')) => "a vertical tab",
                Some((_, b's')) if written.len() == 2 => "white space",
                _ => continue,
            };
            let start = span.start + at;
            found.push(OddEscape {
                span: start..start + 2,
                meaning,
            });
        }
    }

    /// The text that was most likely meant, if the pattern is a plain text once its dots are escaped.
    ///
    /// `^` at the start and `$` at the end are left out; see [`Pattern::is_anchored_start`].
    ///
    /// # Example: a literal would do
    ///
    /// ```
    /// use kmm_core::pattern::Pattern;
    ///
    /// let pattern = Pattern::parse("^5.14.0-70.el9.x86_64$")?;
    /// assert_eq!(pattern.plain_text().as_deref(), Some("5.14.0-70.el9.x86_64"));
    /// assert_eq!(Pattern::parse("^5.14.*")?.plain_text(), None);
    /// # Ok::<(), kmm_core::pattern::PatternError>(())
    /// ```
    pub fn plain_text(&self) -> Option<String> {
        let ast = self.ast();
        let root = [ast.root];
        let items: &[NodeId] = match ast.kind(ast.root) {
            Kind::Concat(items) => items,
            _ => &root,
        };
        let mut text = String::new();
        for (at, &item) in items.iter().enumerate() {
            match ast.kind(item) {
                Kind::Look(Look::TextStart | Look::LineStart) if at == 0 => {}
                Kind::Look(Look::TextEnd | Look::LineEnd) if at + 1 == items.len() => {}
                Kind::Dot { .. } => text.push('.'),
                Kind::Literal { c, fold } => {
                    let c = char::from_u32(*c)?;
                    if *fold && c.is_alphabetic() {
                        return None;
                    }
                    text.push(c);
                }
                _ => return None,
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

/// Escapes what means something, so that the pattern matches `text` itself.
///
/// # Example: from a literal to a regexp
///
/// ```
/// use kmm_core::pattern::{Pattern, escape};
///
/// assert_eq!(escape("6.1.0-rt+"), r"6\.1\.0-rt\+");
/// assert!(Pattern::parse(&escape("a[b]{2}|^$"))?.is_match("a[b]{2}|^$"));
/// # Ok::<(), kmm_core::pattern::PatternError>(())
/// ```
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Digit,
    Letter,
}

/// What a part starts or ends with, if that is a letter or a digit.
fn edge(ast: &Ast, mut id: NodeId, start: bool) -> Option<Edge> {
    loop {
        id = match ast.kind(id) {
            Kind::Concat(items) => *(if start { items.first() } else { items.last() })?,
            Kind::Repeat { sub, min, .. } if *min > 0 => *sub,
            Kind::Literal { c, .. } => {
                return match char::from_u32(*c)? {
                    '0'..='9' => Some(Edge::Digit),
                    'a'..='z' | 'A'..='Z' => Some(Edge::Letter),
                    _ => None,
                };
            }
            Kind::Class(set) => {
                let digits = !set.is_empty() && set.ranges().iter().all(|&(lo, hi)| lo >= 0x30 && hi <= 0x39);
                return digits.then_some(Edge::Digit);
            }
            _ => return None,
        };
    }
}

/// What `\b` or `\B` means where it stands between two literals, of which the second is a letter.
fn boundary(ast: &Ast, before: NodeId, look: NodeId, after: NodeId) -> Option<&'static str> {
    let literal = |id| match ast.kind(id) {
        Kind::Literal { c, .. } => char::from_u32(*c),
        _ => None,
    };
    literal(before)?;
    if !literal(after)?.is_ascii_alphabetic() {
        return None;
    }
    match ast.kind(look) {
        Kind::Look(Look::Word) => Some("a word boundary"),
        Kind::Look(Look::NotWord) => Some("no word boundary"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(source: &str) -> Pattern {
        Pattern::parse(source).unwrap()
    }

    #[test]
    fn anchors_hold_for_every_alternative() {
        for (source, start, end) in [
            ("^5", true, false),
            ("5$", false, true),
            (r"\A5|^6", true, false),
            ("^5|6", false, false),
            ("(^5|^6)x$", true, true),
            ("(?m)^5$", false, false),
            ("(?m)\\A5\\z", true, true),
            ("(?:^)?5", false, false),
            (".*", false, false),
        ] {
            let pattern = pattern(source);
            assert_eq!(
                (pattern.is_anchored_start(), pattern.is_anchored_end()),
                (start, end),
                "{source}"
            );
        }
    }

    #[test]
    fn dots_of_versions() {
        for (source, dots) in [
            ("5.14", vec![1]),
            (r"5\.14", vec![]),
            ("5.*", vec![]),
            ("el9.x86_64", vec![3]),
            (r"^\d+.\d+", vec![4]),
            ("[0-9].[0-9]", vec![5]),
            ("(5).(14)", vec![3]),
            ("a.b", vec![]),
            ("5.+4", vec![]),
            ("5.?4", vec![]),
            ("[.]5", vec![]),
            (r"\Q5.1\E", vec![]),
        ] {
            let found: Vec<_> = pattern(source)
                .version_dots()
                .iter()
                .map(|dot| dot.start)
                .collect();
            assert_eq!(found, dots, "{source}");
        }
    }

    #[test]
    fn escapes_that_were_not_meant() {
        let found = |source| {
            pattern(source)
                .odd_escapes()
                .into_iter()
                .map(|e| (e.span, e.meaning))
                .collect::<Vec<_>>()
        };
        assert_eq!(found(r"^.+\fc37"), [(3..5, "a form feed")]);
        assert_eq!(found(r"[\v.]x"), [(1..3, "a vertical tab")]);
        assert_eq!(found(r"6\.1-\beta"), [(5..7, "a word boundary")]);
        assert_eq!(found(r"\beta"), []);
        assert_eq!(found(r"\bel9\b"), []);
        assert_eq!(found(r"\Q\f\E\\f\x0c"), []);
        assert_eq!(
            found(r"\nvidia\sles"),
            [(0..2, "a newline"), (7..9, "white space")]
        );
    }
}
