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
    let mut command = &kmm;
    // `image check`, or `image-check` as in the name of its page.
    for name in arguments.command.iter().flat_map(|word| word.split([' ', '-'])) {
        command = match command.find_subcommand(name) {
            Some(command) => command,
            None => bail!(
                "there is no command `{}`: `kmm --help` lists them",
                arguments.command.join(" ")
            ),
        };
    }
    let mut page = Vec::new();
    Page::new(command.clone()).render(&mut page)?;
    printer.bytes(&page)?;
    Ok(ExitStatus::Yes)
}
