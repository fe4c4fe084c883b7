//! Removing entries and items.

use std::ops::Range;

use super::Value;
use super::gap;
use super::splice::Splice;
use super::splice::Target;

/// Adds what removes the children at `places` of `target`.
pub(super) fn children(target: &Target<'_>, places: &[usize], out: &mut Vec<Splice>) {
    let text = target.source.text;
    let children = places_of(target);
    let gone = |place: &usize| places.contains(place);
    let all = (0..children.len()).all(|place| gone(&place));
    if all && !target.is_flow() {
        let empty = if matches!(target.node.value, Value::Sequence(_)) {
            "[]"
        } else {
            "{}"
        };
        out.push(target.put(empty));
        return;
    }
    if target.is_flow() {
        let Some(first) = children.first() else { return };
        if all {
            let end = target.node.span.end.saturating_sub(1);
            out.push(cut(first.start.min(end)..end));
            return;
        }
        let mut kept = false;
        for (place, child) in children.iter().enumerate() {
            match children.get(place + 1) {
                _ if !gone(&place) => kept = true,
                Some(next) if !kept => out.push(cut(child.start..next.start)),
                // With the comma before it, which stands behind the child before.
                _ => out.push(cut(children[place - usize::from(place > 0)].end..child.end)),
            }
        }
        return;
    }
    let compact = children.first().is_some_and(|first| {
        text.get(gap::line_start(text, first.start)..first.start)
            .is_some_and(|front| !front.trim_matches([' ', '\t']).is_empty())
    });
    let mut leading = true;
    for (place, child) in children.iter().enumerate() {
        if !gone(&place) {
            leading = false;
            continue;
        }
        match children.get(place + 1) {
            Some(next) if leading && compact => out.push(cut(child.start..next.start)),
            _ => out.push(cut(lines(text, child))),
        }
    }
}

fn cut(range: Range<usize>) -> Splice {
    Splice {
        range: range.start..range.end.max(range.start),
        text: String::new(),
    }
}

/// The whole lines of `child`, with their end.
fn lines(text: &str, child: &Range<usize>) -> Range<usize> {
    let start = gap::line_start(text, child.start);
    // A block scalar that keeps its line ends reaches to the start of a line already.
    let at_start = child.end > child.start && gap::line_start(text, child.end) == child.end;
    let end = if at_start {
        child.end
    } else {
        gap::next_line(text, child.end)
    };
    start..end
}

/// Where each child stands, from its key or dash to the end of its value.
fn places_of(target: &Target<'_>) -> Vec<Range<usize>> {
    let text = target.source.text;
    match &target.node.value {
        Value::Mapping(mapping) => {
            let entries = mapping.entries.iter();
            entries
                .map(|entry| entry.key_span.start..entry.value.span.end.max(entry.key_span.end))
                .collect()
        }
        Value::Sequence(items) => {
            let mut at = target.node.span.start;
            let mut places = Vec::with_capacity(items.len());
            for item in items {
                let start = if target.is_flow() {
                    item.span.start
                } else {
                    gap::dash(text, at..text.len()).unwrap_or(at)
                };
                at = item.span.end.max(start);
                places.push(start..at);
            }
            places
        }
        _ => Vec::new(),
    }
}
