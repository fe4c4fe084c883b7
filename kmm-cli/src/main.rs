//! `kmm`: explains, checks and previews Kernel Module Management manifests and images, before and on a cluster.
#![allow(
    unreachable_pub,
    reason = "a binary has no public interface: `pub` means another module of it"
)]

mod cli;
mod commands;
mod exit;
mod image_source;
mod input;
mod kernel_facts;
mod manifests;
mod printer;
mod progress;
mod pull_secrets;
mod render;

use std::process::ExitCode;

use exit::ExitStatus;
use printer::Printer;

fn main() -> ExitCode {
    let cli = cli::parse();
    let printer = Printer::new(cli.color);
    let status = match commands::run(cli.command, &printer) {
        Ok(status) => status,
        Err(error) if is_closed_pipe(&error) => ExitStatus::Yes,
        Err(error) => {
            printer.notice(&format!(
                "kmm: {}",
                render::printable(&render::chain(error.as_ref()))
            ));
            ExitStatus::Unanswered
        }
    };
    status.into()
}

/// Whether the reader of standard output went away, as `head` does: no fault of ours.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<std::io::Error>();
    cause.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
