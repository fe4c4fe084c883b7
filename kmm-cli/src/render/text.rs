//! Findings for people: source lines with carets.

use std::ops::Range;

use annotate_snippets::AnnotationKind;
use annotate_snippets::Group;
use annotate_snippets::Level;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;
use kmm_core::diag::Severity;

use crate::input::Source;

use super::Located;
use super::printable;

/// Lines of the source that are shown around a finding at most, so that a long value does not fill the screen.
const MOST_LINES: usize = 4;

/// One finding, with colours.
pub fn finding(found: &Located, source: &Source) -> String {
    let diagnostic = &found.diagnostic;
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let path = diagnostic.path.to_string();
    let message = printable(&diagnostic.message);
    let title = if path.is_empty() {
        message
    } else {
        format!("{}: {message}", printable(&path))
    };
    let window = Window::around(&source.text, &found.span);
    let snippet = Snippet::source(window.text)
        .path(printable(&source.name))
        .line_start(window.first_line)
        .annotation(AnnotationKind::Primary.span(window.span));
    let mut group = Group::with_title(level.primary_title(title).id(diagnostic.code)).element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    Renderer::styled().render(&[group])
}

/// The lines of a text around a span, and the span in them.
struct Window<'a> {
    text: &'a str,
    first_line: usize,
    span: Range<usize>,
}

impl<'a> Window<'a> {
    fn around(text: &'a str, span: &Range<usize>) -> Self {
        let start = text[..span.start].rfind('\n').map_or(0, |i| i + 1);
        let first_line = text[..start].bytes().filter(|b| *b == b'\n').count() + 1;
        let mut end = start;
        for line in text[start..].split_inclusive('\n').take(MOST_LINES) {
            end += line.len();
            if end >= span.end {
                break;
            }
        }
        let shown = text[start..end].trim_end_matches('\n');
        let within = |at: usize| (at - start).min(shown.len());
        Self {
            text: shown,
            first_line,
            span: within(span.start)..within(span.end).max(within(span.start)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_lines_of_the_span() {
        let text = "a\nbcd\nef\n";
        let window = Window::around(text, &(3..4));
        assert_eq!((window.text, window.first_line, window.span), ("bcd", 2, 1..2));
        let window = Window::around(text, &(3..8));
        assert_eq!((window.text, window.span), ("bcd\nef", 1..6));
        let window = Window::around(text, &(9..9));
        assert_eq!((window.text, window.first_line, window.span), ("", 4, 0..0));
    }
}
