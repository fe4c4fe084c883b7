//! Findings as one JSON document; `docs/guide/json.md` describes it.

use kmm_core::document::LineIndex;
use serde::Serialize;

use crate::manifests::File;

use super::Located;
use super::ObjectName;

/// The document.
#[derive(Debug, Serialize)]
pub struct Report {
    pub version: u32,
    pub diagnostics: Vec<Entry>,
}

/// One finding.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub code: &'static str,
    pub severity: String,
    pub admission: bool,
    pub message: String,
    pub path: String,
    pub object: Option<ObjectName>,
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub help: Option<String>,
}

/// The findings as one document.
pub fn report<'a>(findings: impl Iterator<Item = &'a Located>, files: &[File]) -> Report {
    let lines: Vec<LineIndex> = files
        .iter()
        .map(|file| LineIndex::new(&file.source.text))
        .collect();
    let entries = findings.map(|found| {
        let source = &files[found.source].source;
        let start = lines[found.source].position(&source.text, found.span.start);
        let end = lines[found.source].position(&source.text, found.span.end);
        Entry {
            code: found.diagnostic.code,
            severity: found.diagnostic.severity.to_string(),
            admission: found.diagnostic.admission,
            message: found.diagnostic.message.clone(),
            path: found.diagnostic.path.to_string(),
            object: found.object.clone(),
            file: source.name.clone(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            help: found.diagnostic.help.clone(),
        }
    });
    Report {
        version: 1,
        diagnostics: entries.collect(),
    }
}
