//! `kmm validate --fix`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use kmm_core::document::EditError;

use crate::manifests;
use crate::manifests::File;
use crate::printer::Printer;
use crate::render::printable;

use super::Found;

/// Two fixes at one place cannot be applied together, so the next round takes the second; fixes that undo each other
/// would go on for ever.
const MOST_ROUNDS: usize = 10;

/// Applies fixes until there is none left that can be, writes the files, says how many, and gives the files and what is
/// found in them then.
pub fn apply(
    mut files: Vec<File>,
    mut findings: Vec<Found>,
    examine: impl Fn(&[File]) -> Vec<Found>,
    unsafe_fixes: bool,
    printer: &Printer,
) -> Result<(Vec<File>, Vec<Found>)> {
    let mut applied = vec![0; files.len()];
    let mut refused = Vec::new();
    for _ in 0..MOST_ROUNDS {
        refused.clear();
        let mut changed = false;
        for (number, file) in files.iter_mut().enumerate() {
            let here = findings.iter().filter(|found| found.located.source == number);
            let here = here.filter(|found| {
                unsafe_fixes || found.located.diagnostic.fix.as_ref().is_some_and(|fix| fix.safe)
            });
            let round = Round::of(file, here);
            refused.extend(round.refused);
            if round.applied > 0 {
                changed = true;
                applied[number] += round.applied;
                *file = manifests::with_text(file, round.text);
            }
        }
        if !changed {
            break;
        }
        findings = examine(&files);
    }
    for notice in &refused {
        printer.notice(&printable(notice));
    }
    for (file, applied) in files.iter().zip(applied) {
        let name = &file.source.name;
        if file.is_stdin() {
            printer.bytes(file.source.text.as_bytes())?;
        } else if applied > 0 {
            replace(Path::new(name), &file.source.text)?;
        }
        let plural = if applied == 1 { "" } else { "es" };
        printer.notice(&format!("{}: {applied} fix{plural} applied", printable(name)));
    }
    Ok((files, findings))
}

/// As many fixes of one file as go together.
struct Round {
    text: String,
    applied: usize,
    refused: Vec<String>,
}

impl Round {
    fn of<'a>(file: &File, findings: impl Iterator<Item = &'a Found>) -> Self {
        let name = &file.source.name;
        let mut editor = file.stream.editor(&file.source.text);
        let mut codes = Vec::new();
        let mut refused = Vec::new();
        let refusal = |code: &str, error: &EditError| format!("{name}: {code} is not fixed: {error}");
        for found in findings {
            let Some(fix) = &found.located.diagnostic.fix else {
                continue;
            };
            let code = found.located.diagnostic.code;
            match editor.add(found.document, &found.base, &fix.edits) {
                Ok(()) => codes.push(code),
                Err(error) => refused.push(refusal(code, &error)),
            }
        }
        match editor.finish() {
            Ok(text) => Self {
                text,
                applied: codes.len(),
                refused,
            },
            Err(error) => {
                refused.extend(codes.iter().map(|code| refusal(code, &error)));
                Self {
                    text: file.source.text.clone(),
                    applied: 0,
                    refused,
                }
            }
        }
    }
}

/// Writes a file beside the old one and puts it in its place, so that nobody sees half of it.
fn replace(path: &Path, text: &str) -> Result<()> {
    let target = fs::canonicalize(path).with_context(|| format!("could not find `{}`", path.display()))?;
    let mut name = target.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(format!(".kmm-{}", std::process::id()));
    let beside = target.with_file_name(name);
    let written = fs::write(&beside, text)
        .and_then(|()| fs::set_permissions(&beside, fs::metadata(&target)?.permissions()))
        .and_then(|()| fs::rename(&beside, &target));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("could not write `{}`", path.display()))
}
