//! `kmm match`.

use anyhow::Result;
use anyhow::bail;
use kmm_core::kernel::KernelVersion;
use kmm_core::pattern::Pattern;
use kmm_core::resolve::RegexpMiss;
use serde::Serialize;

use crate::cli::Match;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::render::printable;

#[derive(Serialize)]
struct Answer {
    version: u32,
    results: Vec<Tried>,
}

#[derive(Serialize)]
struct Tried {
    kernel: String,
    matched: bool,
    start: Option<usize>,
    end: Option<usize>,
    reason: String,
}

pub fn run(arguments: &Match, printer: &Printer) -> Result<ExitStatus> {
    let pattern = match Pattern::parse(&arguments.regexp) {
        Ok(pattern) => pattern,
        Err(error) => {
            let at = error.span();
            let place = arguments.regexp.get(at.clone()).unwrap_or_default();
            // Go's message mostly ends with the text already.
            if place.is_empty() || error.to_string().ends_with(&format!("`{place}`")) {
                bail!("{error}, at byte {}", at.start)
            }
            bail!("{error}: `{place}`, at byte {}", at.start)
        }
    };
    let results: Vec<Tried> = arguments
        .kernels
        .iter()
        .map(|kernel| try_on(&pattern, kernel))
        .collect();
    let status = if results.iter().all(|result| result.matched) {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    };
    match arguments.output.structured() {
        Some(format) => printer.document(format, &Answer { version: 1, results })?,
        None => {
            let line = |result: &Tried| {
                let answer = if result.matched { "yes" } else { "no" };
                format!(
                    "{answer:<3}  {}: {}\n",
                    printable(&result.kernel),
                    printable(&result.reason)
                )
            };
            printer.data(&results.iter().map(line).collect::<String>())?;
        }
    }
    Ok(status)
}

fn try_on(pattern: &Pattern, raw: &str) -> Tried {
    let kernel = KernelVersion::new(raw);
    let matched = kernel.matched();
    let found = pattern.find(matched);
    let reason = match &found {
        Some(range) if range.is_empty() => format!("it matches the empty text at byte {}", range.start),
        Some(range) => format!("it matches `{}`", &matched[range.clone()]),
        None => RegexpMiss::of(pattern, matched).to_string(),
    };
    Tried {
        kernel: raw.to_owned(),
        matched: found.is_some(),
        start: found.as_ref().map(|range| range.start),
        end: found.as_ref().map(|range| range.end),
        reason,
    }
}
