//! `kmm man`.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::cli::Cli;
use crate::cli::Man;
use crate::exit::ExitStatus;
use crate::printer::Printer;

pub fn run(arguments: &Man, printer: &Printer) -> Result<ExitStatus> {
    let mut kmm = Cli::command();
    kmm.build();
    if let Some(folder) = &arguments.dir {
        fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))?;
        clap_mangen::generate_to(kmm, folder)
            .with_context(|| format!("could not write the pages to `{}`", folder.display()))?;
        return Ok(ExitStatus::Yes);
    }
    let command = match &arguments.command {
        None => kmm,
        Some(name) => match kmm.find_subcommand(name) {
            Some(command) => command.clone(),
            None => bail!("there is no command `{name}`: `kmm --help` lists them"),
        },
    };
    let mut page = Vec::new();
    Page::new(command).render(&mut page)?;
    printer.bytes(&page)?;
    Ok(ExitStatus::Yes)
}
