//! `kmm decode`.

use std::fmt::Write;
use std::path::Path;

use anyhow::Result;
use kmm_core::worker::Kind;
use kmm_core::worker::decode;
use kmm_core::worker::decode::Diagnosis;
use serde::Serialize;

use crate::cli::Decode;
use crate::exit::ExitStatus;
use crate::input;
use crate::printer::Printer;
use crate::render::printable;

/// The most that is read: the log of a kernel has a few MiB at most.
const LARGEST: u64 = 32 << 20;

#[derive(Serialize)]
struct Answer<'a> {
    version: u32,
    lines: usize,
    #[serde(rename = "leftOut")]
    left_out: usize,
    cause: Option<Explained<'a>>,
    found: Vec<Explained<'a>>,
}

#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    failure: bool,
    cause: String,
    mend: &'static str,
}

impl<'a> Explained<'a> {
    fn new(diagnosis: &'a Diagnosis) -> Self {
        Self {
            diagnosis,
            failure: diagnosis.reason.kind() == Kind::Failed,
            cause: diagnosis.cause(),
            mend: diagnosis.reason.mend(),
        }
    }
}

/// Yes where a failure was found and explained, no where there is none.
pub fn run(arguments: &Decode, printer: &Printer) -> Result<ExitStatus> {
    let path = arguments.file.as_deref().unwrap_or(Path::new("-"));
    let source = input::read_lossy(path, LARGEST)?;
    let decoded = decode::text(&source.text);
    let cause = decode::strongest(&decoded.found);
    match arguments.output.structured() {
        Some(format) => {
            let answer = Answer {
                version: 1,
                lines: decoded.lines,
                left_out: decoded.left_out,
                cause: cause.map(Explained::new),
                found: decoded.found.iter().map(Explained::new).collect(),
            };
            printer.document(format, &answer)?;
        }
        None => printer.data(&text(&decoded, cause))?,
    }
    if decoded.left_out > 0 {
        printer.notice(&format!("kmm: the last {} lines were left out", decoded.left_out));
    }
    Ok(if cause.is_some() {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    })
}

fn text(decoded: &decode::Decoded, cause: Option<&Diagnosis>) -> String {
    let mut out = String::new();
    for diagnosis in &decoded.found {
        let _ = writeln!(
            out,
            "line {}: {}\n  cause: {}\n  proof: {}",
            diagnosis.line,
            diagnosis.reason,
            printable(&diagnosis.cause()),
            printable(&diagnosis.proof)
        );
        if !diagnosis.strong {
            let _ = writeln!(
                out,
                "  note:  a guess: modprobe knows the number of an error only"
            );
        }
        if !diagnosis.reason.mend().is_empty() {
            let _ = writeln!(out, "  mend:  {}", diagnosis.reason.mend());
        }
    }
    match cause {
        Some(cause) if decoded.found.len() > 1 => {
            let _ = writeln!(out, "most likely: {}, line {}", cause.reason, cause.line);
        }
        Some(_) => {}
        None => {
            let _ = writeln!(out, "no failure is known in {} lines", decoded.lines);
        }
    }
    out
}
