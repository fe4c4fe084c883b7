//! `kmm completions`.

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::Cli;
use crate::cli::Completions;
use crate::exit::ExitStatus;
use crate::printer::Printer;

pub fn run(arguments: &Completions, printer: &Printer) -> Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "kmm", &mut script);
    printer.bytes(&script)?;
    Ok(ExitStatus::Yes)
}
