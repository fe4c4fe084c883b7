//! One file for each command.

mod completions;
mod coverage;
#[cfg(feature = "cluster")]
mod crds;
mod decode;
mod depmod;
mod explain;
mod image;
mod images;
mod man;
mod match_;
mod modinfo;
mod modprobe;
#[cfg(feature = "cluster")]
mod operator;
mod preflight;
mod resolve;
mod simulate;
mod template;
mod validate;
#[cfg(feature = "cluster")]
mod webhook;

use anyhow::Result;

use crate::cli::Command;
use crate::cli::Image;
use crate::exit::ExitStatus;
use crate::printer::Printer;

/// Runs a command. An error means that no answer could be had.
pub fn run(command: Command, printer: &Printer) -> Result<ExitStatus> {
    match command {
        Command::Validate(arguments) => validate::run(&arguments, printer),
        Command::Resolve(arguments) => resolve::run(&arguments, printer),
        Command::Explain(arguments) => explain::run(&arguments, printer),
        Command::Simulate(arguments) => simulate::run(&arguments, printer),
        Command::Coverage(arguments) => coverage::run(&arguments, printer),
        Command::Images(arguments) => images::run(&arguments, printer),
        Command::Image(Image::Check(arguments)) => image::check(&arguments, printer),
        Command::Image(Image::Inspect(arguments)) => image::inspect(&arguments, printer),
        Command::Preflight(arguments) => preflight::run(&arguments, printer),
        Command::Modprobe(arguments) => modprobe::run(&arguments, printer),
        Command::Template(arguments) => template::run(&arguments, printer),
        Command::Match(arguments) => match_::run(&arguments, printer),
        Command::Decode(arguments) => decode::run(&arguments, printer),
        Command::Modinfo(arguments) => modinfo::run(&arguments, printer),
        Command::Depmod(arguments) => depmod::run(&arguments, printer),
        #[cfg(feature = "cluster")]
        Command::Crds(arguments) => crds::run(&arguments, printer),
        #[cfg(feature = "cluster")]
        Command::Operator(arguments) => operator::run(&arguments, printer),
        #[cfg(feature = "cluster")]
        Command::Webhook(arguments) => webhook::run(&arguments, printer),
        Command::Completions(arguments) => completions::run(&arguments, printer),
        Command::Man(arguments) => man::run(&arguments, printer),
    }
}
