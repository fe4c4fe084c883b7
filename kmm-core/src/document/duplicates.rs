//! Keys that stand twice.

use std::collections::HashMap;

use crate::diag::Diagnostic;
use crate::diag::Part;
use crate::diag::Severity;
use crate::path::FieldPath;

use super::Entry;
use super::rules;

/// Reports the keys that stand twice among `entries`, the mapping at `path`: each once.
pub(super) fn find(text: &str, path: &FieldPath, entries: &[Entry], findings: &mut Vec<Diagnostic>) {
    if !any(entries) {
        return;
    }
    let mut seen: HashMap<&str, (&Entry, bool)> = HashMap::new();
    for entry in entries {
        let Some((first, reported)) = seen.get_mut(entry.key.as_str()) else {
            seen.insert(&entry.key, (entry, false));
            continue;
        };
        let (first, first_merged) = (*first, is_merged(text, first));
        if *reported || first_merged && (!is_merged(text, entry) || first.key_span == entry.key_span) {
            continue;
        }
        *reported = true;
        let key = &entry.key;
        let finding = if is_merged(text, entry) {
            if first_merged {
                continue;
            }
            let message = format!("`<<` overrides `{key}`, which stands above it");
            let finding = rules::MERGE_KEY.finding(path.field(key), message);
            finding
                .as_severity(Severity::Warning)
                .with_help("put `<<` first in its mapping")
        } else {
            let finding =
                rules::DUPLICATE_KEY.finding(path.field(key), format!("`{key}` stands twice in one mapping"));
            finding.with_help("keep one of them; now the last one counts")
        };
        findings.push(finding.at(Part::Source(entry.key_span.clone())).with_related(
            path.field(key),
            Part::Source(first.key_span.clone()),
            "first here",
        ));
    }
}

/// Whether the entry came in through a merge key.
pub(super) fn is_merged(text: &str, entry: &Entry) -> bool {
    text.get(entry.key_span.clone()) == Some("<<") && entry.key != "<<"
}

/// Whether any key stands twice.
pub(super) fn any(entries: &[Entry]) -> bool {
    if entries.len() <= 8 {
        return entries
            .iter()
            .enumerate()
            .any(|(i, entry)| entries[..i].iter().any(|other| other.key == entry.key));
    }
    let mut keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}
