//! `kmm template`.

use std::fmt::Write;

use anyhow::Context;
use anyhow::Result;
use kmm_core::kernel::KernelVersion;
use kmm_core::template;
use kmm_core::template::Variables;
use serde::Serialize;

use crate::cli::Template;
use crate::exit::ExitStatus;
use crate::printer::Printer;
use crate::render::printable;

#[derive(Serialize)]
struct Answer<'a> {
    version: u32,
    results: Vec<Expanded<'a>>,
}

#[derive(Serialize)]
struct Expanded<'a> {
    template: &'a str,
    text: Option<String>,
    error: Option<String>,
}

pub fn run(arguments: &Template, printer: &Printer) -> Result<ExitStatus> {
    let kernel = KernelVersion::new(arguments.kernel.as_str());
    let mut variables = Variables::kernel(&kernel).context("no template can be expanded")?;
    variables = variables.with_module(
        arguments.name.clone().unwrap_or_default(),
        arguments.namespace.clone().unwrap_or_default(),
    );
    let results: Vec<Expanded<'_>> = arguments
        .templates
        .iter()
        .map(|text| expand(text, &variables))
        .collect();
    let status = if results.iter().all(|result| result.error.is_none()) {
        ExitStatus::Yes
    } else {
        ExitStatus::No
    };
    match arguments.output.structured() {
        Some(format) => printer.document(format, &Answer { version: 1, results })?,
        None => printer.data(&text(&results))?,
    }
    Ok(status)
}

fn expand<'a>(text: &'a str, variables: &Variables) -> Expanded<'a> {
    let (text_after, error) = match template::Template::parse(text).expand(variables) {
        Ok(expanded) => (Some(expanded), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Expanded {
        template: text,
        text: text_after,
        error,
    }
}

fn text(results: &[Expanded<'_>]) -> String {
    let mut out = String::new();
    for result in results {
        let _ = match (&result.text, &result.error) {
            (Some(text), _) => writeln!(out, "{}", printable(text)),
            (None, error) => {
                let error = error.as_deref().unwrap_or_default();
                writeln!(out, "error: {}: {}", printable(result.template), printable(error))
            }
        };
    }
    out
}
