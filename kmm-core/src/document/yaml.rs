//! Reading YAML, with the parser granit.

use std::ops::Range;

use granit_parser::ErrorKind;
use granit_parser::Event;
use granit_parser::Parser;
use granit_parser::ScalarStyle;
use granit_parser::ScanError;
use granit_parser::Span;
use granit_parser::StructureStyle;
use granit_parser::options;

use crate::diag::Diagnostic;
use crate::diag::Part;
use crate::path::FieldPath;

use super::Limits;
use super::build::Builder;
use super::build::Stop;
use super::build::Style;
use super::build::Tag;
use super::gap;
use super::rules;
use super::stream::Collector;

/// Reads every document of `text`.
pub(super) fn read(text: &str, limits: &Limits, out: &mut Collector<'_>) {
    let mut shift = 0;
    while let Some(next) = read_from(text, shift, limits, out) {
        shift = next;
    }
}

/// Reads the documents from byte `shift` on; gives where to begin anew, if one follows another without a separator as
/// JSON objects may.
fn read_from(text: &str, shift: usize, limits: &Limits, out: &mut Collector<'_>) -> Option<usize> {
    let options = options! {
        flow_nesting_limit: limits.depth.min(120) + 1,
        block_nesting_limit: limits.depth.min(120) + 1,
        emit_unresolved_aliases: true,
        // Another crate of the same program may turn comments on: what is read here must not depend on that.
        emit_comments: false,
    };
    let mut parser = Parser::new_from_str_with_options(text.get(shift..)?, options);
    let mut builder = Builder::new(text, limits, shift);
    let mut start = shift;
    loop {
        let stopped = match parser.next_event()? {
            Ok((event, span)) => {
                let at = place(&span, shift, text);
                match event {
                    Event::StreamEnd => return None,
                    Event::DocumentStart(explicit, _) => {
                        if !out.has_room() {
                            out.find(too_many(limits, at));
                            return None;
                        }
                        start = if explicit { at.start } else { start };
                        let floor = if explicit { at.end } else { shift };
                        builder = Builder::new(text, limits, floor);
                        false
                    }
                    Event::DocumentEnd => {
                        finish(&mut builder, start..at.start, out);
                        start = at.end;
                        false
                    }
                    event => feed(&mut builder, &event, at).is_err(),
                }
            }
            Err(error) => {
                let at = error.marker().byte_offset().map_or(text.len(), |at| at + shift);
                if *error.kind() == ErrorKind::ExpectedDocumentStart && at > shift && is_next_json(text, at) {
                    return Some(at);
                }
                let finding = broken(text, &error, at, &builder, limits);
                builder.findings.push(finding);
                true
            }
        };
        if stopped {
            out.unfinished(
                std::mem::replace(&mut builder, Builder::new(text, limits, text.len())),
                start,
            );
            if !matches!(parser.proceed_next_document(), Ok(true)) {
                return None;
            }
        }
    }
}

fn feed(builder: &mut Builder<'_>, event: &Event<'_>, at: Range<usize>) -> Result<(), Stop> {
    match event {
        Event::SequenceStart(style, anchor, tag) => {
            check_tag(builder, tag.as_deref(), &at);
            builder.open(false, *style == StructureStyle::Flow, at, *anchor)
        }
        Event::MappingStart(style, anchor, tag) => {
            check_tag(builder, tag.as_deref(), &at);
            builder.open(true, *style == StructureStyle::Flow, at, *anchor)
        }
        Event::SequenceEnd | Event::MappingEnd => builder.close(at),
        Event::Alias(id) => builder.alias(Some(*id), at),
        Event::UnresolvedAlias(_) => builder.alias(None, at),
        Event::Scalar(decoded, style, anchor, tag) => {
            let style = match style {
                ScalarStyle::Plain => Style::Plain,
                ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
            };
            let tag = check_tag(builder, tag.as_deref(), &at);
            builder.scalar(decoded, style, at, *anchor, tag)
        }
        _ => Ok(()),
    }
}

fn check_tag(builder: &mut Builder<'_>, tag: Option<&granit_parser::Tag>, at: &Range<usize>) -> Tag {
    let Some(tag) = tag else {
        return Tag::None;
    };
    let name = tag.suffix_in_namespace("tag:yaml.org,2002:").unwrap_or_default();
    match KNOWN.iter().find(|known| **known == name) {
        Some(known) => Tag::Core(known),
        None => {
            let finding = rules::TAG
                .finding(
                    FieldPath::root(),
                    format!("the tag `{}` is ignored", tag.original()),
                )
                .as_severity(crate::diag::Severity::Warning)
                .at(Part::Source(at.clone()));
            builder.findings.push(finding);
            Tag::Unknown
        }
    }
}

const KNOWN: [&str; 10] = [
    "str",
    "int",
    "float",
    "bool",
    "null",
    "seq",
    "map",
    "timestamp",
    "merge",
    "binary",
];

fn finish(builder: &mut Builder<'_>, span: Range<usize>, out: &mut Collector<'_>) {
    let findings = std::mem::take(&mut builder.findings);
    out.document(builder.root.take(), span, findings);
}

/// Whether a list or mapping in brackets begins at `at`, right behind another one.
fn is_next_json(text: &str, at: usize) -> bool {
    let ends = text
        .get(..at)
        .is_some_and(|front| front.trim_end().ends_with(['}', ']']));
    ends && text.get(at..).is_some_and(|rest| rest.starts_with(['{', '[']))
}

fn place(span: &Span, shift: usize, text: &str) -> Range<usize> {
    let range = span.byte_range().unwrap_or(0..0);
    let start = (range.start + shift).min(text.len());
    start..(range.end + shift).clamp(start, text.len())
}

fn too_many(limits: &Limits, at: Range<usize>) -> Diagnostic {
    let message = format!("there are more than {} documents", limits.documents);
    rules::LIMIT
        .finding(FieldPath::root(), message)
        .at(Part::Source(at))
}

fn broken(text: &str, error: &ScanError, at: usize, builder: &Builder<'_>, limits: &Limits) -> Diagnostic {
    let root = FieldPath::root();
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        let message = format!("values are nested more than {} deep", limits.depth.min(120));
        return rules::LIMIT
            .finding(root, message)
            .at(Part::Source(one_char(text, at)));
    }
    if let Some(tab) = indenting_tab(text, at) {
        let finding = rules::TAB_INDENTATION.finding(root, "the line is indented with a tab");
        return finding
            .at(Part::Source(tab..tab + 1))
            .with_help("indent it with blanks");
    }
    let finding = rules::SYNTAX
        .finding(root, error.info())
        .at(Part::Source(one_char(text, at)));
    let line = gap::line_start(text, at);
    if builder
        .block_end
        .is_some_and(|end| gap::line_start(text, end) == line)
    {
        return finding
            .with_help("indent this line as far as the text above it, if it is a part of that text");
    }
    match error.kind() {
        ErrorKind::MappingValueNotAllowed => finding.with_help(
            "put the value in quotes, if the `: ` is a part of it; or indent the line as its neighbours",
        ),
        _ => finding,
    }
}

/// The tab in the indentation of the line of byte `at`, or of the next one.
fn indenting_tab(text: &str, at: usize) -> Option<usize> {
    let next = gap::next_line(text, at);
    [gap::line_start(text, at), next].into_iter().find_map(|start| {
        let line = text.get(start..gap::line_end(text, start))?;
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        line.get(..indent)?.find('\t').map(|tab| start + tab)
    })
}

/// The character at `at`; nothing at the end of the text.
pub(super) fn one_char(text: &str, at: usize) -> Range<usize> {
    let length = text
        .get(at..)
        .and_then(|rest| rest.chars().next())
        .map_or(0, char::len_utf8);
    at.min(text.len())..(at + length).min(text.len())
}
